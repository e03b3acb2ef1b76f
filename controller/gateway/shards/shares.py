"""What one replica's dispatcher is told: the partitions that it has, and its part of what each model may do. Pure.

A guarantee over all pods of a model is kept by several dispatchers that do not ask each other. So each gets a part of
it, by the seats of its partitions, and the parts together are never more than the whole:

    minimum     split over the model's partitions by seats (largest remainder), as one dispatcher splits it too
    maximum     split over the model's endpoints likewise, and taken off their seats: an endpoint's part does not
                depend on who has it, so it holds while partitions change hands, and with requests that others left
    max_rate    the part of the model's seats that this replica has; of a tenant's, the part of all seats
    queue       the same, at least one place
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from controller.qos.settings import Member, ModelSettings, PartitionSettings, QoSSettings
from controller.qos.shares import divided


class TakenSeats(Protocol):
    """How many of an endpoint's seats others may use."""

    def __call__(self, partition: str, endpoint: str, seats: int, /) -> int:
        """At the endpoint of a partition with so many seats."""
        ...


def narrow(settings: QoSSettings, has: Callable[[str], bool], taken: TakenSeats) -> QoSSettings:
    """`settings` for a replica that `has` some of the partitions, with the seats off that are `taken` by others."""
    members = [one for partition in settings.partitions.values() for one in partition.members]
    seats = bounded_seats(settings.models, members)
    owned = {key: one for key, one in settings.partitions.items() if has(key)}
    whole, mine = _seats_by_model(settings.partitions, seats), _seats_by_model(owned, seats)
    models = {key: _part(one, whole.get(key, {}), mine.get(key, {})) for key, one in settings.models.items()}
    fraction = sum(seats[one.endpoint] for part in owned.values() for one in part.members) / (sum(seats.values()) or 1)
    tenants = {
        name: one if one.max_rate is None else replace(one, max_rate=one.max_rate * (fraction or 1))
        for name, one in settings.tenants.items()
    }
    partitions = {key: _narrowed(one, seats, taken) for key, one in owned.items()}
    # Where others still use every seat of ours, more requests may come, and wait for these to end.
    held = _ready(owned, seats) - _ready(partitions, seats)
    models |= {key: replace(models[key], held=True) for key in held}
    return replace(settings, models=models, partitions=partitions, tenants=tenants)


def bounded_seats(models: Mapping[str, ModelSettings], members: Iterable[Member]) -> dict[str, int]:
    """The seats of each endpoint, so that those of a model together are not more than its maximum."""
    by_model: dict[str, dict[str, int]] = {}
    for one in members:
        # One that drains keeps its part: its requests are still the model's.
        by_model.setdefault(one.model, {})[one.endpoint] = one.seats
    seats: dict[str, int] = {}
    for model, own in by_model.items():
        maximum = models[model].maximum
        seats |= own if maximum is None or maximum >= sum(own.values()) else apportion(maximum, own)
    return seats


def apportion(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """`total` in whole parts by `weights`; the same for everybody, in whatever order their configuration is."""
    keys = sorted(weights)
    return dict(zip(keys, divided(total, [weights[key] for key in keys]), strict=True))


def _seats_by_model(partitions: Mapping[str, PartitionSettings], seats: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Of each model, its seats at each of the partitions where it may get new requests."""
    found: dict[str, dict[str, int]] = {}
    for key, partition in partitions.items():
        for one in partition.members:
            if one.ready:
                at = found.setdefault(one.model, {})
                at[key] = at.get(key, 0) + seats[one.endpoint]
    return found


def _ready(partitions: Mapping[str, PartitionSettings], seats: Mapping[str, int]) -> set[str]:
    """The models that have an engine there for new requests."""
    members = (one for partition in partitions.values() for one in partition.members)
    return {one.model for one in members if one.ready and seats[one.endpoint]}


def _part(model: ModelSettings, whole: Mapping[str, int], mine: Mapping[str, int]) -> ModelSettings:
    if whole == mine:
        return model
    minimum = sum(part for key, part in apportion(model.minimum, whole).items() if key in mine)
    fraction = sum(mine.values()) / (sum(whole.values()) or 1)
    return replace(
        model,
        minimum=minimum,
        headroom=min(model.headroom, minimum),
        # With none of its pods here nothing is sent anywhere: the rate is no one's part, and must be positive.
        max_rate=model.max_rate if model.max_rate is None or not fraction else model.max_rate * fraction,
        queue_length=max(1, int(model.queue_length * fraction)) if model.queue_length else 0,
    )


def _narrowed(partition: PartitionSettings, seats: Mapping[str, int], taken: TakenSeats) -> PartitionSettings:
    members, others = [], 0
    for one in partition.members:
        bounded = seats[one.endpoint]
        gone = taken(partition.partition, one.endpoint, bounded)
        others += gone
        # An engine cannot have no seats; it gets nothing new instead, and keeps what it has.
        members.append(replace(one, seats=bounded - gone) if gone < bounded else replace(one, ready=False))
    limit = None if partition.seats is None else partition.seats - others
    if limit is not None and limit < 1:
        return replace(partition, members=tuple(replace(one, ready=False) for one in members))
    return replace(partition, members=tuple(members), seats=limit)
