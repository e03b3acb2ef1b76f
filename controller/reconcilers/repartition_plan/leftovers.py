"""What plans leave behind that were deleted half way: an operation nobody asked for, a metrics exporter held off, a
taint.
"""

from collections.abc import Iterable

from api.v1beta1 import GPUNode, RepartitionPlan
from api.v1beta1.gpu_node import OperationPhase
from controller.reconcilers.repartition_plan.context import PlanContext
from controller.reconcilers.repartition_plan.operation import owns
from controller.reconcilers.repartition_plan.taint import sweep_taint
from controller.repartition.phases import NOT_BEGUN, TERMINAL, Phase
from controller.runtime.client.errors import NotFound
from controller.state.kinds import GPU_NODES, REPARTITION_PLANS


async def tidy_nodes(context: PlanContext) -> str | None:
    """Make good every node that no plan has in hand; what is still waited for, None when nothing is."""
    busy = {
        plan.spec.node
        for plan in context.cluster.plan_table.values()
        if Phase(plan.status.phase) not in (NOT_BEGUN | TERMINAL) and not plan.spec.dry_run
    }
    waiting = None
    for name, node in context.cluster.gpu_node_table.items():
        if name not in busy:
            waiting = await _tidy(context, name, node) or waiting
    return waiting


async def _tidy(context: PlanContext, name: str, node: GPUNode) -> str | None:
    if not await sweep_taint(context.client, context.cluster, context.plans, name):
        return f"waits: others keep writing node {name}"
    orphan = _ordered_by_nobody(node, context.cluster.plan_table.values()) and await _surely(context, node)
    if orphan:
        progress, operation = node.status.operation, node.spec.operation
        if progress is None or operation is None or progress.id != operation.id:
            changed = None  # not begun, and it will not be: the agent carries out what stands in the spec
        elif progress.phase in (OperationPhase.PENDING, OperationPhase.RUNNING):
            return f"waits for the agent of node {name} to finish"
        else:
            changed = progress.end_time
        waiting = await context.plugins.restart(name, changed) if changed is not None else None
        if waiting is not None:
            return waiting
    await context.plugins.resume(name)
    if orphan:
        await _clear(context, name)
    return None


def _ordered_by_nobody(node: GPUNode, plans: Iterable[RepartitionPlan]) -> bool:
    """Whether the node carries an operation of none of these plans."""
    operation = node.spec.operation
    return operation is not None and not any(owns(plan.metadata.uid or "", operation.id) for plan in plans)


async def _surely(context: PlanContext, node: GPUNode) -> bool:
    """The same by the API server's word: an informer may be behind, and an operation is not taken back by mistake."""
    stored = await context.client.list(REPARTITION_PLANS)
    return _ordered_by_nobody(node, map(RepartitionPlan.model_validate, stored.items))


async def _clear(context: PlanContext, node: str) -> None:
    try:
        await context.client.merge_patch(GPU_NODES, node, {"spec": {"operation": None}})
    except NotFound:
        return
