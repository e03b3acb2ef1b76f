"""What one round of the search undoes before the nodes are set anew: whole nodes, some units of a node, or chains.

In a chain a claim without a place is put on a node, one that lost its several partitions there on another, and so on.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Final

from controller.placement.layouts.draft import Draft, NodeDraft
from controller.placement.layouts.rebuild import rebuild
from controller.placement.layouts.reseat import reseat
from controller.placement.layouts.site import Option

_NOISE: Final = (0.0, 0.05, 0.1, 0.3)
_CHAIN: Final = 5
"""Nodes that one claim may set in motion, each taking who lost the place on the one before."""

_CAUTION: Final = 0.2
"""How often a cleared node is kept in part as it is."""

_PIECEMEAL: Final = 0.6
"""How often units are undone, rather than nodes: that is the finer change, and the quicker one."""

_STAYING: Final = 0.5
"""How often claims on GPUs that stay as they are leave, rather than units are undone, where a node has both."""

_MOST_UNITS: Final = 4
"""Units of a node that are undone at once."""


def change(draft: Draft, chance: Random) -> None:
    """One round: undo something, and set the nodes anew."""
    nodes = _piecemeal(draft, chance) if chance.random() < _PIECEMEAL else _whole(draft, chance)
    rebuild(draft, nodes, chance, chance.choice(_NOISE))
    reseat(draft)


def _piecemeal(draft: Draft, chance: Random) -> Sequence[NodeDraft]:
    """Undo some units of a few nodes, or as many as a claim without a place needs."""
    wanted = _wanted(draft, chance) if chance.random() < 0.3 else None
    if wanted is not None:
        return _chain(draft, wanted, chance)
    nodes = chance.sample(draft.nodes, min(len(draft.nodes), chance.choice((1, 1, 2, 2, 3))))
    for node in nodes:
        _loosen(draft, node, chance)
    return nodes


def _whole(draft: Draft, chance: Random) -> Sequence[NodeDraft]:
    """Clear some nodes, in half of the rounds for a claim without a place."""
    wanted = _wanted(draft, chance) if chance.random() < 0.5 else None
    nodes: Sequence[NodeDraft]
    if wanted is None:
        nodes = chance.sample(draft.nodes, min(len(draft.nodes), chance.choice((1, 2, 2, 3))))
        for node in nodes:
            draft.clear(node)
    elif chance.random() < 0.5:
        nodes = _chain(draft, wanted, chance, whole=True)
    else:
        nodes = _beside(draft, wanted, chance)
    for node in nodes:
        if not node.set and chance.random() < _CAUTION:
            _keep_some(node, chance)
    return nodes


def _keep_some(node: NodeDraft, chance: Random) -> None:
    """Keep the memory mode of a cleared node, and some of its units as they are: the cheapest change may be none."""
    node.memory = 0
    for number, group in enumerate(node.table.groups):
        present = next(option for option in group.options if option.index == 0)
        units = chance.randint(0, group.units)
        if units:
            node.open(number, present, units)


def _wanted(draft: Draft, chance: Random) -> tuple[int, NodeDraft] | None:
    """A claim without a place, rather one of much worth, and a node that could hold it."""
    pool = [claim for claim in sorted(draft.pool) if draft.site.suiting[claim]]
    if not pool:
        return None
    claim = pool[int(len(pool) * chance.random() ** 2)]
    return claim, draft.nodes[chance.choice(draft.site.suiting[claim])]


def _beside(draft: Draft, wanted: tuple[int, NodeDraft], chance: Random) -> Sequence[NodeDraft]:
    """Put a claim on a node; clear a few more, and sometimes put claims of several partitions there first."""
    claim, first = wanted
    others = [node for node in draft.nodes if node is not first]
    nodes = [first, *chance.sample(others, min(len(others), chance.choice((0, 1, 1, 2))))]
    for node in nodes:
        draft.clear(node)
    _force(draft, first, claim, chance)
    if chance.random() < 0.3:
        several = [each for each in sorted(draft.pool) if draft.site.several[each]]
        for each in chance.sample(several, min(len(several), chance.randint(1, 4))):
            any(_force(draft, node, each, chance) for node in chance.sample(nodes, len(nodes)))
    return nodes


def _chain(draft: Draft, wanted: tuple[int, NodeDraft], chance: Random, *, whole: bool = False) -> Sequence[NodeDraft]:
    """Put a claim on a node, who is lost there on another, and so on: the nodes, cleared or with some units undone."""
    claim, node = wanted
    touched: list[NodeDraft] = []
    while True:
        there = [each for each in node.seated if draft.site.several[each]]
        touched.append(node)
        if whole:
            draft.clear(node)
            _force(draft, node, claim, chance)
        else:
            _squeeze(draft, node, claim, chance)
            if chance.random() < 0.3:
                _loosen(draft, node, chance)
        lost = [each for each in there if each in draft.pool]
        if not lost or len(touched) == _CHAIN:
            return touched
        claim = chance.choice(lost)
        others = [draft.nodes[number] for number in draft.site.suiting[claim]]
        others = [each for each in others if each not in touched]
        if not others:
            return touched
        node = chance.choice(others)


def _loosen(draft: Draft, node: NodeDraft, chance: Random) -> None:
    """Undo a few units of a node; of GPUs that stay as they are a few claims leave."""
    for _ in range(chance.randint(1, _MOST_UNITS)):
        staying = [claim for claim, (slot, _) in node.seated.items() if slot in node.table.base]
        if staying and (not node.set or chance.random() < _STAYING):
            draft.unseat(node, chance.choice(staying))
            continue
        if not node.set:
            return
        group, option = chance.choice(list(node.set))
        _undo(draft, node, group, option, chance)


def _undo(draft: Draft, node: NodeDraft, group: int, option: Option, chance: Random) -> None:
    """Undo one unit: of those who have such partitions the least worth leave, or any."""
    there = sorted((claim for claim, takes in node.seated.items() if takes[0] == option.slot), reverse=True)
    if chance.random() < 0.5:
        chance.shuffle(there)
    draft.close(node, group, option, there)


def _squeeze(draft: Draft, node: NodeDraft, claim: int, chance: Random) -> None:
    """Put a claim on a node and undo no more units for it than it needs; nothing of it where that is not possible."""
    ways = _ways(draft, node, claim)
    if node.table.base and (not ways or chance.random() < _STAYING) and _displace(draft, node, claim, chance):
        return
    if not ways:
        if node.set and chance.random() < 0.5:
            draft.clear(node)
            _force(draft, node, claim, chance)
        return
    place = 0
    while place < len(ways) - 1 and chance.random() < 0.3:
        place += 1
    _, group, option, units = ways[place]
    while node.undecided[group] < units:
        others = [way for way in node.set if way[0] == group and way[1] != option]
        _undo(draft, node, group, _lightest(draft, node, others, chance), chance)
    if units:
        draft.touch(node)
        node.open(group, option, units)
    for each in sorted(node.seated, reverse=True):
        if draft.has_room(node, claim):
            break
        draft.unseat(node, each)
    if draft.has_room(node, claim):
        draft.seat(node, claim, (option.slot, draft.site.claims[claim].count))


def _displace(draft: Draft, node: NodeDraft, claim: int, chance: Random) -> bool:
    """Give a claim partitions of GPUs that stay as they are, of those who have them the least worth or any leave."""
    count, fits = draft.site.claims[claim].count, draft.site.fits[claim]
    slot = next((each for each in fits if node.table.base.get(each, 0) >= count), None)
    if slot is None:
        return False
    there = sorted((each for each, takes in node.seated.items() if takes[0] == slot), reverse=True)
    if chance.random() < 0.3:
        chance.shuffle(there)
    for each in there:
        if node.free.get(slot, 0) >= count and draft.has_room(node, claim):
            break
        draft.unseat(node, each)
    if node.free.get(slot, 0) < count or not draft.has_room(node, claim):
        return False
    draft.seat(node, claim, (slot, count))
    return True


def _ways(draft: Draft, node: NodeDraft, claim: int) -> list[tuple[int, int, Option, int]]:
    """Bytes of a partition, group, option and how many units more a claim needs; the smallest partitions first."""
    site, found = draft.site, []
    count, fits = site.claims[claim].count, site.takes[claim]
    for group, facts in enumerate(node.table.groups):
        for option in facts.options:
            if option.slot in fits and option.free and node.admits(option.memory):
                units = max(0, -(-(count - node.free.get(option.slot, 0)) // option.free))
                if units <= facts.units - node.set.get((group, option), 0):
                    found.append((site.size[option.slot], group, option, units))
    return sorted(found, key=lambda way: way[0])


def _lightest(draft: Draft, node: NodeDraft, ways: Sequence[tuple[int, Option]], chance: Random) -> Option:
    """Mostly the option whose units hold least."""
    if len(ways) > 1 and chance.random() < 0.9:
        load: Counter[int] = Counter()
        for claim, (slot, _) in node.seated.items():
            load[slot] += draft.site.worth[claim]
        return min(ways, key=lambda way: load[way[1].slot] // node.set[way])[1]
    return chance.choice(ways)[1]


def _force(draft: Draft, node: NodeDraft, claim: int, chance: Random) -> bool:
    """Set as many units of a node as the claim needs beside what is free there, and give them to it."""
    if not draft.has_room(node, claim):
        return False
    memories = [memory for memory in range(node.table.memories) if node.admits(memory)]
    for memory in chance.sample(memories, len(memories)):
        plan = _plan(draft, node, claim, memory, chance)
        if plan is None:
            continue
        draft.touch(node)
        for group, option, units in plan:
            node.open(group, option, units)
        takes = draft.takes(node, claim)
        if takes is None:
            raise RuntimeError(f"node {node.table.node.name} was set for claim {claim} and has no room for it")
        draft.seat(node, claim, takes)
        return True
    return False


def _plan(
    draft: Draft, node: NodeDraft, claim: int, memory: int, chance: Random
) -> list[tuple[int, Option, int]] | None:
    """Units to set, mostly those with the smallest partitions that fit; None when the node has not enough of them."""
    count, fits = draft.site.claims[claim].count, draft.site.takes[claim]
    ways: dict[int, list[tuple[int, Option]]] = {}
    for group, facts in enumerate(node.table.groups):
        for option in facts.options:
            if option.memory == memory and option.slot in fits and option.free and node.undecided[group]:
                ways.setdefault(option.slot, []).append((group, option))
    slots, skipped = sorted(ways), 0
    while skipped < len(slots) - 1 and chance.random() < 0.2:
        skipped += 1
    for slot in (*slots[skipped:], *slots[:skipped]):
        missing, plan = count - node.free.get(slot, 0), []
        for group, option in ways[slot]:
            units = min(node.undecided[group], -(-missing // option.free))
            if missing > 0 and units:
                plan.append((group, option, units))
                missing -= units * option.free
        if missing <= 0:
            return plan
    return None
