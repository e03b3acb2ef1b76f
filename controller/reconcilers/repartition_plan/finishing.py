"""An agent that is still at work when its plan ends: a way back that was begun around the plan's deadline.

The agent carries an operation out to its end, whatever becomes of the plan. Until then the plan is not tidied up, so
that nothing is bound to its GPUs, nobody else comes to them and no other plan starts from modes that are about to go.
"""

from datetime import datetime

from api.v1beta1 import RepartitionPlan
from api.v1beta1.gpu_node import OperationPhase
from controller.reconcilers.repartition_plan.apply import progress_of
from controller.repartition.phases import DEADLINE_SECONDS, TERMINAL, Event, Phase
from controller.state.cluster import Cluster
from controller.state.heartbeats import FRESH_SECONDS


def at_work(cluster: Cluster, plan: RepartitionPlan) -> bool:
    """Whether an agent carries out the operation of this ended plan, which is not tidied up yet.

    One that is not heard of for as long as a heartbeat counts is not waited for: its node may never come back, and
    the plan would keep others from beginning.
    """
    node, progress = cluster.gpu_node_table.get(plan.spec.node), progress_of(cluster, plan)
    began = _closing_since(plan)
    if node is None or progress is None or began is None:
        return False
    ordered = node.spec.operation is not None and node.spec.operation.id == progress.id
    if not ordered or progress.phase not in (OperationPhase.PENDING, OperationPhase.RUNNING):
        return False
    beats = cluster.heartbeats
    lately = (cluster.clock.now() - began).total_seconds() <= FRESH_SECONDS
    return lately or beats.fresh(plan.spec.node) or beats.unsettled([plan.spec.node])


def finished_late(cluster: Cluster, plan: RepartitionPlan) -> datetime | None:
    """When the agent ended the operation of this plan that had expired: AMD's plugins have not seen the modes since.

    None when it did not, and when that is so long ago that plugins which are not back will not come back.
    """
    progress, began = progress_of(cluster, plan), _closing_since(plan)
    ended = progress.end_time if progress is not None else None
    expired = len(plan.status.steps) > 1 and plan.status.steps[-2].result == Event.EXPIRED
    if ended is None or began is None or not expired or ended < began.replace(microsecond=0):
        return None
    age = (cluster.clock.now() - ended).total_seconds()
    return ended if age <= (DEADLINE_SECONDS[Phase.VERIFYING] or 0.0) else None


def _closing_since(plan: RepartitionPlan) -> datetime | None:
    """When the plan ended; None before, and once it is tidied up."""
    if Phase(plan.status.phase) not in TERMINAL or not plan.status.steps:
        return None
    last = plan.status.steps[-1]
    return last.start_time if last.end_time is None else None
