"""Who has a place makes way for who is worth more, and looks for another: the modes stay as they are.

The rebuild gives places on a few nodes; everybody else stays. So a small claim may have a large partition elsewhere
while a larger one, for which this round left no room, waits. Here a claim without a place takes that of the one that is
worth least of all whom it can replace, if that is worth less; who lost the place then looks for one in the same way.
Every step raises the worth, so it ends.
"""

from bisect import insort
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
    """Who has partitions, by their slot type. Claims are numbered by their worth: the last one is worth least."""

    def __init__(self, draft: Draft) -> None:
        self.by_slot: dict[int, list[int]] = {}
        self.node: dict[int, NodeDraft] = {}
        by_slot = self.by_slot
        for node in draft.nodes:
            for claim, (slot, _) in node.seated.items():
                if slot in by_slot:
                    by_slot[slot].append(claim)
                else:
                    by_slot[slot] = [claim]
            self.node.update(dict.fromkeys(node.seated, node))
        for holders in by_slot.values():
            holders.sort()

    def least(self) -> int:
        """Who is worth least of all; before the first one where there is nobody."""
        return max((holders[-1] for holders in self.by_slot.values() if holders), default=-1)

    def add(self, node: NodeDraft, claim: int, slot: int) -> None:
        """A claim has a place now."""
        self.node[claim] = node
        insort(self.by_slot.setdefault(slot, []), claim)

    def remove(self, claim: int, slot: int) -> None:
        """A claim has none any more."""
        self.by_slot[slot].remove(claim)


def reseat(draft: Draft) -> None:
    """Let claims without a place, those of most worth first, replace others as long as that raises the worth."""
    if not draft.pool:
        return
    holders, waiting, turn = _Holders(draft), sorted(draft.pool), 0
    least = holders.least()
    lost_theirs: set[int] = set()
    spare: list[NodeDraft] = []
    while turn < len(waiting):
        claim = waiting[turn]
        turn += 1
        way = _free(draft, claim) if claim in lost_theirs else None
        if way is None and claim < least:
            way = _cheapest(draft, holders, claim)
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
    best, most, worth = None, draft.site.worth[claim], draft.site.worth
    replaced = _one if draft.site.claims[claim].count == 1 else _some
    for slot in draft.site.fits[claim]:
        there = holders.by_slot.get(slot)
        if there and worth[there[-1]] < most:
            way = replaced(draft, holders, claim, slot, most)
            if way is not None:
                best, most = way, way.lost
    return best


def _one(draft: Draft, holders: _Holders, claim: int, slot: int, most: int) -> _Way | None:
    worth = draft.site.worth
    for other in reversed(holders.by_slot[slot]):
        if worth[other] >= most:
            return None
        node = holders.node[other]
        if node.table.admits[claim] and _has_room(draft, node, claim, (other,)):
            return _Way(node, slot, (other,), worth[other])
    return None


def _some(draft: Draft, holders: _Holders, claim: int, slot: int, most: int) -> _Way | None:
    """Those of least worth on each node, until enough is free there."""
    worth, count = draft.site.worth, draft.site.claims[claim].count
    there: dict[int, tuple[int, int, tuple[int, ...]]] = {}
    for other in reversed(holders.by_slot[slot]):
        if worth[other] >= most:
            return None
        node = holders.node[other]
        if node.table.admits[claim]:
            free, lost, leaving = there.get(node.number) or (node.free[slot], 0, ())
            free, lost, leaving = free + node.seated[other][1], lost + worth[other], (*leaving, other)
            there[node.number] = free, lost, leaving
            if free >= count and lost < most and _has_room(draft, node, claim, leaving):
                return _Way(node, slot, leaving, lost)
    return None


def _has_room(draft: Draft, node: NodeDraft, claim: int, leaving: tuple[int, ...]) -> bool:
    """Whether CPU, memory and pods for the claim are left once others have gone."""
    asks = draft.site.asks
    cpu_milli, memory_bytes, pods = asks[claim]
    free_cpu, free_memory, free_pods = node.cpu_milli, node.memory_bytes, node.pods
    for each in leaving:
        cpu, memory, one = asks[each]
        free_cpu, free_memory, free_pods = free_cpu + cpu, free_memory + memory, free_pods + one
    return (
        (cpu_milli <= free_cpu or not cpu_milli)
        and (memory_bytes <= free_memory or not memory_bytes)
        and pods <= free_pods
    )
