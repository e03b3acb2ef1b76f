"""ModelScheduler: filter, score, decide; then the next demand, on a snapshot that holds the decisions before it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeVar

from controller.placement import share_group
from controller.placement.candidates import Choice, best_on, refusals_on
from controller.placement.decision import Decision, Placed, Refusal, Unplaced
from controller.placement.demand import Demand
from controller.placement.evenness import evenest
from controller.placement.expectation import Expectation, Known, Shape
from controller.placement.node import Offer
from controller.placement.pod_filters import limited
from controller.placement.precision_support import obstacle_on, obstacle_on_all
from controller.placement.ranking import Ranking, Rankings
from controller.placement.revisions import newest_first
from controller.placement.scores import Scorer, best_fit
from controller.placement.scores_by_policy import ByPolicy
from controller.placement.search import Candidate, Search
from controller.placement.size_text import gib
from controller.placement.snapshot import Node, Snapshot
from controller.placement.steps import Steps

#: Devices that a ResourceClaim can have allocated (Kubernetes, ``AllocationResultsMaxSize``).
MOST_DEVICES: Final = 32
#: The reason of a demand that no GPU could hold, whatever its mode and whoever left it.
TOO_LARGE: Final = "TooLargeForAnyGPU"
#: Nodes that are remembered, those of every shape counted; one takes some 300 bytes.
MOST_REMEMBERED: Final = 300_000
#: Nodes that are looked at of those that tie, for a pod that would rather be spread.
MOST_ALIKE: Final = 16


_AskedT = TypeVar("_AskedT")
_CandidateT = TypeVar("_CandidateT", bound=Candidate)


def order(demands: Iterable[Demand]) -> list[Demand]:
    """Higher priority first, then older, then by key: equal inputs give equal outcomes.

    Of one Deployment's revisions the newest goes first, in the turn that the oldest of its pods has.
    """
    return newest_first(sorted(demands, key=lambda demand: (-demand.priority, demand.created_seconds, demand.key)))


class ModelScheduler:
    """Places demands on snapshots. What it remembers between calls changes no decision, only how fast one is made.

    For that a scorer's answer may depend on the demand's shape (`ranking.shape_of`) and on the one node alone, and be
    the same for partitions that are alike, and for GPUs that are. `remembers` False: for a scorer that asks for more.
    """

    def __init__(
        self, scorer: Scorer = best_fit, *, remembers: bool = True, expectation: Expectation | None = None
    ) -> None:
        self._scorer = scorer
        self._rankings = Rankings(scorer, MOST_REMEMBERED) if remembers else None
        self._expectation = expectation

    @classmethod
    def by_policy(cls, known: Callable[[], Iterable[Known]] = tuple) -> "ModelScheduler":
        """With the scorers that policies name, told of the claims that this scheduler is asked for.

        `known` tells, once, of those there are before it is asked first: by them a scheduler that begins anew goes on
        as the one before.
        """
        expectation = Expectation(known)
        return cls(ByPolicy(expectation), expectation=expectation)

    def expect(self, known: Iterable[Known]) -> None:
        """Have scorers told of claims that are there."""
        if self._expectation is not None:
            self._expectation.tell(known)
        if self._rankings is not None:
            self._rankings.weigh_anew()

    @property
    def expected(self) -> Mapping[Shape, int]:
        """The shapes of the claims that stand for those that are expected, with how often each was seen."""
        return self._expectation.seen if self._expectation is not None else {}

    @property
    def scorer(self) -> Scorer:
        """What ranks the candidates."""
        return self._scorer

    def cycle(self, snapshot: Snapshot, demands: Iterable[Demand]) -> list[tuple[Demand, Decision]]:
        """Decide every demand in order; each `Placed` stays held in the snapshot for those after it."""
        decisions: list[tuple[Demand, Decision]] = []
        for demand in order(demands):
            decision = self.schedule(snapshot, demand)
            if isinstance(decision, Placed):
                snapshot.hold(decision.node, decision.partitions, demand.key, demand.pod.resources, demand.peer)
            decisions.append((demand, decision))
        return decisions

    def schedule(self, snapshot: Snapshot, demand: Demand) -> Decision:
        """The best place for one demand, or why there is none. Changes nothing."""
        shared = demand.shared
        if shared is None:
            return self._alone(snapshot, demand)
        if shared.place is not None:
            return share_group.join(snapshot, demand)
        return share_group.found(lambda first: self._alone(snapshot, first), demand)

    def preparing(self, snapshot: Snapshot, demand: Demand) -> Steps[None]:
        """Have at hand what `schedule` looks at, in steps: the first demand of its kind has it look at every node.

        Changes no decision. Others may be scheduled meanwhile, on other snapshots, too.
        """
        if self._rankings is not None and not snapshot.partial:
            self._observe(demand)
            yield from self._rankings.at(demand).following(snapshot)

    def _observe(self, demand: Demand) -> None:
        if self._expectation is not None and self._expectation.observe(demand) and self._rankings is not None:
            self._rankings.weigh_anew()

    def _alone(self, snapshot: Snapshot, demand: Demand) -> Decision:
        if demand.requirement.count > MOST_DEVICES and not demand.resource:
            return Unplaced("CountUnsupported", _too_many(demand.requirement.count))
        self._observe(demand)
        if self._rankings is None or snapshot.partial:
            return self._decided(_Looked(snapshot, self._scorer), snapshot, demand)
        ranking, closed = self._rankings.of(snapshot, demand), limited(snapshot, demand)
        search = _Remembered(snapshot, self._scorer, ranking, _own_nodes(snapshot, demand), closed)
        return self._decided(search, snapshot, demand)

    def _decided(self, search: "_Looked", snapshot: Snapshot, demand: Demand) -> Decision:
        best = self.choose(search, demand)
        if best is not None and demand.rules is not None and demand.rules.prefers:
            best = evenest(snapshot, demand, search.alike(demand, best))
        return best.placed if best is not None else _explain(snapshot, demand, _summed(search.refusals(demand)))

    def choose(self, search: Search[_AskedT, _CandidateT], asked: _AskedT) -> _CandidateT | None:
        """Of the places that a search finds the best; None when it finds none. All decisions are made here: those of
        the operator on its snapshots, and those of simulations on their tables.
        """
        return min(search.candidates(asked), key=lambda candidate: candidate.order, default=None)


class _Looked:
    """A snapshot of which every node is looked at."""

    def __init__(self, snapshot: Snapshot, scorer: Scorer) -> None:
        self._snapshot = snapshot
        self._scorer = scorer

    def candidates(self, demand: Demand) -> Iterator[Choice]:
        """Each node's best."""
        return self._on(demand, self._snapshot.nodes)

    def alike(self, demand: Demand, best: Choice) -> list[Choice]:
        """The best and others that tie with it, the first by name."""
        ties = (each for each in self.candidates(demand) if each.ties(best))
        return sorted(ties, key=lambda each: each.order)[:MOST_ALIKE]

    def refusals(self, demand: Demand) -> Iterator[Iterable[Refusal]]:
        """By node, why it has no place."""
        return (refusals_on(self._snapshot, demand, node) for node in self._snapshot.nodes)

    def _on(self, demand: Demand, nodes: Iterable[Node]) -> Iterator[Choice]:
        for node in nodes:
            choice = best_on(self._snapshot, demand, node, self._scorer)
            if choice is not None:
                yield choice


