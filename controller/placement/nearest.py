"""The nearest single change that would place a demand: every change that is offered has been tried and does.

    a node that refuses -> the reasons -> the changes that can mend them (changes/table.py) -> tried on a copy -> offers

A change is tried by the same filters and the same scorer that place the demand. On up to `THOROUGH_NODES` nodes every
change of every kind is tried, so the first offer is the cheapest there is; on more, a node is asked only for changes
that could be cheaper than the best known, and no more than `MOST_NODES` are asked. It pauses after each node.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from controller.placement.candidates import Choice, best_on, refusals_on
from controller.placement.changes.change import Change, Cost, as_tried
from controller.placement.changes.look import NOTHING_KNOWN, Circumstances, Look
from controller.placement.changes.smaller import trying_smaller
from controller.placement.changes.table import MENDS, Mend
from controller.placement.demand import Demand
from controller.placement.scores import Scorer, best_fit
from controller.placement.snapshot import Node, Snapshot
from controller.placement.steps import Steps, finished

#: Up to so many nodes nothing is left out.
THOROUGH_NODES: Final = 64
#: Nodes that are asked for changes at most, those with the cheapest prospects first.
MOST_NODES: Final = 256


@dataclass(frozen=True, slots=True)
class Offer:
    """A change, and the place that the demand would get by it."""

    change: Change
    choice: Choice

    @property
    def cost(self) -> Cost:
        """The change's."""
        return self.change.cost


def nearest(
    snapshot: Snapshot, demand: Demand, around: Circumstances = NOTHING_KNOWN, scorer: Scorer = best_fit
) -> tuple[Offer, ...]:
    """What would place a demand without a place, the cheapest first, one offer a kind. The snapshot stays as it is."""
    return finished(seeking_nearest(snapshot, demand, around, scorer))


def seeking_nearest(
    snapshot: Snapshot, demand: Demand, around: Circumstances = NOTHING_KNOWN, scorer: Scorer = best_fit
) -> Steps[tuple[Offer, ...]]:
    """The same in steps."""
    search = _Search(snapshot, demand, around, scorer)
    yield from search.smaller()
    yield from search.nodes()
    return tuple(sorted(search.found.values(), key=lambda offer: offer.cost))


@dataclass(frozen=True, slots=True)
class _Prospect:
    node: Node
    mends: tuple[Mend, ...]

    @property
    def order(self) -> tuple[int, str]:
        return min(mend.rank for mend in self.mends), self.node.name


class _Search:
    """Keeps the cheapest offer of each kind."""

    def __init__(self, snapshot: Snapshot, demand: Demand, around: Circumstances, scorer: Scorer) -> None:
        self._snapshot = snapshot
        self._demand = demand
        self._around = around
        self._scorer = scorer
        self._thorough = len(snapshot.nodes) <= THOROUGH_NODES
        self.found: dict[str, Offer] = {}

    def smaller(self) -> Steps[None]:
        """Ask for less of the model."""
        ways = self._around.smaller(self._demand)
        yield
        changes = yield from trying_smaller(self._snapshot, self._demand, ways, self._scorer)
        for change in changes:
            choice = yield from self._anywhere(change.on_demand(self._demand))
            if choice is not None:
                self._keep(Offer(change, choice))

    def nodes(self) -> Steps[None]:
        """Ask each node that refuses what would mend it."""
        prospects = yield from self._prospects()
        prospects.sort(key=lambda each: each.order)
        for prospect in prospects if self._thorough else prospects[:MOST_NODES]:
            yield from self._ask(prospect)

    def _prospects(self) -> Steps[list[_Prospect]]:
        found = []
        for node in self._snapshot.nodes:
            rows = refusals_on(self._snapshot, self._demand, node)
            mends = tuple(dict.fromkeys(mend for row in rows for mend in MENDS.get(row.reason, ())))
            if mends:
                found.append(_Prospect(node, mends))
            yield
        return found

    def _ask(self, prospect: _Prospect) -> Steps[None]:
        worth = [mend for mend in prospect.mends if self._thorough or mend.rank <= self._best_rank]
        if not worth:
            return
        node = as_tried(self._snapshot, prospect.node)
        look = Look(node, self._demand, self._takes, self._around, self._quota_used(node))
        for mend in worth:
            for change in mend.generate(look):
                self._offer(change, node)
                yield
            yield

    def _offer(self, change: Change, node: Node) -> None:
        known = self.found.get(change.kind)
        if known is not None and known.cost < change.cost:
            return
        choice = self._tried(change.on_node(node), change.on_demand(self._demand))
        if choice is not None:
            self._keep(Offer(change, choice))

    def _takes(self, node: Node) -> bool:
        return self._tried(node, self._demand) is not None

    def _quota_used(self, node: Node) -> int:
        return self._snapshot.quota_used(node.policy.name if node.policy is not None else "", self._demand.namespace)

    def _tried(self, node: Node, demand: Demand) -> Choice | None:
        """The place on a node that exists on paper only; what is decided of one node depends on no other."""
        return best_on(self._snapshot.beside(node), demand, node, self._scorer)

    def _anywhere(self, demand: Demand) -> Steps[Choice | None]:
        best = None
        for node in self._snapshot.nodes:
            choice = best_on(self._snapshot, demand, node, self._scorer)
            if choice is not None and (best is None or choice.rank < best.rank):
                best = choice
            yield
        return best

    def _keep(self, offer: Offer) -> None:
        known = self.found.get(offer.change.kind)
        if known is None or (offer.cost, offer.choice.order) < (known.cost, known.choice.order):
            self.found[offer.change.kind] = offer

    @property
    def _best_rank(self) -> int:
        return min((offer.cost.rank for offer in self.found.values()), default=len(MENDS))


def cheapest(offers: Iterable[Offer]) -> Offer | None:
    """The first of some offers by cost, None when there are none."""
    found: Sequence[Offer] = sorted(offers, key=lambda offer: offer.cost)
    return found[0] if found else None
