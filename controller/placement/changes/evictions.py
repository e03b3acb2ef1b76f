"""The fewest pods of lower priority on a node whose going makes room, and of so few those of the lowest priorities.

Counted: pods, then the highest of their priorities, then the sum. Who they are is no matter of the asker: they are told
by number only. Whether a disruption budget lets them go is asked when they are evicted.
"""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from controller.placement.changes.change import Change, Kind, with_gpus, with_partitions
from controller.placement.changes.look import Look
from controller.placement.demand import Resources
from controller.placement.snapshot import Gpu, Holder, Node, Partition

#: Pods that a change would evict at most.
MOST_PODS: Final = 8
#: Sets of pods that are tried on a node at most; beyond that fewer may do than are offered.
MOST_TRIALS: Final = 256


@dataclass(frozen=True, slots=True)
class _Occupant:
    """A pod of lower priority: what it holds, as far as that matters to who comes after it."""

    holder: Holder
    priority: int
    kind: Hashable


def evict(look: Look) -> Iterator[Change]:
    """The cheapest eviction on the node, none where even all of them would not do."""
    groups = _groups(look)
    everyone = [each for group in groups for each in group]
    if not everyone or not look.fits(without(look.node, [each.holder for each in everyone])):
        return
    trials = 0
    for size in range(1, min(MOST_PODS, len(everyone)) + 1):
        for chosen in sorted(_sets(groups, size), key=_dearness):
            trials += 1
            if look.fits(without(look.node, [each.holder for each in chosen])):
                yield _change(look, chosen)
                return
            if trials >= MOST_TRIALS:
                return


def _groups(look: Look) -> list[list[_Occupant]]:
    """Pods whose going leaves the same, those of lowest priority first: of a group the first ones go."""
    held: dict[Holder, list[Hashable]] = defaultdict(list)
    for gpu in look.node.gpus:
        for partition in gpu.partitions:
            if partition.holder is not None and partition.holder.kind == "ours":
                held[partition.holder].append(_kind(gpu, partition))
    groups: dict[Hashable, list[_Occupant]] = defaultdict(list)
    for holder, kinds in held.items():
        priority = look.around.evictable(holder.name)
        if priority is not None and priority < look.demand.priority:
            own = holder.namespace == look.demand.namespace  # its quota is the demand's
            kind = tuple(sorted(map(repr, kinds))), holder.resources, own
            groups[kind].append(_Occupant(holder, priority, kind))
    return [sorted(group, key=lambda each: (each.priority, each.holder.name)) for group in groups.values()]


def _kind(gpu: Gpu, one: Partition) -> Hashable:
    sound = one.healthy, one.quarantined, one.reservation
    return gpu.product, str(gpu.mode), gpu.plan, one.bytes, one.compute_units, one.resource, sound


def _sets(groups: Sequence[Sequence[_Occupant]], size: int) -> Iterator[tuple[_Occupant, ...]]:
    """All ways to take `size` pods that differ in more than who goes: the first few of each group."""
    if not groups:
        if size == 0:
            yield ()
        return
    first, rest = groups[0], groups[1:]
    for taken in range(min(size, len(first)) + 1):
        for others in _sets(rest, size - taken):
            yield (*first[:taken], *others)


def _dearness(chosen: Collection[_Occupant]) -> tuple[int, ...]:
    priorities = [each.priority for each in chosen]
    return len(priorities), max(priorities, default=0), sum(priorities)


def without(node: Node, gone: Collection[Holder]) -> Node:
    """The node once those have left it."""
    leaving = set(gone)
    used, claimed = Resources(), dict(node.claimed)
    for holder in leaving:
        used = used.plus(holder.resources)
    for partition in (one for gpu in node.gpus for one in gpu.partitions):
        if partition.holder in leaving:
            claimed[partition.holder.namespace] = claimed.get(partition.holder.namespace, 0) - partition.bytes

    def freed(partition: Partition) -> Partition:
        return replace(partition, holder=None) if partition.holder in leaving else partition

    left = with_gpus(node, lambda gpu: with_partitions(gpu, freed))
    return replace(left, used=node.used.minus(used), claimed=claimed)


def _change(look: Look, chosen: Collection[_Occupant]) -> Change:
    count, gone = len(chosen), [each.holder for each in chosen]
    pods = "1 pod of lower priority" if count == 1 else f"{count} pods of lower priority"
    return Change(
        kind=Kind.EVICTION,
        target=f"node {look.node.name}",
        text=f"evict {pods} from node {look.node.name}",
        counted=_dearness(chosen),
        node=look.node.name,
        count=count,
        on_node=lambda node: without(node, gone),
    )
