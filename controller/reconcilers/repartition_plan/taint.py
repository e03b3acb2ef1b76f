"""The taint that a policy may want on a node whose modes change, against pods that take no part in sharing.

It is there from Draining until the agent has changed the modes: AMD's plugins, which restart then, may tolerate none of
ours. Which plan wants it now is read from the plans' statuses, so whoever looks finds the same, also after a crash; a
taint that no plan wants is taken off, whoever left it there.
"""

from collections.abc import Iterable

from api.v1beta1 import RepartitionPlan
from api.v1beta1.gpu_node import OperationPhase
from controller.reconcilers.gpu_node.tainting import set_taint
from controller.reconcilers.repartition_plan.apply import progress_of
from controller.reconcilers.repartition_plan.context import PlanContext
from controller.reconcilers.repartition_plan.finishing import at_work
from controller.repartition.phases import HARDWARE, NOT_BEGUN, TERMINAL, Phase
from controller.runtime.client.client import Client
from controller.runtime.client.errors import Forbidden, Invalid
from controller.state.cluster import Cluster
from controller.translate.node_taint import taint_value
from controller.translate.policy import policy_for

#: Phases without the taint: AMD's plugins restart in Verifying.
_OPEN = NOT_BEGUN | {Phase.VERIFYING}
#: Phases in which a pause stops the plan: nothing will happen to the hardware, so others may come.
_HALTED = frozenset({Phase.DRAINING, Phase.QUIESCING})


def taints_node(cluster: Cluster, node: str) -> bool:
    """Whether the policy that rules the node wants it tainted while its modes change."""
    host = cluster.host_table.get(node)
    policy = policy_for(host.labels, cluster.policy_table.values()) if host is not None else None
    return policy is not None and policy.spec.repartition.taint_node


def wanted_taint(cluster: Cluster, plans: Iterable[RepartitionPlan], node: str) -> str | None:
    """The value of the taint that the node should carry now; None: none of ours. `plans` are all there are."""
    values = {taint_value(plan) for plan in plans if plan.spec.node == node and _keeps_off(cluster, plan)}
    host = cluster.host_table.get(node)
    if not values or host is None or not taints_node(cluster, node):
        return None
    return host.repartitioned_by if host.repartitioned_by in values else min(values)


def _keeps_off(cluster: Cluster, plan: RepartitionPlan) -> bool:
    phase = Phase(plan.status.phase)
    if phase in _OPEN or plan.spec.dry_run or plan.metadata.deletion_timestamp is not None:
        return False
    if phase in TERMINAL:
        return at_work(cluster, plan)
    if phase is Phase.ROLLING_BACK:
        progress = progress_of(cluster, plan)
        return progress is None or progress.phase is not OperationPhase.SUCCEEDED
    return phase not in _HALTED or not _paused(cluster, plan.spec.node)


def _paused(cluster: Cluster, node: str) -> bool:
    found, host = cluster.gpu_node_table.get(node), cluster.host_table.get(node)
    policy = policy_for(host.labels, cluster.policy_table.values()) if host is not None else None
    return (found is not None and found.spec.paused) or (policy is not None and policy.spec.paused)


async def keep_taint(context: PlanContext, plan: RepartitionPlan) -> str | None:
    """Taint the plan's node, or take the taint off, as its recorded phase wants; a sentence when nothing may act yet.

    What has begun to change the hardware goes on without the taint: above all the way back must not wait for it.
    """
    node = plan.spec.node
    try:
        waits = None if await settle_taint(context, node) else f"waits: others keep writing node {node}"
    except (Forbidden, Invalid) as error:
        waits = f"waits: the taints of node {node} cannot be written: {error}; let the operator patch nodes"
    begun = Phase(plan.status.phase) in HARDWARE
    return None if begun and wanted_taint(context.cluster, context.plans, node) is not None else waits


async def settle_taint(context: PlanContext, node: str) -> bool:
    """Make the node carry the taint that is wanted now; False when others keep writing the Node. Raises ApiError.

    That it is off is believed of the API server alone where a policy wants taints: the informer may lag.
    """
    host = context.cluster.host_table.get(node)
    if host is None:
        return True
    wanted = wanted_taint(context.cluster, context.plans, node)
    believed = wanted is not None or not taints_node(context.cluster, node)
    if believed and host.repartitioned_by == wanted:
        return True
    return await set_taint(context.client, node, wanted)


async def sweep_taint(client: Client, cluster: Cluster, plans: Iterable[RepartitionPlan], node: str) -> bool:
    """Take a taint off that no plan wants any more; False when others keep writing the Node. Raises ApiError."""
    host = cluster.host_table.get(node)
    if host is None or host.repartitioned_by is None or wanted_taint(cluster, plans, node) is not None:
        return True
    return await set_taint(client, node, None)
