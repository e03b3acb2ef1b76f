"""Nodes that were cleared are set anew: the fullest units of GPUs first.

A column is a way to use free memory of one node: a unit of GPUs in one mode with the claims that fill it best, as many
units as a claim of several partitions needs, or free partitions of GPUs that stay as they are. The column of most
worth a byte is taken, then the next. A column can only get worse while others take claims, so it is looked at again
when it comes first, and no sooner.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol

from controller.placement.layouts.draft import Draft, NodeDraft, Takes
from controller.placement.layouts.site import WASTE, Option

_STAYING: Final = 1.2
"""How much more a byte counts on a GPU that cannot change: nothing else can be made of it."""

_MOST_NODES: Final = 16
"""Nodes on which columns of one claim of several partitions are looked at; more would cost more than they bring."""


class Column(Protocol):
    """A way to use free memory of a node."""

    def rating(self) -> float:
        """Worth a byte, as things are now; 0 when it is no way any more."""

    def take(self) -> bool:
        """Do it; True when the same may be done once more."""


class _Singles:
    """The claims of one partition in the pool, the most worth first, by the slot type that they fit."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._all = [claim for claim in sorted(draft.pool) if not draft.site.several[claim]]
        self._fitting: dict[int, list[int]] = {}

    def best(self, node: NodeDraft, slot: int, most: int) -> tuple[int, list[int]]:
        """Those of most worth that partitions of one type of a node take, at most so many, and their worth."""
        fitting = self._fitting.get(slot)
        if fitting is None:
            takes = self._draft.site.takes
            fitting = self._fitting[slot] = [claim for claim in self._all if slot in takes[claim]]
        pool, admits = self._draft.pool, node.table.admits
        asks, worths = self._draft.site.asks, self._draft.site.worth
        cpu, memory, pods = node.cpu_milli, node.memory_bytes, node.pods
        worth, picked = 0, []
        for claim in fitting:
            if claim not in pool or not admits[claim]:
                continue
            cpu_asked, memory_asked, pods_asked = asks[claim]
            if pods_asked > pods or 0 < cpu_asked > cpu or 0 < memory_asked > memory:
                continue
            picked.append(claim)
            worth += worths[claim]
            if len(picked) == most:
                break
            cpu, memory, pods = cpu - cpu_asked, memory - memory_asked, pods - pods_asked
        return worth, picked


@dataclass(slots=True)
class _Units:
    """One unit in a mode, filled with single partitions."""

    draft: Draft
    node: NodeDraft
    group: int
    option: Option
    singles: _Singles
    bias: float
    picked: list[int]
    seated: int = -1
    last: float = 0.0

    def rating(self) -> float:
        node, option = self.node, self.option
        if not (option.free and node.undecided[self.group] and node.admits(option.memory)):
            return 0
        if self.seated != len(node.seated) or not self.draft.pool.issuperset(self.picked):
            worth, self.picked = self.singles.best(node, option.slot, option.free)
            worth -= len(self.picked) * self.draft.site.size[option.slot] // WASTE
            if option.index:
                worth -= self.draft.terms.gpu_bytes * node.table.groups[self.group].gpus_in_unit
            self.last = self.bias * _ratio(worth, node.table.groups[self.group].bytes)
            self.seated = len(node.seated)
        return self.last

    def take(self) -> bool:
        self.draft.touch(self.node)
        self.node.open(self.group, self.option)
        for claim in self.picked:
            self.draft.seat(self.node, claim, (self.option.slot, 1))
        return self.node.undecided[self.group] > 0


@dataclass(slots=True)
class _Several:
    """As many units as a claim of several partitions needs."""

    draft: Draft
    node: NodeDraft
    group: int
    option: Option
    singles: _Singles
    bias: float
    claim: int
    units: int
    spare: int
    picked: list[int]
    seated: int = -1
    last: float = 0.0

    def rating(self) -> float:
        node, option, draft = self.node, self.option, self.draft
        if not (self.claim in draft.pool and self.units <= node.undecided[self.group] and node.admits(option.memory)):
            return 0
        if not draft.has_room(node, self.claim):
            return 0
        if self.seated != len(node.seated) or not draft.pool.issuperset(self.picked):
            worth = draft.site.worth[self.claim] - draft.site.waste[self.claim][option.slot]
            if self.spare:
                beside, self.picked = self.singles.best(node, option.slot, self.spare)
                worth += beside
            self.last = self.bias * _ratio(worth, self.units * node.table.groups[self.group].bytes)
            self.seated = len(node.seated)
        return self.last

    def take(self) -> bool:
        self.draft.touch(self.node)
        self.node.open(self.group, self.option, self.units)
        self.draft.seat(self.node, self.claim, (self.option.slot, self.draft.site.claims[self.claim].count))
        for claim in self.singles.best(self.node, self.option.slot, self.spare)[1] if self.spare else ():
            self.draft.seat(self.node, claim, (self.option.slot, 1))
        return False


