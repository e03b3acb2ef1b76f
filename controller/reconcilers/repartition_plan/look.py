"""One look at a plan: what its phase finds and does, and what holds in every phase (cancelled, paused, expired)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from api.v1beta1 import RepartitionPlan
from controller.reconcilers.repartition_plan.apply import apply_change, observe_operation
from controller.reconcilers.repartition_plan.approval import confirmed, observe_approval
from controller.reconcilers.repartition_plan.context import PlanContext
from controller.reconcilers.repartition_plan.drain import drain, observe_draining
from controller.reconcilers.repartition_plan.quiesce import observe_quiescing, quiesce
from controller.reconcilers.repartition_plan.rollback import observe_rollback, roll_back
from controller.reconcilers.repartition_plan.seen import Seen
from controller.reconcilers.repartition_plan.verify import observe_verifying, verify
from controller.repartition.phases import DEADLINE_SECONDS, HARDWARE, NOT_BEGUN, Event, Phase
from controller.state.cluster import Cluster

#: What a pause lets happen before the hardware is touched: an end, or the wait for a person.
_IN_A_PAUSE = frozenset({Event.REFUSED, Event.APPROVAL_NEEDED})
#: Phases that can be come to again and whose deadline counts from the first time.
_FROM_THE_FIRST = frozenset({Phase.DRAINING, Phase.ROLLING_BACK})


async def _nothing(context: PlanContext, plan: RepartitionPlan) -> Seen:
    return observe_approval(context.cluster, plan)


@dataclass(frozen=True, slots=True)
class Step:
    """A phase: `observe` reads the informers alone; `act` does what the phase is for, again and again if need be."""

    observe: Callable[[Cluster, RepartitionPlan], Seen]
    act: Callable[[PlanContext, RepartitionPlan], Awaitable[Seen]]


STEPS: Mapping[Phase, Step] = {
    Phase.PENDING: Step(observe_approval, _nothing),
    Phase.AWAITING_APPROVAL: Step(observe_approval, _nothing),
    Phase.DRAINING: Step(observe_draining, drain),
    Phase.QUIESCING: Step(observe_quiescing, quiesce),
    Phase.APPLYING: Step(observe_operation, apply_change),
    Phase.RELOADING: Step(observe_operation, apply_change),
    Phase.VERIFYING: Step(observe_verifying, verify),
    Phase.ROLLING_BACK: Step(observe_rollback, roll_back),
}


async def look(context: PlanContext, plan: RepartitionPlan, holds: str | None = None) -> Seen:
    """What has happened to a plan that is under way; its phase's work is done on the way.

    What was observed goes before the deadline: a change that succeeded while nobody looked has succeeded. Nobody is
    disturbed after the deadline. `holds`: a sentence that keeps the phase from acting, None when nothing does.
    """
    phase = Phase(plan.status.phase)
    if plan.spec.rollback and phase is not Phase.ROLLING_BACK:
        untouched = "" if phase in HARDWARE else ": nothing was changed"
        return Seen(Event.CANCELLED, f"Cancelled by spec.rollback{untouched}")
    seen = STEPS[phase].observe(context.cluster, plan)
    if phase in NOT_BEGUN and seen.event is Event.REFUSED:
        return await confirmed(context, plan, seen)
    if phase not in HARDWARE and seen.event not in _IN_A_PAUSE and paused(context.cluster, plan):
        return Seen(None, f"node {plan.spec.node} or its policy is paused")
    late = expired(context, plan, phase)
    if seen.event is None and (late is None or phase in HARDWARE):
        seen = await STEPS[phase].act(context, plan) if holds is None else Seen(None, holds)
    return Seen(Event.EXPIRED, f"{late}: {seen.message}", seen.changes) if seen.event is None and late else seen


def paused(cluster: Cluster, plan: RepartitionPlan) -> bool:
    """Whether the plan's node or the policy that rules it is paused."""
    node = cluster.snapshot().node(plan.spec.node)
    return node is not None and (node.paused or (node.policy is not None and node.policy.paused))


def expired(context: PlanContext, plan: RepartitionPlan, phase: Phase) -> str | None:
    """That the phase took too long, as a sentence; None while it has time."""
    limit = DEADLINE_SECONDS[phase]
    steps = plan.status.steps if phase in _FROM_THE_FIRST else list(reversed(plan.status.steps))
    began = next((step.start_time for step in steps if step.name == phase.value), None)
    if limit is None or began is None or (context.clock.now() - began).total_seconds() <= limit:
        return None
    return f"{phase} took longer than {limit:.0f} s"
