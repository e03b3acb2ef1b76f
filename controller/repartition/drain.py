"""Who leaves the GPUs of a change, in which order, and where each one's successor will go.

Nobody moves unless everybody can: a change that cannot get its GPUs idle disturbs nobody.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.decision import gib
from controller.placement.snapshot import Node, Partition, Snapshot
from controller.repartition.disruption_budget import Refused
from controller.repartition.places import FreePlaces, Place, Places
from controller.repartition.victims import Victim, in_order

#: At most so many names stand in a message.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Move:
    """A victim, and the partition to reserve for its successor before the eviction."""

    victim: Victim
    node: str
    partition: PartitionId
    mode: Mode
    bytes: int


@dataclass(frozen=True, slots=True)
class Drain:
    """Who moves now. `waiting`: what holds up the rest, a sentence; "" when nothing does."""

    moves: tuple[Move, ...]
    waiting: str


def decide_drain(
    snapshot: Snapshot,
    node: str,
    touched: frozenset[str],
    victims: Sequence[Victim],
    *,
    budget_left: int,
    allowed: Callable[[Victim], bool],
    free: FreePlaces | None = None,
) -> Drain | Refused:
    """The next moves that free the GPUs `touched` (bdf) of `node`: at most `budget_left` pods, least important first.

    `victims` are pods on those GPUs that are not on their way out yet, and have no reservation: those who have one
    were decided before. A pod moves only when it is `allowed`, has a controller that will make its successor, and all
    others in the way can move, too. Refused when one of them fits nowhere else. `free`: the snapshot's, where the same
    snapshot is asked many times.
    """
    leaving = in_order(victims)
    if not leaving:
        return Drain((), "")
    stays = _who_stays(snapshot.node(node), snapshot, touched, leaving, allowed)
    if stays:
        return Drain((), stays)
    places = Places(free or FreePlaces(snapshot), node, touched).give(leaving)
    if isinstance(places, Victim):
        return Refused("NoPlaceForVictim", _no_place(places))
    moves = [_move(victim, place) for victim, place in zip(leaving, places, strict=True)]
    return Drain(tuple(moves[: max(0, budget_left)]), _held_up(len(moves), max(0, budget_left)))


def _who_stays(
    node: Node | None,
    snapshot: Snapshot,
    touched: frozenset[str],
    victims: Sequence[Victim],
    allowed: Callable[[Victim], bool],
) -> str:
    """Who on the GPUs is not to be moved, as a sentence; "" when everybody may."""
    foreign = sorted(str(partition.id) for partition in _foreign(node, snapshot, touched)) if node else []
    if foreign:
        return f"{_listed(foreign)} held by a workload that is not managed here: it ends by itself or by hand"
    orphans = [victim.name for victim in victims if not victim.owner]
    if orphans:
        return f"{_listed(orphans)} would not come back, for no controller makes a successor: delete it by hand"
    kept = [victim.name for victim in victims if not allowed(victim)]
    if kept:
        return f"{_listed(kept)} may be moved only for a claim of higher priority or by a person's approval"
    return ""


def _foreign(node: Node, snapshot: Snapshot, touched: frozenset[str]) -> Iterator[Partition]:
    for gpu in node.gpus:
        for partition in gpu.partitions if gpu.bdf in touched else ():
            holder = snapshot.holder(node, partition)
            if holder is not None and holder.kind == "foreign":
                yield partition


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _no_place(victim: Victim) -> str:
    return (
        f"pod {victim.name} on {victim.partition} needs a partition of {gib(victim.requirement_bytes)} elsewhere, and "
        "no free one takes it in the modes that GPUs have now"
    )


def _move(victim: Victim, place: Place) -> Move:
    return Move(victim, place.node.name, place.partition.id, place.gpu.mode, place.partition.bytes)


def _held_up(total: int, budget: int) -> str:
    if total <= budget:
        return ""
    more = "1 more pod moves" if total - budget == 1 else f"{total - budget} more pods move"
    return f"{more} once pods that are down are back (repartition.maxUnavailablePods)"
