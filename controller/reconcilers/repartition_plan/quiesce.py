"""Quiescing: nothing may have the GPUs open when their modes change, AMD's metrics exporter included."""

from datetime import datetime

from api.v1beta1 import RepartitionPlan
from controller.reconcilers.repartition_plan.approval import refused_seen, withdrawn
from controller.reconcilers.repartition_plan.begin import goes_first
from controller.reconcilers.repartition_plan.context import PlanContext
from controller.reconcilers.repartition_plan.feasible import refusal, unready
from controller.reconcilers.repartition_plan.holders import holders_of, processes_on
from controller.reconcilers.repartition_plan.seen import Seen
from controller.repartition.phases import Event, Phase
from controller.state.cluster import Cluster

#: Between two attempts when the agent found somebody on the GPUs whom nothing here shows, seconds.
PAUSE_SECONDS = 10.0


def observe_quiescing(cluster: Cluster, plan: RepartitionPlan) -> Seen:
    """Whether somebody came to hold the GPUs since they were drained."""
    refused = refused_seen(refusal(cluster, plan)) or withdrawn(plan)
    if refused is not None:
        return refused
    holders = holders_of(cluster, plan)
    if holders:
        return Seen(Event.DISTURBED, f"{', '.join(holders)} came into use again; nothing was changed")
    if holders is None:
        return Seen(None, f"node {plan.spec.node} has no inventory")
    return Seen(None, "nobody holds the GPUs")


async def quiesce(context: PlanContext, plan: RepartitionPlan) -> Seen:
    """Stop the exporter and wait for the last process; the agent must be there to change anything."""
    node = plan.spec.node
    if context.cluster.snapshot().node(node) is None:
        return Seen(None, f"node {node} has no inventory")
    first = goes_first(context.plans, plan)
    if first is not None:
        return Seen(None, f"waits until plan {first} of the same node has ended")
    running = await context.plugins.pause(node)
    if running is not None:
        return Seen(None, running)
    lacks = unready(context.cluster, plan)
    if lacks is not None:
        return Seen(None, lacks)
    if _refused_lately(plan, context.clock.now()):
        return Seen(None, "waits a moment: the agent found the GPUs busy")
    processes = processes_on(context.cluster, plan)
    if processes:
        return Seen(None, f"processes have GPUs open: {', '.join(processes)}; stop them on node {node}")
    return Seen(Event.QUIET, "nothing has the GPUs open")


def _refused_lately(plan: RepartitionPlan, now: datetime) -> bool:
    ended = next((step.end_time for step in reversed(plan.status.steps) if step.name == Phase.APPLYING), None)
    return ended is not None and (now - ended).total_seconds() < PAUSE_SECONDS