@dataclass(slots=True)
class _Staying:
    """A free partition of a GPU that stays as it is, for a single one."""

    draft: Draft
    node: NodeDraft
    slot: int
    singles: _Singles
    bias: float
    picked: list[int]

    def rating(self) -> float:
        if not self.node.free[self.slot]:
            return 0
        worth, self.picked = self.singles.best(self.node, self.slot, 1)
        return self.bias * _ratio(worth, self.draft.site.size[self.slot])

    def take(self) -> bool:
        self.draft.seat(self.node, self.picked[0], (self.slot, 1))
        return True


@dataclass(slots=True)
class _SeveralStaying:
    """Free partitions of GPUs that stay as they are, for a claim of several."""

    draft: Draft
    node: NodeDraft
    bias: float
    claim: int
    found: Takes | None = None

    def rating(self) -> float:
        draft = self.draft
        if self.claim not in draft.pool or not draft.has_room(self.node, self.claim):
            return 0
        found = draft.takes(self.node, self.claim)
        if found is None:
            return 0
        self.found = found
        return self.bias * _ratio(draft.site.worth[self.claim], draft.site.size[found[0]] * found[1])

    def take(self) -> bool:
        if self.found is not None:
            self.draft.seat(self.node, self.claim, self.found)
        return False


def rebuild(draft: Draft, nodes: Sequence[NodeDraft], chance: Random, noise: float) -> None:
    """Set what is undecided on these nodes for the claims of the pool, then fill what is free anywhere.

    `noise`: by which share at most the rating of a column is raised at random, so that two rebuilds may differ.
    """
    heap = [
        (-rating, number, column)
        for number, column in enumerate(_columns(draft, nodes, chance, noise))
        if (rating := column.rating()) > 0
    ]
    heapq.heapify(heap)
    while heap:
        _, number, column = heap[0]
        rating = column.rating()
        if rating <= 0:
            heapq.heappop(heap)
        elif -rating > heap[0][0]:
            heapq.heapreplace(heap, (-rating, number, column))
        elif not column.take():
            heapq.heappop(heap)
    draft.fill(nodes)


def _columns(draft: Draft, nodes: Sequence[NodeDraft], chance: Random, noise: float) -> Iterator[Column]:
    singles, draw = _Singles(draft), chance.random
    for node in nodes:
        for group, facts in enumerate(node.table.groups):
            for option in facts.options if node.undecided[group] else ():
                yield _Units(draft, node, group, option, singles, 1 + noise * draw(), [])
        for slot in node.table.base:
            yield _Staying(draft, node, slot, singles, _STAYING * (1 + noise * draw()), [])
    several = (claim for claim in sorted(draft.pool) if draft.site.several[claim])
    for place, claim in enumerate(several):
        for node in _some(nodes, place):
            if draft.has_room(node, claim):
                for group, option, units, spare in _tightest(draft, node, claim):
                    bias = 1 + noise * draw()
                    yield _Several(draft, node, group, option, singles, bias, claim, units, spare, [])
                if node.table.base and draft.takes(node, claim) is not None:
                    yield _SeveralStaying(draft, node, _STAYING * (1 + noise * draw()), claim)


def _tightest(draft: Draft, node: NodeDraft, claim: int) -> Iterator[tuple[int, Option, int, int]]:
    """The ways to set undecided units for a claim: group, option, units, and the partitions that are left then."""
    for group, option, units in draft.site.tightest(node.table, claim):
        if units <= node.undecided[group] and node.admits(option.memory):
            yield group, option, units, units * option.free - draft.site.claims[claim].count


def _some(nodes: Sequence[NodeDraft], place: int) -> Iterable[NodeDraft]:
    """All nodes, or another few of many for each claim."""
    many = len(nodes)
    return nodes if many <= _MOST_NODES else [nodes[(place * _MOST_NODES + i) % many] for i in range(_MOST_NODES)]


def _ratio(worth: int, size: int) -> float:
    """Worth a byte. A worth of many priorities is larger than a float can be: only the order counts then."""
    return float(min(worth // size, 1 << 1000)) if worth > 1 << 900 else worth / size
