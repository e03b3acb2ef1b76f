"""The operation in GPUNode.spec: written for the agent, read back, and taken off. Its identity is the plan's."""

from api.object import dump
from api.v1beta1 import GPUNode, RepartitionPlan
from api.v1beta1.gpu_layout import Layout
from api.v1beta1.gpu_node import NodeOperation
from controller.reconcilers.repartition_plan.context import PlanContext
from controller.repartition.phases import Phase
from controller.runtime.client.errors import NotFound
from controller.state.kinds import GPU_NODES, REPARTITION_PLANS


def attempts(plan: RepartitionPlan, phase: Phase) -> int:
    """How often the plan has come to a phase."""
    return sum(step.name == phase.value for step in plan.status.steps)


def next_operation_id(plan: RepartitionPlan, phase: Phase) -> str | None:
    """The identity of the operation that the plan orders when it comes to `phase`; the recorded one for any other.

    The agent does each id once, so each attempt, there and back, has one of its own.
    """
    if phase not in (Phase.APPLYING, Phase.ROLLING_BACK):
        return plan.status.operation_id
    way = f"{plan.metadata.uid}-rollback" if phase is Phase.ROLLING_BACK else plan.metadata.uid
    before = attempts(plan, phase)
    return f"{way}-{before + 1}" if before else way


def owns(plan_uid: str, operation_id: str) -> bool:
    """Whether an operation is one of the plan with that uid."""
    return operation_id == plan_uid or operation_id.startswith(f"{plan_uid}-")


def lost(node: GPUNode, layout: Layout) -> frozenset[str]:
    """The GPUs of a layout that the agent misses: it had them once, and does not read them now."""
    present = {gpu.bdf for gpu in node.status.gpus}
    return frozenset(gpu.bdf for gpu in layout.gpus) & {gpu.bdf for gpu in node.status.missing_gpus} - present


def living(node: GPUNode, layout: Layout) -> Layout:
    """The layout without the GPUs that are lost; as it is when that leaves none, for a layout names one at least."""
    gone = lost(node, layout)
    kept = [gpu for gpu in layout.gpus if gpu.bdf not in gone]
    return layout.model_copy(update={"gpus": kept}) if kept else layout


async def order(context: PlanContext, plan: RepartitionPlan) -> bool:
    """Write the recorded operation into GPUNode.spec unless it is there; False when the plan has moved on.

    The informer may show a plan of some time ago after a change of leaders, and the agent does what is ordered: so
    the API server is asked before an order that is not there is given.
    """
    node = context.cluster.gpu_node_table.get(plan.spec.node)
    wanted = plan.status.operation_id
    if node is None or wanted is None:
        return True
    if node.spec.operation is not None and node.spec.operation.id == wanted:
        return True
    try:
        stored = RepartitionPlan.model_validate(await context.client.get(REPARTITION_PLANS, plan.metadata.name))
        if stored.metadata.uid != plan.metadata.uid or stored.status.operation_id != wanted:
            return False
        if stored.status.phase != plan.status.phase:
            return False
        back = Phase(plan.status.phase) is Phase.ROLLING_BACK
        before, after = plan.spec.from_, plan.spec.to
        if back:  # the agent refuses a GPU that it has not got, and the others would stay as they are
            before, after = living(node, plan.spec.to), living(node, plan.spec.from_)
        operation = dump(NodeOperation(id=wanted, from_=before, to=after))
        await context.client.merge_patch(GPU_NODES, plan.spec.node, {"spec": {"operation": operation}})
    except NotFound:
        return False  # the plan or the GPUNode is gone: the next look says so
    return True


async def clear(context: PlanContext, node: str, of_plan: str) -> None:
    """Take the operation of the plan with that uid off the node, if it is there.

    Raises Conflict when the GPUNode is not as it was seen any more: its agent may have begun the operation meanwhile.
    """
    found = context.cluster.gpu_node_table.get(node)
    operation = found.spec.operation if found is not None else None
    if found is None or operation is None or not owns(of_plan, operation.id):
        return
    seen = {"resourceVersion": found.metadata.resource_version}
    try:
        await context.client.merge_patch(GPU_NODES, node, {"metadata": seen, "spec": {"operation": None}})
    except NotFound:
        return
