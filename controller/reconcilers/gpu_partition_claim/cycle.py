"""The placement cycle: all waiting demands decided together on one snapshot, in order of priority and age.

Claims are reconciled concurrently, decisions are not: a cycle runs between two awaits, so nothing moves under it, and
what it decides counts at once as an assumption. A demand that found no place is decided again only after something
that could help has changed.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from api.v1beta1 import RepartitionPlan
from controller.placement.decision import Decision, Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.scheduler import ModelScheduler, order
from controller.placement.snapshot import Snapshot
from controller.reconcilers.gpu_partition_claim.standing import Surroundings
from controller.reconcilers.gpu_partition_claim.wishes import plan_for
from controller.repartition.disruption_budget import Refused
from controller.runtime.clock import Clock
from controller.state.assumptions import Assumption
from controller.state.cluster import Cluster
from controller.translate.policy_choice import REASONS, refuse_choice

#: A burst of pods is decided together when it arrives within this time, seconds.
GATHER_SECONDS = 0.002
#: Least time between two cycles over demands that found no place, seconds.
RETRY_SECONDS = 0.1
#: An explanation whose reason stays the same is written anew after this time, seconds.
REFRESH_SECONDS = 10.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision, and the mode change that would help where there is no place. `decided_at` is monotonic seconds."""

    decision: Decision
    plan: RepartitionPlan | None = None
    no_plan: Refused | None = None
    decided_at: float = 0.0


@dataclass(slots=True)
class _Reported:
    reasons: tuple[str, ...]
    at: float


