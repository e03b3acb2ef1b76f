"""The way back to the layout that a plan started from, for the GPUs that are still there."""

from datetime import datetime

from api.v1beta1 import RepartitionPlan
from api.v1beta1.gpu_node import OperationPhase, OperationProgress
from controller.reconcilers.repartition_plan.apply import (
    BUSY,
    MOST_ATTEMPTS,
    progress_of,
    told,
    waits_for_agent,
    without_node,
)
from controller.reconcilers.repartition_plan.context import PlanContext
from controller.reconcilers.repartition_plan.holders import are, holders_of
from controller.reconcilers.repartition_plan.operation import attempts, living, lost, order
from controller.reconcilers.repartition_plan.seen import Seen
from controller.reconcilers.repartition_plan.verify import other_mode, settled
from controller.repartition.phases import Event, Phase
from controller.state.cluster import Cluster

#: Between the end of one attempt and the next, seconds: the last one comes when what passes by itself has passed.
PAUSE_SECONDS = (5.0, 120.0)


def observe_rollback(cluster: Cluster, plan: RepartitionPlan) -> Seen:
    """How far the agent has come on the way back."""
    node = cluster.gpu_node_table.get(plan.spec.node)
    if node is None:
        return without_node(cluster, plan.spec.node)
    progress = progress_of(cluster, plan)
    if progress is None:
        return Seen(None, waits_for_agent(cluster, plan.spec.node))
    match progress.phase:
        case OperationPhase.SUCCEEDED:
            other = other_mode(node, living(node, plan.spec.from_))
            return Seen(None, "the modes are as before") if other is None else _again(cluster, plan, progress, other)
        case OperationPhase.FAILED:
            return _again(cluster, plan, progress, progress.message or "the agent could not change the modes back")
        case _:
            return Seen(None, told(cluster, plan.spec.node, progress))


def _again(cluster: Cluster, plan: RepartitionPlan, progress: OperationProgress, why: str) -> Seen:
    made = attempts(plan, Phase.ROLLING_BACK)
    if made >= MOST_ATTEMPTS:
        return Seen(Event.APPLY_FAILED, why)
    holders = holders_of(cluster, plan) if progress.message.startswith(BUSY) else []
    if holders:
        return Seen(None, f"waits to go back until {are(holders)} idle")
    ended = progress.end_time
    pause = PAUSE_SECONDS[min(made, len(PAUSE_SECONDS)) - 1]
    if ended is not None and (cluster.clock.now() - ended).total_seconds() < pause:
        return Seen(None, f"tries again {pause:.0f} s after the last attempt: {why}")
    return Seen(Event.RETRIED, why)


async def roll_back(context: PlanContext, plan: RepartitionPlan) -> Seen:
    """Order the way back; once the agent has gone it, make AMD's plugins see the former layout.

    A GPU that was lost meanwhile has until the last attempt to come back. Without it the way back ends as failed: the
    others serve as before, and a person has to mend that one.
    """
    # all of one moment: while orders are given, a GPU may come back in another mode
    node, progress = context.cluster.gpu_node_table.get(plan.spec.node), progress_of(context.cluster, plan)
    seen = observe_rollback(context.cluster, plan)
    if not await order(context, plan):
        return Seen(None, "waits: the plan or its node has changed")
    if node is None or progress is None or progress.phase is not OperationPhase.SUCCEEDED:
        return seen
    former = living(node, plan.spec.from_)
    if other_mode(node, former) is not None:
        return seen
    unsettled = await settled(context, plan.spec.node, former, _changed_back(plan, progress))
    if unsettled is not None:
        return Seen(None, unsettled)
    if gone := sorted(lost(node, plan.spec.from_)):
        why = f"{', '.join(gone)}: not there any more; all other GPUs are as before"
        return _again(context.cluster, plan, progress, why)
    return Seen(Event.RESTORED, "the former layout is back, reported and advertised")


def _changed_back(plan: RepartitionPlan, progress: OperationProgress) -> datetime:
    began = next(step.start_time for step in reversed(plan.status.steps) if step.name == Phase.ROLLING_BACK)
    known = [moment for moment in (began, progress.end_time) if moment is not None]
    return max(known)
