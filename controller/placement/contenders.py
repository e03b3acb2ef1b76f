"""Every node's best place for a demand, as each scorer ranks it: what a decision was made among. Pure.

The scheduler takes the best of one scorer; here the others are asked as well, so that a person sees what each would
have chosen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from controller.placement.candidates import Choice, best_on
from controller.placement.demand import Demand
from controller.placement.locality import Rank
from controller.placement.scores import Scorer, best_fit
from controller.placement.snapshot import Snapshot

SCORERS: Final[Mapping[str, Scorer]] = MappingProxyType({"best_fit": best_fit})
"""The scorers by name, as tables name their columns."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A node's best place by the scheduler's scorer. `places`: its place from 1 by each scorer, by its name."""

    choice: Choice
    places: Mapping[str, int]


def contenders(
    snapshot: Snapshot, demand: Demand, scorer: Scorer, others: Mapping[str, Scorer] = SCORERS
) -> tuple[Contender, ...]:
    """The nodes that have a place for the demand, the best by `scorer` first."""
    own = {node.name: choice for node in snapshot.nodes if (choice := best_on(snapshot, demand, node, scorer))}
    ranked = {name: _places(snapshot, demand, other, own) for name, other in others.items()}
    found = sorted(own.items(), key=lambda item: item[1].rank)
    return tuple(Contender(choice, {name: places[node] for name, places in ranked.items()}) for node, choice in found)


def _places(snapshot: Snapshot, demand: Demand, scorer: Scorer, own: Mapping[str, Choice]) -> Mapping[str, int]:
    ranks: dict[str, Rank] = {}
    for node in snapshot.nodes:
        choice = best_on(snapshot, demand, node, scorer) if node.name in own else None
        if choice is not None:
            ranks[node.name] = choice.rank
    return {name: place for place, name in enumerate(sorted(ranks, key=lambda name: ranks[name]), start=1)}
