"""Applying and Reloading: the operation stands in GPUNode.spec once, and its progress is read from the status."""

from api.v1beta1 import RepartitionPlan
from api.v1beta1.gpu_node import OperationPhase, OperationProgress
from controller.reconcilers.repartition_plan.context import PlanContext
from controller.reconcilers.repartition_plan.operation import attempts, order
from controller.reconcilers.repartition_plan.seen import Seen
from controller.repartition.phases import Event, Phase
from controller.state.cluster import Cluster

#: Start of the agent's message when it refused because somebody holds a GPU: nothing has changed then.
BUSY = "Busy:"
#: Start of the agent's step during which the driver is reloaded.
RELOAD = "ReloadDriver"
#: How often a change, or its way back, is tried before the plan gives up.
MOST_ATTEMPTS = 3


def observe_operation(cluster: Cluster, plan: RepartitionPlan) -> Seen:
    """How far the agent has come with the change."""
    node = cluster.gpu_node_table.get(plan.spec.node)
    if node is None:
        return without_node(cluster, plan.spec.node)
    progress = progress_of(cluster, plan)
    if progress is None:
        return Seen(None, waits_for_agent(cluster, plan.spec.node))
    match progress.phase:
        case OperationPhase.SUCCEEDED:
            return Seen(Event.APPLIED, progress.message or "the agent has changed the modes")
        case OperationPhase.FAILED:
            return Seen(_failure(plan, progress), progress.message or "the agent could not change the modes")
        case _:
            starts = Phase(plan.status.phase) is Phase.APPLYING and progress.step.startswith(RELOAD)
            return Seen(Event.RELOADS if starts else None, told(cluster, plan.spec.node, progress))


def without_node(cluster: Cluster, node: str) -> Seen:
    """What it means that nothing is known of a node: it was deleted, or what stands in it is not understood."""
    if node in cluster.gpu_nodes.store:
        return Seen(None, f"waits: GPUNode {node} is not understood, see the operator's log")
    return Seen(Event.NODE_GONE, f"GPUNode {node} is gone")


def _failure(plan: RepartitionPlan, progress: OperationProgress) -> Event:
    untouched = Phase(plan.status.phase) is Phase.APPLYING and progress.message.startswith(BUSY)
    return Event.DISTURBED if untouched and attempts(plan, Phase.APPLYING) < MOST_ATTEMPTS else Event.APPLY_FAILED


def progress_of(cluster: Cluster, plan: RepartitionPlan) -> OperationProgress | None:
    """What the agent reports of the plan's operation; None when it has not begun it."""
    node = cluster.gpu_node_table.get(plan.spec.node)
    progress = node.status.operation if node is not None else None
    return progress if progress is not None and progress.id == plan.status.operation_id else None


def waits_for_agent(cluster: Cluster, node: str) -> str:
    """The sentence while the agent has not begun."""
    lost = "" if cluster.heartbeats.fresh(node) else ", whose Lease is not renewed"
    return f"waits for the agent{lost}"


def told(cluster: Cluster, node: str, progress: OperationProgress) -> str:
    """The agent's progress in a sentence."""
    at = f"the agent is at {progress.step or 'the start'}, {progress.progress_percent} %"
    return at if cluster.heartbeats.fresh(node) else f"{at}; its Lease is not renewed"


async def apply_change(context: PlanContext, plan: RepartitionPlan) -> Seen:
    """Order the change, if that was not done."""
    seen = observe_operation(context.cluster, plan)
    if not await order(context, plan):
        return Seen(None, "waits: the plan or its node has changed")
    return seen
