"""The search: undo a little, set it anew, keep what is better, and at first also what is little worse.

A large neighbourhood search with the acceptance of simulated annealing. All chance comes from one seed and the effort
is counted in rounds, not in time, so that equal batches have equal outcomes on every machine.
"""

from collections.abc import Generator
from dataclasses import dataclass
from random import Random
from typing import Final

from controller.placement.layouts.draft import Draft
from controller.placement.layouts.moves import change

_WORSE: Final = 0.01
"""The share of the best worth by which a round may be worse at the beginning; it falls to none at the end."""

_SCALE: Final = 1 << 20
"""A worth can be larger than a float: shares of it are counted in whole numbers of so many parts."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to search: `rounds`, unless everybody has a place before and nothing changes. 0: the start alone."""

    rounds: int = 1000
    seed: int = 1


def search(start: Draft, effort: Effort) -> Generator[None, None, Draft]:
    """The best draft found from this one on, which is used up; never one of a lower score. Pauses after each round."""
    draft, chance = start, Random(effort.seed)  # noqa: S311 - no secret: the same batch must have the same outcome
    best, everything = draft.copy(), sum(draft.site.worth)
    for number in range(effort.rounds):
        if not draft.nodes or (best.worth == everything and not best.cost):
            break
        before, mark = draft.score, draft.begin()
        change(draft, chance)
        draft.settle_cost()
        share = _WORSE * (1 - number / effort.rounds) * chance.random()
        if draft.score < before - best.worth * int(share * _SCALE) // _SCALE:
            draft.take_back(mark)
        elif draft.score > best.score:
            best = draft.copy()
        yield
    return best