class _Remembered(_Looked):
    """A snapshot of which a ranking knows the nodes, but for those that are otherwise for this one demand."""

    def __init__(
        self, snapshot: Snapshot, scorer: Scorer, ranking: Ranking, own: Mapping[str, Node], closed: frozenset[str]
    ) -> None:
        """`closed` nodes have no place for this demand, whatever they have for others of its shape."""
        super().__init__(snapshot, scorer)
        self._ranking = ranking
        self._own = own
        self._closed = closed

    def candidates(self, demand: Demand) -> Iterator[Choice]:
        """The ranking's best, and that of each node it cannot know."""
        best = self._ranking.best(self._others)
        if best is not None:
            yield best
        yield from self._on(demand, self._open)

    def alike(self, demand: Demand, best: Choice) -> list[Choice]:
        """As of every node."""
        known = (*self._ranking.alike(self._others, MOST_ALIKE), *self._on(demand, self._open))
        return sorted((each for each in known if each.ties(best)), key=lambda each: each.order)[:MOST_ALIKE]

    @property
    def _others(self) -> frozenset[str]:
        """The nodes that the ranking cannot know."""
        return self._closed.union(self._own)

    @property
    def _open(self) -> list[Node]:
        """Those of them that may have a place."""
        return [node for name, node in self._own.items() if name not in self._closed]

    def refusals(self, demand: Demand) -> Iterator[Iterable[Refusal]]:
        """As of every node."""
        snapshot, own = self._snapshot, self._others
        for name in snapshot.base.names:
            node = snapshot.node(name) if name in own else None
            yield self._ranking.refusals(snapshot, name) if node is None else refusals_on(snapshot, demand, node)


