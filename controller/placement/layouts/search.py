"""The search: clear a few nodes, set them anew, keep what is better, and at first also what is little worse.

A large neighbourhood search with the acceptance of simulated annealing. All chance comes from one seed and the effort
is counted in rounds, not in time, so that equal batches have equal outcomes on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from controller.placement.layouts.draft import Draft, NodeDraft
from controller.placement.layouts.rebuild import rebuild
from controller.placement.layouts.site import Option

_NOISE: Final = (0.0, 0.05, 0.1, 0.3)
_WORSE: Final = 0.03
"""The share of the best worth by which a round may be worse at the beginning; it falls to none at the end."""

_SCALE: Final = 1 << 20
"""A worth can be larger than a float: shares of it are counted in whole numbers of so many parts."""

_CHAIN: Final = 5
"""Nodes that one claim may set in motion, each taking who lost the place on the one before."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to search: `rounds`, unless everybody has a place before and nothing changes. 0: the start alone."""

    rounds: int = 1200
    seed: int = 1


_CAUTION: Final = 0.2
"""How often a cleared node is kept in part as it is."""


def search(start: Draft, effort: Effort) -> Draft:
    """The best draft found from this one on, which is used up; never one with a lower score."""
    draft, chance = start, Random(effort.seed)  # noqa: S311 - no secret: the same batch must have the same outcome
    best, everything = draft.copy(), sum(draft.site.worth)
    for number in range(effort.rounds):
        if not draft.nodes or (best.worth == everything and not best.cost):
            break
        before, mark = draft.score, draft.begin()
        _round(draft, chance)
        draft.settle_cost()
        share = _WORSE * (1 - number / effort.rounds) * chance.random()
        if draft.score < before - best.worth * int(share * _SCALE) // _SCALE:
            draft.take_back(mark)
        elif draft.score > best.score:
            best = draft.copy()
    return best


def _round(draft: Draft, chance: Random) -> None:
    """Clear some nodes, in half of the rounds for a claim without a place, and set them anew."""
    nodes: Sequence[NodeDraft]
    wanted = _wanted(draft, chance) if draft.pool and chance.random() < 0.5 else None
    if wanted is None:
        nodes = chance.sample(draft.nodes, min(len(draft.nodes), chance.choice((1, 2, 2, 3))))
        for node in nodes:
            draft.clear(node)
    else:
        claim, node = wanted
        nodes = _chain(draft, node, claim, chance) if chance.random() < 0.5 else _beside(draft, node, claim, chance)
    for node in nodes:
        if not node.set and chance.random() < _CAUTION:
            _keep_some(node, chance)
    rebuild(draft, nodes, chance, chance.choice(_NOISE))


def _keep_some(node: NodeDraft, chance: Random) -> None:
    """Keep the memory mode of a cleared node, and some of its units as they are: the cheapest change may be none."""
    node.memory = 0
    for number, group in enumerate(node.table.groups):
        present = next(option for option in group.options if option.index == 0)
        node.open(number, present, chance.randint(0, group.units))


def _wanted(draft: Draft, chance: Random) -> tuple[int, NodeDraft] | None:
    """A claim without a place, rather one of much worth, and a node that it may go to."""
    pool = sorted(draft.pool)
    claim = pool[min(chance.randrange(len(pool)), chance.randrange(len(pool)))]
    nodes = [node for node in draft.nodes if node.table.admits[claim]]
    return (claim, chance.choice(nodes)) if nodes else None


def _beside(draft: Draft, first: NodeDraft, claim: int, chance: Random) -> Sequence[NodeDraft]:
    """Put a claim on a node; clear a few more, and sometimes put claims of several partitions there first."""
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


def _chain(draft: Draft, first: NodeDraft, wanted: int, chance: Random) -> Sequence[NodeDraft]:
    """Put a claim on a node, one that lost its several partitions there on another, and so on: the cleared nodes."""
    cleared: list[NodeDraft] = []
    node, claim = first, wanted
    while True:
        there = [each for each in node.seated if draft.site.several[each]]
        draft.clear(node)
        cleared.append(node)
        _force(draft, node, claim, chance)
        lost = [each for each in there if each in draft.pool]
        if not lost or len(cleared) == _CHAIN:
            return cleared
        claim = chance.choice(lost)
        others = [each for each in draft.nodes if each.table.admits[claim] and each not in cleared]
        if not others:
            return cleared
        node = chance.choice(others)


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
