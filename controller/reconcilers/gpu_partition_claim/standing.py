"""The mode changes that the demands of a cycle ask for: what bears on them is read once for all, where it counts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from controller.gpu.mode import Mode
from controller.placement.demand import Demand
from controller.placement.ranking import shape_of
from controller.placement.snapshot import Snapshot
from controller.reconcilers.repartition_plan.reservations import unavailable_pods
from controller.repartition.attempts import Change
from controller.repartition.disruption_budget import Refused, Usage
from controller.repartition.division import NO_DIVISION, NOBODY, Division, Pending, divide_first, keep
from controller.repartition.joint import Around, Expected, divides, may_help, propose_jointly
from controller.repartition.phases import TERMINAL, Phase
from controller.repartition.planner import NOTHING_ELSE, Proposal, Standing, propose
from controller.state.attempts import attempts_for, failed_lately
from controller.state.cluster import Cluster
from controller.state.movable import MovablePods
from controller.state.occupancy import admin_held


class Surroundings:
    """The cluster around one snapshot, asked by the demands of one cycle.

    A snapshot gets fuller while a cycle goes on, never emptier, so a change that was refused stays refused for all
    that ask for the same.
    """

    def __init__(self, cluster: Cluster, snapshot: Snapshot, pending: Callable[[], Pending] = lambda: NOBODY) -> None:
        """`pending` is all that waits, asked for where changes may be made at all."""
        self._cluster = cluster
        self._snapshot = snapshot
        self._pending = pending
        self._division: Division | None = None
        self._movable = MovablePods(cluster, snapshot)
        self._refused: dict[Demand, Refused] = {}

    def propose(self, demand: Demand, now: datetime) -> Proposal | Refused:
        """The change that would help a demand, or why there is none."""
        ended = self._cluster.plan_table.ended_for_claim(demand.uid) & self.changing
        if ended:
            return Refused("RepartitionRunning", f"the change of node {min(ended)} for this claim ends at this moment")
        joint = self.division(now).joint
        if demand.key in joint.proposals:
            return joint.proposals[demand.key]
        if demand.key in joint.unserved:
            return Refused("IdleGPUsTaken", "the modes of the idle GPUs are chosen for other claims that wait")
        standing = self._standing(demand.uid, now)
        if not standing.attempts.none:
            return propose(self._snapshot, demand, self._active(), standing)
        alike = replace(shape_of(demand), excluded_nodes=demand.excluded_nodes)
        if alike in self._refused:
            return self._refused[alike]
        found = propose(self._snapshot, demand, self._active(), standing)
        if isinstance(found, Refused):
            self._refused[alike] = found
        return found

    def served(self, demand: Demand, now: datetime) -> Refused | None:
        """The plan, made for another claim, that will give the demand a place; None when there is none."""
        plan = self.division(now).joint.served.get(demand.key)
        if plan is None:
            return None
        return Refused("RepartitionRunning", f"plan {plan} makes a place for this claim, too")

    def division(self, now: datetime) -> Division:
        """What is chosen for all that waits. GPUs of changes that may begin later are given to nobody meanwhile."""
        if self._division is None:
            self._division = self._choose(now) if self._changes else NO_DIVISION
            keep(self._snapshot, self._division.later)
        return self._division

    @property
    def chosen(self) -> bool:
        """Whether that was asked for already."""
        return self._division is not None

    def _choose(self, now: datetime) -> Division:
        around = self._around(now)
        later = replace(around, patient=self.divides)
        if not may_help(self._snapshot, later):
            return NO_DIVISION
        pending = self._pending()
        if pending.wasteful:
            return divide_first(self._snapshot, pending, around)
        waiting = pending.unplaced
        several = len(waiting) > 1 or any(demand.requirement.count > 1 for demand in waiting)
        if not several or not may_help(self._snapshot, around):
            return NO_DIVISION
        return replace(NO_DIVISION, joint=propose_jointly(self._snapshot, waiting, around))

    def _around(self, now: datetime) -> Around:
        plans = self._cluster.plan_table

        def tried(demand: Demand, change: Change) -> bool:
            attempts = attempts_for(plans, demand.uid, now)
            return attempts.rests(change) or attempts.too_many() is not None or failed_lately(plans, change, now)

        usage = Usage(self._active(), self._unavailable)
        return Around(usage, self._expected(), self._admin_held, tried)

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
