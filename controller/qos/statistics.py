"""What the dispatcher shows of itself: frozen views for metrics and tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.qos.membership import Membership
from controller.qos.place import Model


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
    that are `lent` to others and that it has `borrowed` beyond it; `room`: how many may wait at once, 0 where each new
    one is refused for want of a pod; since the start `arrived`, `dispatched`,
    `completed`, `cancelled`, `given_back` and `refused` by reason."""

    model: str
    queued: Mapping[str, int]
    in_flight: int
    minimum: int
    lent: int
    borrowed: int
    room: int
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


def statistics_of(membership: Membership, refused_unknown: int) -> QoSStatistics:
    """The view of what there is now."""
    partitions = {
        key: PartitionStatistics(key, one.limiter.seats, one.limit, one.in_flight, one.promotions, one.overloads)
        for key, one in membership.partitions.items()
    }
    names = [one.name for one in membership.classes.ordered]
    models = {key: _of_model(one, names) for key, one in membership.models.items()}
    return QoSStatistics(partitions, models, refused_unknown)


def _of_model(model: Model, names: list[str]) -> ModelStatistics:
    return ModelStatistics(
        model=model.key,
        queued={name: queue.count for name, queue in zip(names, model.queues, strict=True)},
        in_flight=model.in_flight,
        minimum=model.minimum(),
        lent=sum(max(0, place.minimum - place.in_flight) for place in model.places),
        borrowed=sum(max(0, place.in_flight - place.minimum) for place in model.places),
        room=model.settings.queue_length if model.places or model.settings.held else 0,
        arrived=model.arrived,
        dispatched=model.dispatched,
        completed=model.completed,
        cancelled=model.cancelled,
        given_back=model.given_back,
        refused=dict(model.refused),
    )
