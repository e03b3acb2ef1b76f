"""Share groups: which of the waiting members found one, and whether a later one still gets in. Pure.

no place yet: first k members, the most that fit together -> a demand for the sum of their needs -> the scheduler
a place:      one member -> that partition or none, within what the others leave (`ShareGroupFull`)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from controller.placement.decision import Decision, Placed, Refusal, Unplaced
from controller.placement.demand import Demand, GroupMember, Resources, Shared
from controller.placement.filters import refuse_node, refuse_partition
from controller.placement.snapshot import Snapshot

#: Pods that a ResourceClaim can be reserved for (Kubernetes, ``ResourceClaimReservedForMaxSize``).
MOST_MEMBERS = 256


@dataclass(frozen=True, slots=True)
class Candidate:
    """What decides whether a waiting pod can found a group with others: the modes and the policy that it asks for."""

    modes: frozenset[object]
    policy: str | None


def compatible(candidates: Sequence[Candidate]) -> tuple[int, ...]:
    """The places in the list of those that can share with the first: one policy, and a mode that all of them take.

    In order, so that nobody is left out for one that came later; no modes means any mode.
    """
    found: list[int] = []
    modes: frozenset[object] = frozenset()
    for index, candidate in enumerate(candidates[:MOST_MEMBERS]):
        both = modes & candidate.modes if modes and candidate.modes else modes or candidate.modes
        if candidate.policy == candidates[0].policy and (both or not (modes or candidate.modes)):
            found.append(index)
            modes = both
    return tuple(found)


def of_first(demand: Demand, count: int) -> Demand:
    """The demand of the group's first `count` members alone. Raises ValueError for one that is of no group."""
    shared = _shared(demand)
    members = shared.members[:count]
    return replace(
        demand,
        requirement=replace(demand.requirement, bytes=needed_bytes(members, shared.least_bytes)),
        pod=replace(demand.pod, resources=needed_resources(members)),
        shared=replace(shared, members=members),
    )


def needed_bytes(members: Sequence[GroupMember], least: int = 0) -> int:
    """Memory that the partition of these members must have."""
    return max(least, sum(member.bytes for member in members))


def needed_resources(members: Sequence[GroupMember]) -> Resources:
    """What the members request of their node together."""
    return reduce(Resources.plus, (member.pod.resources for member in members), Resources())


def found(schedule: Callable[[Demand], Decision], demand: Demand) -> Decision:
    """The place for as many of the first members as fit together; else why the first one alone has none.

    Fewer members never ask for more, so the number is found by halving.
    """
    fits, too_many = 0, len(_shared(demand).members)
    best = schedule(of_first(demand, too_many))
    if isinstance(best, Placed):
        return best
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        decision = schedule(of_first(demand, middle))
        if isinstance(decision, Placed):
            best, fits = decision, middle
        else:
            too_many = middle
            best = best if fits else decision
    return best


def join(snapshot: Snapshot, demand: Demand) -> Decision:
    """The group's own partition, or why the member cannot go there: it can go nowhere else."""
    shared = _shared(demand)
    place = shared.place
    if place is None:
        raise ValueError(f"share group {shared.group} has no place that {demand.key} could join")
    node = snapshot.node(place.node)
    if node is None:
        return Unplaced("NodeGone", f"node {place.node}, where share group {shared.group} is, has no inventory")
    refused = refuse_node(snapshot, demand, node)
    for gpu in node.gpus:
        for partition in gpu.partitions:
            if partition.id != place.partition:
                continue
            refused = refused or refuse_partition(snapshot, demand, node, gpu, partition)
            if refused is None:
                return Placed.on(node, gpu, partition)
    reason, sentence = refused or ("PartitionGone", f"{place.partition} of node {place.node} is there no more")
    return Unplaced(reason, sentence, (Refusal(reason, 1, sentence),))


def _shared(demand: Demand) -> Shared:
    if demand.shared is None:
        raise ValueError(f"demand {demand.key} is of no share group")
    return demand.shared
