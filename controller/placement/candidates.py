"""What one node has for one demand: the best of its partitions, or why each of them is refused.

Partitions of a GPU that differ in nothing but their number are alike to every check and scorer, so one of them is
looked at for all: the first free one, and where none is free the first. The same holds for GPUs that differ in nothing
but their address. A node of eight GPUs so costs a few looks and not sixty-four.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from controller.placement.decision import Placed, Refusal
from controller.placement.demand import Demand
from controller.placement.filters import refuse_devices, refuse_node, refuse_partition
from controller.placement.locality import Rank, alone, nearest
from controller.placement.scores import Scorer
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot

#: More than any partition has, bytes.
_HELD: Final = 1 << 60


@dataclass(frozen=True, slots=True)
class Usable:
    """A GPU with those of its partitions that pass every check, by number."""

    gpu: Gpu
    partitions: tuple[Partition, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The best that a node has. The lower `rank` is the better one, ties broken to the last bit."""

    rank: Rank
    placed: Placed

    def ties(self, other: "Choice") -> bool:
        """Whether both are equally good, and only names tell them apart."""
        mine, theirs = self.rank, other.rank
        return (mine[:2], mine[2][:3]) == (theirs[:2], theirs[2][:3])

    @property
    def order(self) -> tuple[Rank, str]:
        """By rank, then by the node's name: no two nodes are equal."""
        return self.rank, self.placed.node.name


def best_on(snapshot: Snapshot, demand: Demand, node: Node, scorer: Scorer) -> Choice | None:
    """The node's best place for the demand; None when a check of node or partitions refuses all of it."""
    if refuse_node(snapshot, demand, node) is not None:
        return None
    return best_partitions(snapshot, demand, node, scorer)


def best_partitions(snapshot: Snapshot, demand: Demand, node: Node, scorer: Scorer) -> Choice | None:
    """The same for a pod that is pinned to the node already: nothing is asked of the node itself."""
    found = _usable(snapshot, demand, node)
    if not found or _short(snapshot, demand, node, found) is not None:
        return None
    scored = [(scorer(snapshot, demand, node, each.gpu, each.partitions[0]), each) for each in found]
    if demand.requirement.count == 1:
        score, best = min(scored, key=lambda pair: pair[0])
        return Choice(alone(score), Placed.on(node, best.gpu, best.partitions[0]))
    together = nearest([(score, each.gpu, each.partitions) for score, each in scored], demand.requirement.count)
    return None if together is None else Choice(together.rank, Placed(node, together.devices))


def refusals_on(snapshot: Snapshot, demand: Demand, node: Node) -> tuple[Refusal, ...]:
    """Why each partition of a node that has no place for the demand is refused: a row a reason, in order of sight."""
    refused = refuse_node(snapshot, demand, node)
    if refused is not None:
        return (Refusal(refused[0], sum(len(gpu.partitions) for gpu in node.gpus), refused[1]),)
    rows: dict[str, Refusal] = {}
    usable = 0
    for gpu in node.gpus:
        for alike in gpu.alike:
            free = snapshot.free_of(node, gpu, alike)
            for same in (free, tuple(one for one in alike.partitions if one not in free)):
                found = refuse_partition(snapshot, demand, node, gpu, same[0]) if same else None
                if found is not None:
                    missing = _missing(found[0], same[0], held=same is not free)
                    _add(rows, Refusal(found[0], len(same), found[1], missing))
                else:
                    usable += len(same)
    if usable:
        mine = _usable(snapshot, demand, node)
        reason, example = _short(snapshot, demand, node, mine) or _too_few(demand, node, mine)
        _add(rows, Refusal(reason, usable, example))
    return tuple(rows.values())


def _add(rows: dict[str, Refusal], row: Refusal) -> None:
    present = rows.get(row.reason)
    rows[row.reason] = row if present is None else present.plus(row)


def _missing(reason: str, partition: Partition, *, held: bool) -> int:
    """What a quota lacks grows with the partition; a larger one alone gives nobody a partition that is held."""
    return partition.bytes + held * _HELD if reason == "QuotaExceeded" else 0


def _usable(snapshot: Snapshot, demand: Demand, node: Node) -> list[Usable]:
    found: list[Usable] = []
    for gpu in snapshot.distinct(node) if demand.requirement.count == 1 and not demand.resource else node.gpus:
        for alike in gpu.alike:
            free = snapshot.free_of(node, gpu, alike) or alike.partitions[:1]
            if refuse_partition(snapshot, demand, node, gpu, free[0]) is None:
                found.append(Usable(gpu, free))
    return found


def _short(snapshot: Snapshot, demand: Demand, node: Node, usable: Collection[Usable]) -> tuple[str, str] | None:
    """Why the device plugin has not enough left; with ResourceClaims the partitions themselves are free or not."""
    if not demand.resource:
        return None
    partitions = [partition for each in usable for partition in each.partitions]
    return refuse_devices(snapshot, demand, node, partitions)


def _too_few(demand: Demand, node: Node, usable: Collection[Usable]) -> tuple[str, str]:
    free = sum(len(each.partitions) for each in usable)
    return (
        "TooFewTogether",
        f"node {node.name} has {free} that fit, needed are {demand.requirement.count} of one product and mode together",
    )