class PlacementCycle:
    """Holds waiting demands and decides them; `enqueue` is called with the key of a claim whose outcome is new."""

    def __init__(
        self, cluster: Cluster, scheduler: ModelScheduler, clock: Clock, enqueue: Callable[[str], None]
    ) -> None:
        self._cluster = cluster
        self.scheduler = scheduler
        self._clock = clock
        self._enqueue = enqueue
        self._new: dict[str, Demand] = {}
        self._waiting: dict[str, Demand] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._reported: dict[str, _Reported] = {}
        self._changed = False
        self._wake = asyncio.Event()

    def submit(self, demand: Demand) -> None:
        """Let the next cycle decide this demand. A demand known already keeps its turn."""
        demand = self._cluster.revisions.marked(demand)
        if self._waiting.get(demand.key) == demand:
            return
        self._new[demand.key] = demand
        self._waiting.pop(demand.key, None)
        self._wake.set()

    def withdraw(self, key: str) -> None:
        """Forget a claim: its demand, its outcome, what was assumed for it."""
        self._discard_outcome(key)
        for table in (self._new, self._waiting, self._reported):
            table.pop(key, None)
        self._cluster.assumptions.forget(key)

    def _discard_outcome(self, key: str) -> None:
        """Drop an outcome that nobody took; a plan it wished for was never made and counts no longer."""
        untaken = self._outcomes.pop(key, None)
        if untaken is not None and untaken.plan is not None:
            self._cluster.plan_table.forget(untaken.plan.metadata.name)

    def take(self, key: str) -> Outcome | None:
        """The outcome for a claim, once; None when nothing was decided since."""
        return self._outcomes.pop(key, None)

    def restore(self, key: str, outcome: Outcome) -> None:
        """Give back an outcome that could not be acted upon yet."""
        self._outcomes.setdefault(key, outcome)

    @property
    def waiting_keys(self) -> tuple[str, ...]:
        """The claims that found no place."""
        return tuple(self._waiting)

    def unplaced(self, key: str) -> Demand | None:
        """The demand of a claim that found no place, as it is known now; None for any other claim."""
        demand = self._waiting.get(key)
        return None if demand is None else self._cluster.revisions.marked(demand)

    def changed(self) -> None:
        """Something changed that could help a waiting demand."""
        if self._waiting or self._new:
            self._changed = True
            self._wake.set()

    @property
    def waiting(self) -> int:
        """How many demands have no place."""
        return len(self._waiting) + len(self._new)

    async def run(self) -> None:
        """Decide whenever there is something to decide, until cancelled."""
        while True:
            await self._wait()
            await self._clock.sleep(GATHER_SECONDS)
            self._wake.clear()
            retry = self._changed
            self._changed = False
            try:
                self.decide(retry=retry)
            except Exception:
                # The worker's edge: one cycle's bug must not end placement; the next change tries again.
                log.exception("placement cycle failed", waiting=self.waiting)
            if retry:
                await self._clock.sleep(RETRY_SECONDS)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(REFRESH_SECONDS if self.waiting else None):
                await self._wake.wait()
        except TimeoutError:
            self._changed = True

    def decide(self, *, retry: bool) -> None:
        """One cycle: new demands, and with `retry` those that found no place before. Synchronous."""
        revisions = self._cluster.revisions  # a ReplicaSet may be seen after its first pod
        demands = order(
            revisions.marked(each) for each in (*self._new.values(), *(self._waiting.values() if retry else ()))
        )
        snapshot = self._cluster.snapshot()
        around = Surroundings(self._cluster, snapshot)
        for demand in demands:
            decision = self._refused_choice(demand) or self.scheduler.schedule(snapshot, demand)
            if isinstance(decision, Placed):
                self._place(snapshot, demand, decision)
                self._new.pop(demand.key, None)
                continue
            outcome = self._wish(snapshot, around, demand, decision)
            if outcome.plan is not None:
                snapshot = self._cluster.snapshot()
                around = Surroundings(self._cluster, snapshot)
            self._wait_on(demand, decision, outcome)
            self._new.pop(demand.key, None)

    def _refused_choice(self, demand: Demand) -> Unplaced | None:
        """Why the policy or class asked for cannot be had: judged at each cycle, so a policy that appears is seen."""
        labels = self._cluster.namespace_labels.get(demand.namespace) or {}
        return refuse_choice(demand, labels, tuple(self._cluster.policy_table.values()))

    def _place(self, snapshot: Snapshot, demand: Demand, decision: Placed) -> None:
        snapshot.hold(decision.node, decision.partitions, demand.key, demand.pod.resources)
        self._cluster.assumptions.add(
            Assumption(demand.key, demand.uid, decision.node.name, decision.ids, demand.pod.resources, demand.resource)
        )
        self._waiting.pop(demand.key, None)
        self._reported.pop(demand.key, None)
        self._discard_outcome(demand.key)
        self._outcomes[demand.key] = Outcome(decision, decided_at=self._clock.monotonic())
        self._enqueue(demand.key)

    def _wish(self, snapshot: Snapshot, around: Surroundings, demand: Demand, decision: Unplaced) -> Outcome:
        """The mode change that would help, if one may be made; it counts as under way at once."""
        plans = self._cluster.plan_table
        if decision.reason in REASONS or plans.for_claim(demand.uid) is not None:
            return Outcome(decision)
        if self._cluster.heartbeats.unsettled(node.name for node in snapshot.nodes):
            return Outcome(decision, no_plan=Refused("InventoryUnknown", "not every agent was heard of yet"))
        proposal = around.propose(demand, self._clock.now())
        if isinstance(proposal, Refused):
            return Outcome(decision, no_plan=proposal)
        awaiting = plans.awaiting_on(proposal.node)
        if awaiting is not None and not proposal.automatic:
            return Outcome(decision, no_plan=Refused("AwaitingApproval", f"plan {awaiting} waits for approval"))
        plan = plan_for(proposal, demand)
        if plans.get(plan.metadata.name) is not None:
            tried = Refused("RepartitionTried", f"plan {plan.metadata.name} was tried for this claim and did not help")
            return Outcome(decision, no_plan=tried)
        plans.assume(plan)
        return Outcome(decision, plan=plan)

    def _wait_on(self, demand: Demand, decision: Unplaced, outcome: Outcome) -> None:
        self._waiting[demand.key] = demand
        wish = outcome.no_plan.reason if outcome.no_plan else ""
        reasons = (decision.reason, wish, *(row.reason for row in decision.refusals))
        now = self._clock.monotonic()
        reported = self._reported.get(demand.key)
        untaken = self._outcomes.get(demand.key)
        if untaken is not None and untaken.plan is not None:
            outcome = replace(outcome, plan=untaken.plan)  # a plan is wished once; it must not be lost unmade
        stale = reported is None or reported.reasons != reasons or now - reported.at >= REFRESH_SECONDS
        if stale or outcome.plan is not None:
            self._reported[demand.key] = _Reported(reasons, now)
            self._outcomes[demand.key] = outcome
            self._enqueue(demand.key)
