"""The mode changes that the demands of a cycle ask for: what bears on them is read once for all, where it counts."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Final, TypeVar

from controller.gpu.mode import Mode
from controller.placement.demand import Demand, Resources
from controller.placement.ranking import alike
from controller.placement.snapshot import Node, Snapshot
from controller.placement.steps import Steps, finished
from controller.reconcilers.repartition_plan.reservations import unavailable_pods
from controller.reconcilers.scheduler_counts import SchedulerCounts, Timed
from controller.repartition.attempts import Change
from controller.repartition.disruption_budget import Refused, Usage
from controller.repartition.division import NO_DIVISION, NOBODY, Division, Pending, dividing_first, keep
from controller.repartition.joint import Around, Expected, divides, may_help, proposing_jointly
from controller.repartition.phases import TERMINAL, Phase
from controller.repartition.planner import NOTHING_ELSE, Proposal, Standing, proposing
from controller.state.attempts import attempts_for, failed_lately
from controller.state.cluster import Cluster
from controller.state.movable import MovablePods
from controller.state.occupancy import admin_held

T = TypeVar("T")

_NOTHING_TAKEN: Final = Resources()


def _nobody() -> Steps[Pending]:
    yield from ()
    return NOBODY


def _gpus_of(division: Division) -> Iterator[tuple[str, frozenset[str]]]:
    """The GPUs, by node, that are to be changed for somebody or that somebody waits past."""
    for change in (*division.joint.proposals.values(), *division.later.values()):
        yield change.node, frozenset(bdf for bdf, _ in change.after)
    for waste in division.waits.values():
        yield waste.placed.node.name, frozenset(bdf for _, bdf in waste.gpus)


def _alike(before: Node | None, now: Node | None, gpus: Collection[str]) -> bool:
    """Whether those GPUs are as they were, and the node but for its other GPUs and what pods take of it."""
    if before is None or now is None or before is now:
        return before is now

    def seen(node: Node) -> Node:
        return replace(node, gpus=tuple(gpu for gpu in node.gpus if gpu.bdf in gpus), used=_NOTHING_TAKEN)

    return seen(before) == seen(now)


class Surroundings:
    """The cluster around one snapshot, asked by the demands of one cycle. What takes long is answered in steps.

    A snapshot gets fuller while a cycle goes on, never emptier, so a change that was refused stays refused for all
    that ask for the same.
    """

    def __init__(
        self,
        cluster: Cluster,
        snapshot: Snapshot,
        pending: Callable[[], Steps[Pending]] = _nobody,
        counts: SchedulerCounts | None = None,
    ) -> None:
        """`pending` is all that waits, asked for where changes may be made at all."""
        self._cluster = cluster
        self._snapshot = snapshot
        self._pending = pending
        self._counts = counts or SchedulerCounts()
        self._division: Division | None = None
        self._idle_then: frozenset[tuple[str, str]] = frozenset()
        self._undo_keeping: list[Callable[[], None]] = []
        self._chosen_by: Mapping[str, Expected] = {}
        #: Nobody else has a turn while it is chosen.
        self.hurried = False
        self._movable = MovablePods(cluster, snapshot)
        self._refused: dict[Demand, Refused] = {}

    def propose(self, demand: Demand, now: datetime) -> Proposal | Refused:
        """The change that would help a demand, or why there is none."""
        return finished(self.proposing(demand, now))

    def proposing(self, demand: Demand, now: datetime) -> Steps[Proposal | Refused]:
        """The same in steps."""
        ended = self._cluster.plan_table.ended_for_claim(demand.uid) & self.changing
        if ended:
            return Refused("RepartitionRunning", f"the change of node {min(ended)} for this claim ends at this moment")
        division = yield from self.dividing(now)
        joint = division.joint
        if demand.key in joint.proposals:
            return joint.proposals[demand.key]
        if demand.key in joint.unserved:
            return Refused("IdleGPUsTaken", "the modes of the idle GPUs are chosen for other claims that wait")
        standing = self._standing(demand.uid, now)
        if not standing.attempts.none:
            return (yield from proposing(self._snapshot, demand, self._active(), standing))
        kind = alike(demand)
        if kind in self._refused:
            return self._refused[kind]
        found = yield from proposing(self._snapshot, demand, self._active(), standing)
        if isinstance(found, Refused):
            self._refused[kind] = found
        return found

    def serving(self, demand: Demand, now: datetime) -> Steps[Refused | None]:
        """The plan, made for another claim, that will give the demand a place; None when there is none."""
        division = yield from self.dividing(now)
        plan = division.joint.served.get(demand.key)
        if plan is None:
            return None
        return Refused("RepartitionRunning", f"plan {plan} makes a place for this claim, too")

    def dividing(self, now: datetime) -> Steps[Division]:
        """What is chosen for all that waits. GPUs of changes that may begin later are given to nobody meanwhile.

        It is chosen anew once somebody of this cycle has got a GPU that was idle then and was to be changed.
        """
        chosen = self._division
        if chosen is not None and self._idle_then <= self._idle_of(chosen):
            return chosen
        for undo in self._undo_keeping:
            undo()
        self._chosen_by = self._expected()
        return self._take((yield from self._choosing(now)) if self._changes else NO_DIVISION)

    def _take(self, division: Division) -> Division:
        self._division = division
        self._idle_then = self._idle_of(division)
        self._undo_keeping = keep(self._snapshot, division.later)
        return division

    def _idle_of(self, division: Division) -> frozenset[tuple[str, str]]:
        """The idle ones, by node and address, of the GPUs that are to be changed now."""
        changes = ((self._snapshot.node(each.node), dict(each.after)) for each in division.joint.proposals.values())
        return frozenset(
            (node.name, gpu.bdf)
            for node, after in changes
            if node is not None
            for gpu in node.gpus
            if gpu.bdf in after and self._snapshot.idle(node, gpu)
        )

    def following(self, snapshot: Snapshot, pending: Callable[[], Steps[Pending]]) -> "Surroundings":
        """The same on a later snapshot that differs by what others did meanwhile, with what was found so far.

        What was chosen for all is chosen anew where a GPU that it is about, or its node, is another, or plans are.
        """
        later = Surroundings(self._cluster, snapshot, pending, self._counts)
        later._refused, division = self._refused, self._division
        if division is None or self._chosen_by != self._expected():
            return later
        stands = self._idle_then <= later._idle_of(division)
        if stands and all(
            _alike(self._snapshot.node(name), snapshot.node(name), gpus) for name, gpus in _gpus_of(division)
        ):
            later._chosen_by = self._chosen_by
            later._take(division)
        return later

    def _choosing(self, now: datetime) -> Steps[Division]:
        around = self._around(now)
        later = replace(around, patient=self.divides)
        if not may_help(self._snapshot, later):
            return NO_DIVISION
        pending = yield from self._pending()
        if pending.wasteful:
            return (yield from self._timed(dividing_first(self._snapshot, pending, around)))
        waiting = pending.unplaced
        several = len(waiting) > 1 or any(demand.requirement.count > 1 for demand in waiting)
        if not several or not may_help(self._snapshot, around):
            return NO_DIVISION
        joint = yield from self._timed(proposing_jointly(self._snapshot, waiting, around))
        return replace(NO_DIVISION, joint=joint)

    def _timed(self, choice: Steps[T]) -> Steps[T]:
        return self._counts.timed(Timed.LAYOUTS, choice, self._cluster.clock)

    def _around(self, now: datetime) -> Around:
        plans = self._cluster.plan_table

        def tried(demand: Demand, change: Change) -> bool:
            attempts = attempts_for(plans, demand.uid, now)
            return attempts.rests(change) or attempts.too_many() is not None or failed_lately(plans, change, now)

        usage = Usage(self._active(), self._unavailable)
        return Around(usage, self._expected(), self._admin_held, tried, hurried=self.hurried)

    def _expected(self) -> dict[str, Expected]:
        """What plans will make of their nodes; one that ended counts until the node's agent has told so."""
        found: dict[str, Expected] = {}
        for plan in sorted(self._cluster.plan_table.values(), key=lambda plan: plan.metadata.name):
            node, phase = plan.spec.node, Phase(plan.status.phase)
            comes = phase not in TERMINAL | {Phase.ROLLING_BACK}
            if not plan.spec.dry_run and (comes or (phase is Phase.SUCCEEDED and node in self.changing)):
                modes = {gpu.bdf: Mode.parse(gpu.mode) for gpu in plan.spec.to.gpus}
                found[node] = Expected(plan.metadata.name, modes, asks=phase is Phase.AWAITING_APPROVAL)
        return found

    def _standing(self, claim_uid: str, now: datetime) -> Standing:
        """What bears on a change for a claim. Nothing does where no policy lets the operator change modes."""
        if not self._changes:
            return NOTHING_ELSE
        return Standing(
            unavailable_pods=self._unavailable,
            admin_held=self._admin_held,
            attempts=attempts_for(self._cluster.plan_table, claim_uid, now),
            movable=self._movable,
        )

    @cached_property
    def divides(self) -> bool:
        """Whether idle GPUs are divided for claims that would take too much of them, anywhere."""
        return self._changes and any(map(divides, self._snapshot.nodes))

    @cached_property
    def changing(self) -> frozenset[str]:
        """Nodes that have a GPU in hand. A plan's end and its agent's are seen by two watches, in either order."""
        return frozenset(node.name for node in self._snapshot.nodes if any(gpu.plan for gpu in node.gpus))

    def _active(self) -> tuple[str, ...]:
        """Nodes with a change under way. Not kept: a cycle makes plans."""
        return tuple(sorted(self.changing.union(self._cluster.plan_table.active_nodes())))

    @cached_property
    def _changes(self) -> bool:
        return any(node.policy is not None and node.policy.repartition for node in self._snapshot.nodes)

    @cached_property
    def _unavailable(self) -> int:
        return unavailable_pods(self._cluster, self._cluster.plan_table.values())

    @cached_property
    def _admin_held(self) -> frozenset[tuple[str, str]]:
        return admin_held(self._cluster)