def _own_nodes(snapshot: Snapshot, demand: Demand) -> Mapping[str, Node]:
    """The nodes on which this very demand, or its owner's pods, are treated otherwise than others of its shape."""
    kept = snapshot.base.kept_for
    names = demand.excluded_nodes.union(*(kept.get(whose, ()) for whose in (demand.owner, demand.uid, demand.service)))
    return {name: node for name in names if (node := snapshot.node(name)) is not None}


def _too_many(count: int) -> str:
    return (
        f"gpuSharing.partition.count: a ResourceClaim takes {MOST_DEVICES} devices at most, asked for are {count}; "
        "lower it and choose larger partitions"
    )


def _summed(nodes: Iterable[Iterable[Refusal]]) -> tuple[Refusal, ...]:
    """A row a reason, the commonest first, each with the example that lacks least, or the first seen."""
    rows: dict[str, Refusal] = {}
    for found in nodes:
        for row in found:
            before = rows.get(row.reason)
            rows[row.reason] = row if before is None else before.plus(row)
    return tuple(sorted(rows.values(), key=lambda row: (-row.count, row.reason)))


Lead = Callable[[Snapshot, Demand], tuple[str, str] | None]


def _no_nodes(snapshot: Snapshot, _demand: Demand) -> tuple[str, str] | None:
    if snapshot.base.offers:
        return None
    return "NoManagedNodes", (
        "no GPU node has reported an inventory yet; label nodes aim.amd.com/managed=true and run the agent there"
    )


def _precision_unsupported(snapshot: Snapshot, demand: Demand) -> tuple[str, str] | None:
    wall = obstacle_on_all(set(snapshot.base.offers), demand.requirement.precision)
    return ("PrecisionUnsupported", wall) if wall else None


def _serving(snapshot: Snapshot, demand: Demand) -> list[Offer]:
    """What the products give that serve the demand's precision, whatever their mode and whoever holds them."""
    precision = demand.requirement.precision
    return [offer for product, offer in snapshot.base.offers.items() if not obstacle_on(product, precision)]


def _mode_unknown(snapshot: Snapshot, demand: Demand) -> tuple[str, str] | None:
    modes = demand.requirement.modes
    reachable = {mode for offer in _serving(snapshot, demand) for mode in offer.modes}
    if not modes or modes & reachable:
        return None
    asked = " or ".join(sorted(map(str, modes)))
    offered = ", ".join(sorted(map(str, reachable)))
    return (
        "ModeUnavailable",
        f"gpuSharing.partition.mode: no GPU here has the mode {asked}; choose one of {offered}",
    )


def _too_large(snapshot: Snapshot, demand: Demand) -> tuple[str, str] | None:
    serving = _serving(snapshot, demand)
    largest = max((offer.largest_bytes for offer in serving), default=0)
    need = demand.requirement.bytes
    if need <= largest:
        return None
    others = len(serving) < len(snapshot.base.offers)
    which = f"the largest GPU here that serves {demand.requirement.precision}" if others else "the largest GPU here"
    count = demand.requirement.count
    whose = "the model needs" if count == 1 else f"each of the model's {count} partitions needs"
    # what of the model would fit is for those to say who can size it
    remedy = "; let fewer members, or smaller models, share a partition" if demand.shared is not None else ""
    return TOO_LARGE, f"{whose} {gib(need)}, {which} has {gib(largest)}{remedy}"


LEADS: tuple[Lead, ...] = (_no_nodes, _precision_unsupported, _mode_unknown, _too_large)


def _explain(snapshot: Snapshot, demand: Demand, refusals: tuple[Refusal, ...]) -> Unplaced:
    for lead in LEADS:
        found = lead(snapshot, demand)
        if found is not None:
            return Unplaced(*found, refusals)
    total = sum(row.count for row in refusals)
    parts = "; ".join(f"{row.count} {row.reason} (e.g. {row.example})" for row in refusals)
    bounded = [row for row in refusals if row.reason == "QuotaExceeded"]
    fitting = [row for row in refusals if row.reason == "PartitionHeld"]
    if bounded and not fitting:
        return Unplaced("QuotaExceeded", bounded[0].example, refusals)
    reason = "NoFreePartition" if fitting else "NoPartitionFits"
    return Unplaced(
        reason,
        f"0 of {total} partitions take {gib(demand.requirement.bytes)} for {demand.key}: {parts}",
        refusals,
    )
