"""What the dispatcher shows of itself: frozen views for metrics and tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PartitionStatistics:
    """A partition: `seats` that there are, `limit` of those in use now, requests `in_flight`, `promotions` of starving
    requests and `overloads` that engines reported, both since the start."""

    partition: str
    seats: int
    limit: int
    in_flight: int
    promotions: int = 0
    overloads: int = 0


@dataclass(frozen=True, slots=True)
class ModelStatistics:
    """A model: requests `queued` (by class) and `in_flight` now; `minimum` in force over its Ready pods; seats of it
    that are `lent` to others and that it has `borrowed` beyond it; since the start `arrived`, `dispatched`,
    `completed`, `cancelled`, `given_back` and `refused` by reason."""

    model: str
    queued: Mapping[str, int]
    in_flight: int
    minimum: int
    lent: int
    borrowed: int
    arrived: int
    dispatched: int
    completed: int
    cancelled: int
    given_back: int
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QoSStatistics:
    """All of it, by partition and by model. `refused_unknown`: requests for a model that there is not."""

    partitions: Mapping[str, PartitionStatistics]
    models: Mapping[str, ModelStatistics]
    refused_unknown: int = 0
