"""Verifying: modes as asked, the hardware's sources agreeing, and every partition advertised to the scheduler."""

from datetime import datetime

from api.condition import ConditionStatus, find_condition
from api.v1beta1 import GPUNode, RepartitionPlan
from api.v1beta1.gpu_layout import Layout
from controller.reconcilers.repartition_plan.advertised import difference, reported
from controller.reconcilers.repartition_plan.apply import without_node
from controller.reconcilers.repartition_plan.context import PlanContext
from controller.reconcilers.repartition_plan.seen import Seen
from controller.repartition.phases import Event, Phase
from controller.state.cluster import Cluster

#: The GPUNode's condition that is False while AMD SMI and KFD tell different things.
CONSISTENT = "Consistent"


def observe_verifying(cluster: Cluster, plan: RepartitionPlan) -> Seen:
    """Whether a GPU reads another mode than asked."""
    node = cluster.gpu_node_table.get(plan.spec.node)
    if node is None:
        return without_node(cluster, plan.spec.node)
    other = other_mode(node, plan.spec.to)
    return Seen(None, "the modes are as asked") if other is None else Seen(Event.MISMATCHED, other)


async def verify(context: PlanContext, plan: RepartitionPlan) -> Seen:
    """Restart AMD's plugins, which discover once, and compare what is there with what is advertised."""
    began = next(step.start_time for step in reversed(plan.status.steps) if step.name == Phase.VERIFYING)
    unsettled = await settled(context, plan.spec.node, plan.spec.to, began or context.clock.now())
    if unsettled is not None:
        return Seen(None, unsettled)
    node = context.cluster.gpu_node_table.get(plan.spec.node)
    count = len(reported(node)) if node is not None else 0
    return Seen(Event.VERIFIED, f"{count} partitions reported and advertised")


async def settled(context: PlanContext, name: str, layout: Layout, since: datetime) -> str | None:
    """What is still missing until the node serves `layout`, as a sentence; None when nothing is.

    All of it is looked at in one moment, after the last wait: while plugins were asked for, somebody may have changed
    a mode past the agent, and what is reported and advertised then agrees all the same.
    """
    cluster = context.cluster
    return (
        _not_as_asked(cluster, name, layout)
        or await context.plugins.restart(name, since)
        or _not_as_asked(cluster, name, layout)
        or difference(cluster, name)
    )


def _not_as_asked(cluster: Cluster, name: str, layout: Layout) -> str | None:
    """Why the hardware is not, or not known to be, in `layout`, as a sentence."""
    node = cluster.gpu_node_table.get(name)
    if node is None:
        return f"GPUNode {name} is gone"
    unread = sorted({gpu.bdf for gpu in layout.gpus} & {gpu.bdf for gpu in node.status.gpus if gpu.mode is None})
    if unread:
        return f"the modes of {', '.join(unread)} cannot be read"
    consistent = find_condition(node.status.conditions, CONSISTENT)
    if consistent is not None and consistent.status is ConditionStatus.FALSE:
        return f"the hardware contradicts itself: {consistent.message}"
    return other_mode(node, layout)


def other_mode(node: GPUNode, layout: Layout) -> str | None:
    """Which GPU is not in its mode of `layout`, as a sentence; a mode that cannot be read now is no other mode."""
    present = {gpu.bdf: gpu.mode for gpu in node.status.gpus}
    for wanted in layout.gpus:
        if wanted.bdf not in present:
            return f"{wanted.bdf} is not there, asked was {wanted.mode}"
        if present[wanted.bdf] not in (None, wanted.mode):
            return f"{wanted.bdf} reads {present[wanted.bdf]}, asked was {wanted.mode}"
    return None
