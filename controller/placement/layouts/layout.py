"""What a joint choice comes to: the modes to change, and who is placed where. Also the batch that follows from it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from controller.gpu.mode import Mode
from controller.placement.layouts.draft import Draft, NodeDraft
from controller.placement.layouts.problem import Batch, LayoutGpu, LayoutNode, chosen, under

Indexes = Mapping[tuple[str, str], int]
"""The choice of a GPU, by node and bdf, where it is not the present one."""


@dataclass(frozen=True, slots=True)
class NodeChange:
    """GPUs of a node that get another mode, by bdf."""

    node: str
    after: tuple[tuple[str, Mode], ...]


@dataclass(frozen=True, slots=True)
class Seat:
    """A claim's place: a node, and how many partitions on which of its GPUs, by bdf."""

    claim: str
    node: str
    partitions: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The outcome for a batch. `unplaced` are the claims that have no place in it either."""

    changes: tuple[NodeChange, ...] = ()
    seats: tuple[Seat, ...] = ()
    unplaced: tuple[str, ...] = ()


def indexes(draft: Draft) -> Indexes:
    """The choice of each GPU that a draft changes."""
    return {
        (node.table.node.name, node.table.node.gpus[member].bdf): index
        for node in draft.nodes
        for member, index in _members(node)
        if index
    }


def seats(draft: Draft) -> tuple[Seat, ...]:
    """Who is where in a draft, by claim."""
    found = (seat for node in draft.nodes for seat in _seats(draft, node))
    return tuple(sorted(found, key=lambda seat: seat.claim))


def changed(batch: Batch, changes: Indexes) -> Batch:
    """The batch once the modes are changed."""
    return replace(batch, nodes=tuple(_changed(node, changes) for node in batch.nodes))


def resting(batch: Batch) -> Batch:
    """The batch with every node as it is."""
    return replace(batch, nodes=tuple(replace(node, rests=True) for node in batch.nodes))


def seated(batch: Batch, placed: tuple[Seat, ...]) -> Batch:
    """The batch once these claims hold their places: their GPUs keep their modes, their nodes the memory mode."""
    held: dict[str, Counter[str]] = {}
    for seat in placed:
        for bdf, many in seat.partitions:
            held.setdefault(seat.node, Counter())[bdf] += many
    there = {seat.claim: seat.node for seat in placed}
    nodes = []
    for node in batch.nodes:
        left = node.left
        for claim in batch.claims:
            if there.get(claim.key) == node.name:
                left = left.minus(claim.resources)
        gpus = tuple(_held(gpu, held[node.name][gpu.bdf]) if node.name in held else gpu for gpu in node.gpus)
        nodes.append(replace(node, gpus=gpus, left=left, reloads=node.reloads and node.name not in held))
    return Batch(tuple(nodes), tuple(claim for claim in batch.claims if claim.key not in there))


def differences(before: Batch, after: Batch) -> tuple[NodeChange, ...]:
    """The GPUs that are in other modes after than before."""
    found = []
    for old, new in zip(before.nodes, after.nodes, strict=True):
        gpus = tuple(
            (gpu.bdf, then.now.mode)
            for gpu, then in zip(old.gpus, new.gpus, strict=True)
            if gpu.now.mode != then.now.mode
        )
        if gpus:
            found.append(NodeChange(old.name, gpus))
    return tuple(found)


def _held(gpu: LayoutGpu, many: int) -> LayoutGpu:
    return LayoutGpu(gpu.bdf, replace(gpu.now, free=gpu.now.free - many)) if many else gpu


def _changed(node: LayoutNode, changes: Indexes) -> LayoutNode:
    gpus = []
    for gpu in node.gpus:
        index = changes.get((node.name, gpu.bdf), 0)
        now = chosen(gpu, index)
        others = tuple(each for each in (gpu.now, *gpu.others) if each is not now)
        gpus.append(LayoutGpu(gpu.bdf, now, others if index else gpu.others))
    return replace(node, gpus=tuple(gpus))


def _members(node: NodeDraft) -> Iterator[tuple[int, int]]:
    """Each GPU that may change, by its place on the node, with its choice. What nobody needs stays, if it may."""
    for number, group in enumerate(node.table.groups):
        left = iter(group.members)
        ways = sorted((option.index, units) for (each, option), units in node.set.items() if each == number)
        for index, units in ways:
            for _ in range(units * group.gpus_in_unit):
                yield next(left), index
        for member in left:
            yield member, _unneeded(node, member)


def _unneeded(node: NodeDraft, member: int) -> int:
    """The choice of a GPU that nobody needs: its compute mode under the node's memory mode, else the first there is."""
    if node.memory <= 0:
        return 0
    gpu = node.table.node.gpus[member]
    possible = tuple(under(node.table.node))[node.memory][member]
    return next((i for i in possible if chosen(gpu, i).mode.compute == gpu.now.mode.compute), possible[0])


def _seats(draft: Draft, node: NodeDraft) -> Iterator[Seat]:
    """Partitions are counted by size while searching: here claims get GPUs, one GPU for all of a claim where it can."""
    index, gpus = dict(_members(node)), node.table.node.gpus
    free: dict[int, dict[str, int]] = {}
    for member, gpu in enumerate(gpus):
        choice = chosen(gpu, index.get(member, 0))
        slot = draft.site.number[choice.size, choice.mode]
        free.setdefault(slot, {})[gpu.bdf] = choice.free
    for claim in sorted(node.seated, key=lambda each: (-draft.site.claims[each].count, each)):
        slot, many = node.seated[claim]
        partitions = tuple(sorted(_taken(free[slot], many)))
        yield Seat(draft.site.claims[claim].key, node.table.node.name, partitions)


def _taken(free: dict[str, int], many: int) -> Iterator[tuple[str, int]]:
    """So many partitions of one size: the GPU with the fewest free ones that suffice, else those with the most."""
    while many:
        enough = [bdf for bdf, there in free.items() if there >= many]
        bdf = min(enough, key=lambda each: (free[each], each)) if enough else max(free, key=lambda each: free[each])
        taken = min(many, free[bdf])
        if not taken:
            raise RuntimeError(f"{many} partitions were given out that no GPU has")
        free[bdf] -= taken
        many -= taken
        yield bdf, taken
