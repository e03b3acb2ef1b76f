"""Modes for all claims that wait, chosen together, and only where that is worth a change.

What is worth more: bytes placed of the highest priority, then of the next one, and so on; a change costs a little, in
bytes of the lowest priority (`Terms`), so that of equals the one with fewer changes is taken. What is left as it is:
GPUs that somebody holds, memory modes of nodes where somebody holds any GPU, nodes that rest.

Modes that let some claims be placed are changed for others only if that places a good part more (`gain_percent`);
GPUs that no claim can use as they are, for any claim. And so that equal alternatives never flap, an outcome is given
only if the same question, asked once it is carried out, has the answer "change nothing": with all claims still waiting
as well as with the placed ones in their places.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from controller.placement.layouts.draft import Draft, NodeDraft, Terms
from controller.placement.layouts.layout import (
    Indexes,
    Layout,
    NodeChange,
    Seat,
    changed,
    differences,
    indexes,
    resting,
    seated,
    seats,
)
from controller.placement.layouts.problem import Batch
from controller.placement.layouts.rebuild import rebuild
from controller.placement.layouts.search import Effort, search
from controller.placement.layouts.site import Site

_MOST_STEPS: Final = 8
"""Steps after which no settled outcome is expected any more; most batches need two."""

DEFAULT_TERMS: Final = Terms()
DEFAULT_EFFORT: Final = Effort()


def choose(batch: Batch, terms: Terms = DEFAULT_TERMS, effort: Effort = DEFAULT_EFFORT) -> Layout:
    """The modes to change for the claims of the batch, and the places that they then have. Pure and repeatable."""
    work = choosing(batch, terms, effort)
    while True:
        try:
            next(work)
        except StopIteration as done:
            layout: Layout = done.value
            return layout


def choosing(
    batch: Batch, terms: Terms = DEFAULT_TERMS, effort: Effort = DEFAULT_EFFORT
) -> Generator[None, None, Layout]:
    """The same a little at a time: a pause after each round of the search, for who has other things to do as well."""
    worth = _Worth(batch)
    yield
    step = first = yield from _step(batch, terms, effort)
    state, known = batch, first.seats
    for _ in range(_MOST_STEPS):
        if step.changes:
            state, known = changed(state, step.changes), step.seats
        else:
            known = max(known, step.seats, key=worth.of)
            rest = yield from _step(seated(state, known), terms, effort)
            if not rest.changes:
                return _outcome(batch, state, known, first, worth, terms)
            state, known = changed(state, rest.changes), (*known, *rest.seats)
        step = yield from _step(state, terms, effort)
    return Layout((), first.kept, _without(batch, first.kept))


class _Worth:
    """What places are worth, by the weights of the whole batch."""

    def __init__(self, batch: Batch) -> None:
        site = Site(batch)
        self._by_claim = {claim.key: worth for claim, worth in zip(site.claims, site.worth, strict=True)}

    def of(self, placed: tuple[Seat, ...]) -> int:
        """The worth of all these."""
        return sum(self._by_claim[seat.claim] for seat in placed)


@dataclass(frozen=True, slots=True)
class _Step:
    """One search: what it changes and who is where then; `kept` is who is where when nothing changes."""

    changes: Indexes
    seats: tuple[Seat, ...]
    kept: tuple[Seat, ...]


def _step(batch: Batch, terms: Terms, effort: Effort) -> Generator[None, None, _Step]:
    yield
    as_it_is = Site(resting(batch))
    yield
    kept = _as_it_is(Draft(as_it_is, terms))
    yield
    if kept.pool:
        kept = yield from search(kept, replace(effort, rounds=effort.rounds // 4))
    if not kept.pool or not kept.nodes:
        return _Step({}, seats(kept), seats(kept))
    site = Site(batch)
    yield
    free = _as_it_is(Draft(site, terms))
    yield
    start = max(_set_anew(free), _set_anew(Draft(site, terms)), key=lambda draft: draft.score)
    yield
    found = yield from search(start, effort)
    yield
    yield from _undo_needless(found)
    if not _is_worth_it(found, kept, terms):
        found = kept
    return _Step(indexes(found), seats(found), seats(kept))


def _is_worth_it(found: Draft, kept: Draft, terms: Terms) -> bool:
    """Whether the found one places enough more of one priority than the kept one, and no less of any higher one."""
    more, less = found.placed_bytes(), kept.placed_bytes()
    for priority in sorted(more.keys() | less.keys(), reverse=True):
        gain = more[priority] - less[priority]
        if gain < 0:
            return False
        if gain > max(found.cost, less[priority] * terms.gain_percent // 100):
            return True
    return False


def _outcome(batch: Batch, state: Batch, placed: tuple[Seat, ...], first: _Step, worth: _Worth, terms: Terms) -> Layout:
    changes = differences(batch, state)
    if changes and worth.of(placed) - _price(batch, changes, terms) <= worth.of(first.kept):
        changes, placed = (), first.kept
    ordered = tuple(sorted(placed, key=lambda seat: seat.claim))
    return Layout(changes, ordered, _without(batch, ordered))


def _price(batch: Batch, changes: tuple[NodeChange, ...], terms: Terms) -> int:
    memory = {node.name: node.gpus[0].now.mode.memory for node in batch.nodes if node.gpus}
    reloads = sum(change.after[0][1].memory != memory[change.node] for change in changes)
    gpus = sum(len(change.after) for change in changes)
    return terms.gpu_bytes * gpus + terms.node_bytes * len(changes) + terms.reload_bytes * reloads


def _without(batch: Batch, placed: tuple[Seat, ...]) -> tuple[str, ...]:
    there = {seat.claim for seat in placed}
    return tuple(sorted(claim.key for claim in batch.claims if claim.key not in there))


def _as_it_is(draft: Draft) -> Draft:
    """Everybody placed who can be as the modes are."""
    draft.begin()
    for node in draft.nodes:
        draft.touch(node)
        _keep(node)
    draft.fill(draft.nodes)
    draft.settle_cost()
    return draft


def _keep(node: NodeDraft) -> None:
    for number, group in enumerate(node.table.groups):
        present = next(option for option in group.options if option.index == 0)
        node.open(number, present, group.units)


def _set_anew(draft: Draft) -> Draft:
    """What is undecided, set for the claims that have no place."""
    draft.begin()
    for node in draft.nodes:
        draft.touch(node)
    rebuild(draft, draft.nodes, Random(0), noise=0)  # noqa: S311 - no secret, and without noise it changes nothing
    draft.settle_cost()
    return draft


def _undo_needless(draft: Draft) -> Generator[None, None, None]:
    """Changes that bring less than they cost, when everybody there is placed anew, are not made.

    First reloads of a driver, where other modes under the present memory mode do, then all changes of a node, then
    those of single GPUs.
    """
    for number in range(len(draft.nodes)):
        if draft.nodes[number].memory > 0:
            before, mark, node = draft.score, draft.begin(), draft.nodes[number]
            draft.clear(node)
            for each in draft.nodes:
                draft.touch(each)
                each.memory = max(each.memory, 0)
            rebuild(draft, draft.nodes, Random(0), noise=0)  # noqa: S311 - as above
            draft.settle_cost()
            if draft.score < before:
                draft.take_back(mark)
        if draft.nodes[number].cost:
            before, mark, node = draft.score, draft.begin(), draft.nodes[number]
            draft.clear(node)
            _keep(node)
            draft.fill([node])
            draft.settle_cost()
            if draft.score < before:
                draft.take_back(mark)
        if draft.nodes[number].cost and draft.nodes[number].memory == 0:
            yield from _undo_units(draft, number)
        yield


def _undo_units(draft: Draft, number: int) -> Generator[None, None, None]:
    """Changes of units, one by one, where as they are they do as well."""
    for group, option in list(draft.nodes[number].set):
        while option.index and (group, option) in draft.nodes[number].set:
            before, mark, node = draft.score, draft.begin(), draft.nodes[number]
            present = next(each for each in node.table.groups[group].options if each.index == 0)
            there = sorted((claim for claim, takes in node.seated.items() if takes[0] == option.slot), reverse=True)
            draft.close(node, group, option, there)
            node.open(group, present)
            draft.fill([node])
            for each in draft.nodes:
                draft.touch(each)
            rebuild(draft, draft.nodes, Random(0), noise=0)  # noqa: S311 - as above
            draft.settle_cost()
            if draft.score <= before:
                draft.take_back(mark)
                break
            yield
