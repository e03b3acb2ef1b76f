"""Which claims have waited so long that a place is kept for them, and how many places are kept at most. Pure.

A claim of several partitions, or one that needs a GPU to become idle for another mode, waits until enough is free at
one time. Smaller claims that come later fit into each piece that gets free and would keep it waiting for ever. So after
a while its place is chosen and what gets free there is kept, although it stands idle until the rest is free, too.
"""

from dataclasses import dataclass
from typing import Final

from controller.placement.decision import Placed
from controller.placement.demand import Demand
from controller.placement.filters import kept_for
from controller.placement.occupant import Occupant
from controller.placement.snapshot import Snapshot

#: How long a claim waits before a place is kept for it, seconds, if it needs no more than a whole GPU. One that needs
#: several waits longer in proportion, for as much stands idle for its sake.
WAIT_SECONDS: Final = 600.0
#: Of so many nodes one has a place that is kept for a claim that has waited long; at least one place in all.
NODES_TO_A_PLACE: Final = 10


@dataclass(frozen=True, slots=True)
class Awaiting:
    """The place that a demand will get once the `holders` have left: nobody asks them to."""

    placed: Placed
    holders: tuple[Occupant, ...]


def waits_long(demand: Demand, largest_gpu_bytes: int, now_seconds: float) -> bool:
    """Whether the demand has waited its time. `now_seconds`: since the epoch, as the pod's creation."""
    return now_seconds - demand.created_seconds >= wait_limit(demand, largest_gpu_bytes)


def wait_limit(demand: Demand, largest_gpu_bytes: int) -> float:
    """How long a claim of that size waits before a place is kept for it, seconds."""
    gpus = demand.requirement.bytes * demand.requirement.count / largest_gpu_bytes if largest_gpu_bytes else 1.0
    return WAIT_SECONDS * max(1.0, gpus)


def most_places(nodes: int) -> int:
    """How many places are kept for long waiting claims at most."""
    return max(1, nodes // NODES_TO_A_PLACE)


def being_left(snapshot: Snapshot, demand: Demand) -> int:
    """How many partitions are kept for the demand's owner or service, would do, and are still somebody's.

    An older pod is on its way out of each: nobody else has to leave for as many of the owner's pods.
    """
    kept = snapshot.base.kept_for
    names = frozenset().union(*(kept.get(whose, ()) for whose in (demand.owner, demand.service) if whose))
    nodes = (node for name in names if (node := snapshot.node(name)) is not None)
    return sum(
        kept_for(one, demand) and one.bytes >= demand.requirement.bytes and snapshot.holder(node, one) is not None
        for node in nodes
        for gpu in node.gpus
        for one in gpu.partitions
    )


def overtaken(demand: Demand, awaiting: Awaiting) -> bool:
    """Whether smaller claims could keep it from its place: it needs more than what one other claim gives up at once."""
    return demand.requirement.count > 1 or len(awaiting.holders) > 1
