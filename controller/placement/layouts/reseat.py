"""Who has a place makes way for who is worth more, and looks for another: the modes stay as they are.

The rebuild gives places on a few nodes; everybody else stays. So a small claim may have a large partition elsewhere while
a larger one, for which this round left no room, waits. Here a claim without a place takes that of the one that is worth
least of all whom it can replace, if that is worth less; who lost the place then looks for one in the same way. Every step
raises the worth, so it ends.
"""

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass

from controller.placement.layouts.draft import Draft, NodeDraft


@dataclass(frozen=True, slots=True)
class _Way:
    """Partitions of one slot type of a node, once those `leaving` are gone, who are worth `lost` together."""

    node: NodeDraft
    slot: int
    leaving: tuple[int, ...] = ()
    lost: int = 0


class _Holders:
    """Who has partitions, by their slot type, those of least worth first: pairs of worth and claim."""

    def __init__(self, draft: Draft) -> None:
        self._worth = draft.site.worth
        self._node: dict[int, NodeDraft] = {}
        self._by_slot: dict[int, list[tuple[int, int]]] = {}
        for node in draft.nodes:
            for claim, (slot, _) in node.seated.items():
                self._node[claim] = node
                self._by_slot.setdefault(slot, []).append((self._worth[claim], claim))
        for holders in self._by_slot.values():
            holders.sort()

    def below(self, slot: int, worth: int) -> Iterator[tuple[int, int, NodeDraft]]:
        """Who has partitions of that type and is worth less: worth, claim and node, the least first."""
        for there, claim in self._by_slot.get(slot, ()):
            if there >= worth:
                return
            yield there, claim, self._node[claim]

    def add(self, node: NodeDraft, claim: int, slot: int) -> None:
        """A claim has a place now."""
        self._node[claim] = node
        insort(self._by_slot.setdefault(slot, []), (self._worth[claim], claim))

    def remove(self, claim: int, slot: int) -> None:
        """A claim has none any more."""
        self._by_slot[slot].remove((self._worth[claim], claim))


def reseat(draft: Draft) -> None:
    """Let claims without a place, those of most worth first, replace others as long as that raises the worth."""
    holders, waiting, turn = _Holders(draft), sorted(draft.pool), 0
    lost_theirs: set[int] = set()
    spare: list[NodeDraft] = []
    while turn < len(waiting):
        claim = waiting[turn]
        turn += 1
        way = (_free(draft, claim) if claim in lost_theirs else None) or _cheapest(draft, holders, claim)
        if way is None:
            continue
        for each in way.leaving:
            holders.remove(each, way.slot)
            draft.unseat(way.node, each)
            lost_theirs.add(each)
            insort(waiting, each, lo=turn)
        draft.seat(way.node, claim, (way.slot, draft.site.claims[claim].count))
        holders.add(way.node, claim, way.slot)
        if way.leaving and way.node.free[way.slot]:
            spare.append(way.node)
    if spare:
        draft.fill(spare)


def _free(draft: Draft, claim: int) -> _Way | None:
    """The tightest free partitions."""
    ways = (
        _Way(node, takes[0])
        for node in draft.nodes
        if draft.has_room(node, claim) and (takes := draft.takes(node, claim)) is not None
    )
    return min(ways, key=lambda way: draft.site.size[way.slot], default=None)


def _cheapest(draft: Draft, holders: _Holders, claim: int) -> _Way | None:
    """Those to replace who are worth least, and less than the claim."""
    best, most = None, draft.site.worth[claim]
    one = draft.site.claims[claim].count == 1
    for slot in draft.site.fits[claim]:
        way = _least(draft, holders, claim, slot, most) if one else _several(draft, holders, claim, slot, most)
        if way is not None:
            best, most = way, way.lost
    return best


def _least(draft: Draft, holders: _Holders, claim: int, slot: int, most: int) -> _Way | None:
    for worth, other, node in holders.below(slot, most):
        if node.table.admits[claim] and _has_room(draft, node, claim, (other,)):
            return _Way(node, slot, (other,), worth)
    return None


def _several(draft: Draft, holders: _Holders, claim: int, slot: int, most: int) -> _Way | None:
    """Those of least worth on each node, until enough is free there."""
    count, there = draft.site.claims[claim].count, dict[int, tuple[int, int, tuple[int, ...]]]()
    for worth, other, node in holders.below(slot, most):
        if node.table.admits[claim]:
            free, lost, leaving = there.get(node.number, (node.free.get(slot, 0), 0, ()))
            free, lost, leaving = free + node.seated[other][1], lost + worth, (*leaving, other)
            there[node.number] = free, lost, leaving
            if free >= count and lost < most and _has_room(draft, node, claim, leaving):
                return _Way(node, slot, leaving, lost)
    return None


def _has_room(draft: Draft, node: NodeDraft, claim: int, leaving: tuple[int, ...]) -> bool:
    """Whether CPU, memory and pods for the claim are left once others have gone."""
    asks = draft.site.asks
    cpu, memory, pods = (asked - sum(asks[each][i] for each in leaving) for i, asked in enumerate(asks[claim]))
    asked_cpu, asked_memory, _ = asks[claim]
    return (
        (cpu <= node.cpu_milli or not asked_cpu)
        and (memory <= node.memory_bytes or not asked_memory)
        and pods <= node.pods
    )
