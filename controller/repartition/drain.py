"""Who leaves the GPUs of a change, in which order, and where each one's successor will go.

Nobody moves unless everybody can: a change that cannot get its GPUs idle disturbs nobody.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain

from controller.placement.demand import Resources
from controller.placement.size_text import gib
from controller.placement.snapshot import Node, Partition, Snapshot
from controller.repartition.disruption_budget import Refused
from controller.repartition.move import Move
from controller.repartition.places import FreePlaces, Place, Places
from controller.repartition.together import move_together
from controller.repartition.victims import Victim, in_order

#: At most so many names stand in a message.
_NAMED = 3


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
    others in the way can move, too; one of several partitions has a move for each. Refused when one of them fits
    nowhere else. `free`: the snapshot's, where the same snapshot is asked many times.
    """
    leaving = in_order(victims)
    if not leaving:
        return Drain((), "")
    stays = _who_stays(snapshot.node(node), snapshot, touched, leaving, allowed)
    if stays:
        return Drain((), stays)
    found = _moves(snapshot, node, touched, leaving, free)
    if isinstance(found, Victim):
        return Refused("NoPlaceForVictim", _no_place(found))
    budget = max(0, budget_left)
    moves = chain.from_iterable(found[victim.uid] for victim in leaving[:budget])
    return Drain(tuple(moves), _held_up(len(leaving), budget))


def _moves(
    snapshot: Snapshot, node: str, touched: frozenset[str], leaving: Sequence[Victim], free: FreePlaces | None
) -> Mapping[str, tuple[Move, ...]] | Victim:
    """By uid, where each victim goes; or the first one for which there is no place.

    Pods of several partitions choose first, one after the other: what they leave is shared out among the others.
    """
    whole = [victim for victim in leaving if victim.count > 1]
    single = [victim for victim in leaving if victim.count == 1]
    found: dict[str, tuple[Move, ...]] = {}
    with ExitStack() as trial:
        if whole:
            free = None
            _close(trial, snapshot, snapshot.node(node), touched)
        for victim in whole:
            found[victim.uid] = move_together(snapshot, node, victim)
            if not found[victim.uid]:
                return victim
            _take(trial, snapshot, found[victim.uid], home=node)
        places = Places(free or FreePlaces(snapshot), node, touched).give(single)
    if isinstance(places, Victim):
        return places
    return found | {victim.uid: (_move(victim, place),) for victim, place in zip(single, places, strict=True)}


def _close(trial: ExitStack, snapshot: Snapshot, node: Node | None, touched: frozenset[str]) -> None:
    """Nobody gets a place on the GPUs that are to be emptied."""
    for gpu in node.gpus if node is not None else ():
        if node is not None and gpu.bdf in touched:
            free = [one for one in gpu.partitions if snapshot.holder(node, one) is None]
            trial.callback(snapshot.hold(node, free, "the change", Resources()))


def _take(trial: ExitStack, snapshot: Snapshot, moves: Sequence[Move], *, home: str) -> None:
    """Nobody else gets the places of these moves; at home the pod frees what its successor takes of the node."""
    victim, node = moves[0].victim, snapshot.node(moves[0].node)
    wanted = {move.partition for move in moves}
    if node is not None:
        parts = [one for gpu in node.gpus for one in gpu.partitions if one.id in wanted]
        asked = Resources() if node.name == home else victim.constraints.resources
        trial.callback(snapshot.hold(node, parts, f"the successor of {victim.name}", asked))


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
    size = gib(victim.requirement_bytes)
    if victim.count > 1:
        return (
            f"pod {victim.name} on {victim.partition} needs {victim.count} partitions of {size} together elsewhere, "
            "and no free ones take it in the modes that GPUs have now"
        )
    return (
        f"pod {victim.name} on {victim.partition} needs a partition of {size} elsewhere, and no free one takes it in "
        "the modes that GPUs have now"
    )


def _move(victim: Victim, place: Place) -> Move:
    return Move(victim, place.node.name, place.partition.id, place.gpu.mode, place.partition.bytes)


def _held_up(total: int, budget: int) -> str:
    if total <= budget:
        return ""
    more = "1 more pod moves" if total - budget == 1 else f"{total - budget} more pods move"
    return f"{more} once pods that are down are back (repartition.maxUnavailablePods)"
