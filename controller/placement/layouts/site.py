"""A batch as the search works on it: numbers instead of names, everything that does not change counted once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from controller.gpu.mode import Mode
from controller.placement.layouts.problem import Batch, Choice, LayoutClaim, LayoutGpu, LayoutNode, chosen, under

WASTE: Final = 1 << 15
"""So many wasted bytes weigh as much as one byte of demand: of equals the tightest modes, which leave most room for
those who come later. What the claims of one GPU waste, were it of 288 GiB, is less than what changing it costs."""


@dataclass(frozen=True, slots=True)
class Option:
    """A way to set GPUs of a group: `free` partitions of slot type `slot` each, under a memory mode of the node.

    `memory` counts the node's possible memory modes, 0 the present one; `index` is that of a node's state, 0 for no
    change.
    """

    memory: int
    slot: int
    free: int
    index: int


@dataclass(frozen=True, slots=True)
class Group:
    """GPUs of one node that are alike and may change: the search counts them, it does not tell them apart.

    `units` are set independently; a unit is one GPU, or all of a node whose GPUs have to be in one mode. `bytes` is the
    memory of a unit.
    """

    members: tuple[int, ...]
    units: int
    bytes: int
    options: tuple[Option, ...]

    @property
    def gpus_in_unit(self) -> int:
        """How many GPUs change when one unit does."""
        return len(self.members) // self.units


@dataclass(frozen=True, slots=True)
class NodeTable:
    """A node: `base` are the free partitions, by slot type, of GPUs that stay as they are.

    `most`: how many of a type there are if as many GPUs as possible offer it.
    """

    node: LayoutNode
    groups: tuple[Group, ...]
    base: dict[int, int]
    admits: tuple[bool, ...]
    memories: int
    most: dict[int, int]


class Site:
    """The tables of a batch. Claims stand in the order of their worth, so a smaller number is worth more.

    `worth` of a claim is its bytes, weighed so that any bytes of a higher priority outweigh all of the lower ones;
    `suiting` are the numbers of the nodes that could hold it, were it alone; `waste` is what it counts, by slot type,
    that a claim has more memory there than it asked for.
    """

    def __init__(self, batch: Batch) -> None:
        priorities = sorted({claim.priority for claim in batch.claims})
        more_than_all = 1 + sum(claim.bytes for claim in batch.claims)
        weight = {priority: more_than_all**rank for rank, priority in enumerate(priorities)}

        def order(claim: LayoutClaim) -> tuple[int, int, str]:
            return -claim.bytes * weight[claim.priority], -claim.size, claim.key

        self.claims = tuple(sorted(batch.claims, key=order))
        self.worth = tuple(claim.bytes * weight[claim.priority] for claim in self.claims)
        self.asks = tuple(
            (each.resources.cpu_milli, each.resources.memory_bytes, each.resources.pods) for each in self.claims
        )
        self._tightest: dict[tuple[str, int], tuple[tuple[int, Option, int], ...]] = {}
        self.several = tuple(claim.count > 1 for claim in self.claims)
        self.slots: tuple[tuple[int, Mode], ...] = tuple(sorted({(c.size, c.mode) for c in _choices(batch)}))
        self.size = tuple(size for size, _ in self.slots)
        self.fits = tuple(self._fits(claim) for claim in self.claims)
        self.takes = tuple(frozenset(fits) for fits in self.fits)
        self.waste = tuple(
            {slot: (self.size[slot] - claim.size) * claim.count // WASTE for slot in fits}
            for claim, fits in zip(self.claims, self.fits, strict=True)
        )
        self.number = {slot: index for index, slot in enumerate(self.slots)}
        self.nodes = tuple(self._table(node, self.number) for node in batch.nodes if node.gpus)
        self.suiting = tuple(tuple(self._suiting(claim)) for claim in range(len(self.claims)))

    def tightest(self, table: NodeTable, claim: int) -> tuple[tuple[int, Option, int], ...]:
        """Of each group and memory mode the option with the smallest partitions that the claim fits, and the units."""
        asked = table.node.name, claim
        if asked not in self._tightest:
            self._tightest[asked] = tuple(self._ways(table, claim))
        return self._tightest[asked]

    def _ways(self, table: NodeTable, claim: int) -> Iterator[tuple[int, Option, int]]:
        count, takes = self.claims[claim].count, self.takes[claim]
        for number, group in enumerate(table.groups):
            best: dict[int, Option] = {}
            for option in group.options:
                if option.free and option.slot in takes:
                    known = best.get(option.memory)
                    if known is None or option.slot < known.slot:
                        best[option.memory] = option
            for option in best.values():
                units = -(-count // option.free)
                if units <= group.units:
                    yield number, option, units

    def _suiting(self, claim: int) -> Iterator[int]:
        count = self.claims[claim].count
        for number, table in enumerate(self.nodes):
            if table.admits[claim] and any(table.most.get(slot, 0) >= count for slot in self.fits[claim]):
                yield number

    def _fits(self, claim: LayoutClaim) -> tuple[int, ...]:
        """Slot types that hold a partition of the claim, the smallest first."""
        return tuple(
            index
            for index, (size, mode) in enumerate(self.slots)
            if claim.size <= size <= (claim.most or size) and (not claim.modes or mode in claim.modes)
        )

    def _table(self, node: LayoutNode, number: dict[tuple[int, Mode], int]) -> NodeTable:
        groups = _groups(node, number)
        grouped = {member for group in groups for member in group.members}
        base: dict[int, int] = {}
        for index, gpu in enumerate(node.gpus):
            if index not in grouped and gpu.now.free:
                slot = number[gpu.now.size, gpu.now.mode]
                base[slot] = base.get(slot, 0) + gpu.now.free
        admits = tuple(claim.nodes is None or node.name in claim.nodes for claim in self.claims)
        memories = 1 + max((option.memory for group in groups for option in group.options), default=0)
        return NodeTable(node, groups, base, admits, memories, _most(groups, base))


def _most(groups: Iterable[Group], base: Mapping[int, int]) -> dict[int, int]:
    found: Counter[tuple[int, int]] = Counter()
    for group in groups:
        for option in group.options:
            found[option.memory, option.slot] += group.units * option.free
    most = dict(base)
    for (_, slot), many in found.items():
        most[slot] = max(most.get(slot, 0), base.get(slot, 0) + many)
    return most


def _choices(batch: Batch) -> Iterator[Choice]:
    for node in batch.nodes:
        for gpu in node.gpus:
            yield gpu.now
            yield from gpu.others


def _groups(node: LayoutNode, number: dict[tuple[int, Mode], int]) -> tuple[Group, ...]:
    if node.rests:
        return ()
    if node.alike:
        return _as_one(node, number)
    alike: dict[LayoutGpu, list[int]] = {}
    for index, gpu in enumerate(node.gpus):
        if gpu.others:
            alike.setdefault(LayoutGpu("", gpu.now, gpu.others), []).append(index)
    ways = tuple(under(node))
    return tuple(
        Group(
            members=tuple(members),
            units=len(members),
            bytes=max(each.size * each.free for each in (gpu.now, *gpu.others)) or 1,
            options=tuple(
                Option(memory, number[each.size, each.mode], each.free, index)
                for memory, way in enumerate(ways)
                for index in way[members[0]]
                for each in (chosen(gpu, index),)
            ),
        )
        for gpu, members in alike.items()
    )


def _as_one(node: LayoutNode, number: dict[tuple[int, Mode], int]) -> tuple[Group, ...]:
    """All GPUs in one mode, together. Where they are not the same product nothing is offered but what there is."""
    first = node.gpus[0]
    if not first.others or any((gpu.now, gpu.others) != (first.now, first.others) for gpu in node.gpus):
        return ()
    many = len(node.gpus)
    options = tuple(
        Option(memory, number[each.size, each.mode], each.free * many, index)
        for memory, way in enumerate(under(node))
        for index in way[0]
        for each in (chosen(first, index),)
    )
    size = max(each.size * each.free for each in (first.now, *first.others)) or 1
    return (Group(tuple(range(many)), 1, size * many, options),)
