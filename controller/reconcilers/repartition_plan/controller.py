"""The plan reconciler: observe, step through the transition table, record, then act on what is recorded."""

from collections.abc import Callable

from api.v1beta1 import RepartitionPlan
from controller.reconcilers.repartition_plan.approval import must_not
from controller.reconcilers.repartition_plan.begin import held_up
from controller.reconcilers.repartition_plan.closing import close, is_closing
from controller.reconcilers.repartition_plan.context import PlanContext
from controller.reconcilers.repartition_plan.holders import are, holders_of
from controller.reconcilers.repartition_plan.impact import impact
from controller.reconcilers.repartition_plan.latest import LatestPlans
from controller.reconcilers.repartition_plan.leftovers import tidy_nodes
from controller.reconcilers.repartition_plan.look import look
from controller.reconcilers.repartition_plan.plugins import NodePlugins, NoPlugins
from controller.reconcilers.repartition_plan.record import Record
from controller.reconcilers.repartition_plan.seen import Seen
from controller.reconcilers.repartition_plan.taint import keep_taint
from controller.reconcilers.scheduler_counts import SchedulerCounts
from controller.repartition.phases import NOT_BEGUN, TERMINAL, Event, Phase, step
from controller.runtime.client.client import Client
from controller.runtime.client.errors import Conflict
from controller.runtime.clock import Clock
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.reconcile import Request, Result
from controller.state.cluster import Cluster

#: A plan that waits is looked at again after this many seconds, besides every event.
LOOK_AGAIN_SECONDS = 2.0
SOON_SECONDS = 0.2
#: So often a report for a person is made anew, and an ended plan that still keeps a place is looked at, seconds.
REPORT_AGAIN_SECONDS = 10.0


class RepartitionPlanReconciler:
    """Takes one plan one step further at each call. `plugins`: AMD's own pods on the nodes.

    `lost` tells of a plan that nobody has approved yet why nothing is gained by it any more, None while something is.
    """

    def __init__(
        self,
        client: Client,
        cluster: Cluster,
        recorder: EventRecorder,
        clock: Clock,
        counts: SchedulerCounts,
        *,
        plugins: NodePlugins | None = None,
        lost: Callable[[RepartitionPlan], str | None] = lambda _: None,
    ) -> None:
        self._cluster = cluster
        self._lost = lost
        plans = LatestPlans(cluster.plan_table)
        self._context = PlanContext(client, cluster, plans, plugins or NoPlugins(), clock, counts)
        self._record = Record(self._context, recorder)

    async def reconcile(self, request: Request) -> Result:
        """Act on the recorded phase, observe, record the next. What was recorded is acted upon once it is shown."""
        plan = self._cluster.plan_table.get(request.name)
        if plan is None:
            self._context.plans.forget(request.name)
            left = await tidy_nodes(self._context)
            return Result(requeue_after=LOOK_AGAIN_SECONDS) if left is not None else Result()
        if not plan.metadata.uid or plan.metadata.deletion_timestamp is not None:
            return Result()
        if self._context.plans.overtaken(plan):
            return Result(requeue_after=SOON_SECONDS)
        try:
            return await self._step(plan)
        except Conflict:
            return Result(requeue_after=SOON_SECONDS)

    async def _step(self, plan: RepartitionPlan) -> Result:
        phase = Phase(plan.status.phase)
        if phase in TERMINAL:
            return await self._close(plan)
        if plan.spec.dry_run:
            await self._record.note(plan, self._rehearsed(plan))
            return Result(requeue_after=REPORT_AGAIN_SECONDS)
        lost = self._lost(plan) if phase in NOT_BEGUN and not plan.spec.approved else None
        if lost is not None:
            await self._record.move(plan, Event.REFUSED, Seen(Event.REFUSED, lost, reason="GainLost"))
            return Result(requeue_after=SOON_SECONDS)
        holds = await keep_taint(self._context, plan) if phase not in NOT_BEGUN else None
        seen = self._at_the_start(plan, await look(self._context, plan, holds))
        if seen.event is not None:
            await self._record.move(plan, seen.event, seen)
            return Result(requeue_after=SOON_SECONDS)
        noted = await self._record.note(plan, seen)
        if noted is not plan and seen.changes:
            return Result(requeue_after=SOON_SECONDS)
        for_a_person = phase is Phase.AWAITING_APPROVAL and not plan.spec.approved
        return Result(requeue_after=REPORT_AGAIN_SECONDS if for_a_person else LOOK_AGAIN_SECONDS)

    def _at_the_start(self, plan: RepartitionPlan, seen: Seen) -> Seen:
        """Before a plan begins: whom it affects, and whether the rules let it begin now."""
        phase = Phase(plan.status.phase)
        if phase not in NOT_BEGUN or (seen.event is not None and step(phase, seen.event) in TERMINAL):
            return seen
        affects = impact(self._cluster, plan)
        begins = seen.event is not None and step(phase, seen.event) is Phase.DRAINING
        waits = held_up(self._cluster, self._context.plans, plan) if begins else None
        if waits is not None:
            return Seen(None, waits, affects.changes)
        message = seen.message if begins else f"{seen.message}; {affects.message}"
        return Seen(seen.event, message, affects.changes)

    def _rehearsed(self, plan: RepartitionPlan) -> Seen:
        """What a person who approves the plan would see, and what stands in its way."""
        affects, refused = impact(self._cluster, plan), must_not(self._cluster, plan)
        if refused is not None:
            message = f"dry run, nothing is changed: the plan would end as Failed: {refused.message}"
            return Seen(None, message, affects.changes)
        holders, waits = holders_of(self._cluster, plan), held_up(self._cluster, self._context.plans, plan)
        busy = f"{are(holders)} in use" if holders else "every GPU of the plan is idle"
        told = [affects.message] if waits is None else [affects.message, f"now it {waits}"]
        return Seen(None, f"dry run, nothing is changed: {'; '.join([busy, *told])}", affects.changes)

    async def _close(self, plan: RepartitionPlan) -> Result:
        noted = await self._record.note(plan, await close(self._context, plan))
        if is_closing(noted):
            return Result(requeue_after=SOON_SECONDS)
        return Result(requeue_after=REPORT_AGAIN_SECONDS) if noted.status.reservations else Result()
