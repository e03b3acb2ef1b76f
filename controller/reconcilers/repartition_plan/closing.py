"""The end of every plan: its agent is done, the exporter runs again, the operation is off the node, places nobody needs
are given up.

Its step in the status is open until that is done, so it is done after a crash as well, and once.
"""

from datetime import datetime
from typing import Any

from api.v1beta1 import RepartitionPlan
from api.v1beta1.repartition_plan import PlanStep, Reservation
from controller.reconcilers.repartition_plan.context import PlanContext
from controller.reconcilers.repartition_plan.finishing import at_work, finished_late
from controller.reconcilers.repartition_plan.operation import clear
from controller.reconcilers.repartition_plan.seen import Seen
from controller.reconcilers.repartition_plan.successors import all_places, still_needed
from controller.reconcilers.repartition_plan.taint import settle_taint
from controller.repartition.phases import HARDWARE, NOT_BEGUN, TERMINAL, Phase
from controller.state.cluster import Cluster

#: Name of the last step.
CLOSING = "Closing"
#: How long an ended plan keeps a place for a successor that does not come, seconds.
KEPT_SECONDS = 600.0
_QUIET = HARDWARE | {Phase.QUIESCING}


def is_closing(plan: RepartitionPlan) -> bool:
    """Whether the plan has ended and is not tidied up yet."""
    steps = plan.status.steps
    return bool(steps) and steps[-1].name == CLOSING and steps[-1].end_time is None


def under_way(plan: RepartitionPlan) -> bool:
    """Whether the plan has begun and is not tidied up yet: nothing else may change its node."""
    phase = Phase(plan.status.phase)
    begun = is_closing(plan) if phase in TERMINAL else phase not in NOT_BEGUN
    return begun and not plan.spec.dry_run


def closing_step(now: datetime) -> PlanStep:
    """The step as it begins."""
    return PlanStep(name=CLOSING, start_time=now)


async def close(context: PlanContext, plan: RepartitionPlan) -> Seen:
    """Tidy up after an ended plan; what is left to record."""
    changes: dict[str, Any] = {}
    if is_closing(plan):
        waits = await _waits(context, plan)
        told: dict[str, Any] = {"message": waits}
        if waits is None:
            await clear(context, plan.spec.node, plan.metadata.uid or "")
            if not _needs_quiet(context.cluster, plan):
                await context.plugins.resume(plan.spec.node)
            told |= {"end_time": context.clock.now(), "result": "Done"}
        changes["steps"] = [*plan.status.steps[:-1], plan.status.steps[-1].model_copy(update=told)]
    kept = still_kept(context, plan)
    if kept != plan.status.reservations:
        changes["reservations"] = kept
    return Seen(None, plan.status.message, changes)


async def _waits(context: PlanContext, plan: RepartitionPlan) -> str | None:
    """What the plan cannot be tidied up for yet; None once the hardware is left alone and is advertised as it is."""
    node = plan.spec.node
    if not await settle_taint(context, node):
        return f"waits: others keep writing node {node}"
    if at_work(context.cluster, plan):
        return f"waits: the agent of node {node} still carries out the plan's last operation"
    ended = finished_late(context.cluster, plan)
    return None if ended is None else await context.plugins.restart(node, ended)


def _needs_quiet(cluster: Cluster, plan: RepartitionPlan) -> bool:
    """Whether another plan of the node wants the exporter away; the informer may show this one as it was."""
    return any(
        other.spec.node == plan.spec.node
        and other.metadata.uid != plan.metadata.uid
        and Phase(other.status.phase) in _QUIET
        for other in cluster.plan_table.values()
    )


def still_kept(context: PlanContext, plan: RepartitionPlan) -> list[Reservation]:
    """The places that an ended plan goes on keeping: those of evicted pods whose successors do not serve yet."""
    ended = next((step.start_time for step in reversed(plan.status.steps) if step.name == CLOSING), None)
    if ended is None or (context.clock.now() - ended).total_seconds() > KEPT_SECONDS:
        return []
    return still_needed(context.cluster, all_places(context.cluster, context.plans), plan.status.reservations)
