"""The rules at the moment a plan begins, also for plans that people wrote: one plan a node, budgets, windows, rest."""

from collections.abc import Iterable
from dataclasses import replace

from api.v1beta1 import RepartitionPlan
from controller.placement.snapshot import Node
from controller.reconcilers.repartition_plan.closing import under_way
from controller.reconcilers.repartition_plan.feasible import unready
from controller.reconcilers.repartition_plan.operation import owns
from controller.reconcilers.repartition_plan.reservations import unavailable_pods
from controller.reconcilers.repartition_plan.victims import victims_of
from controller.repartition.disruption_budget import Usage, refuse_change
from controller.repartition.phases import HARDWARE, TERMINAL, Phase
from controller.state.cluster import Cluster


def held_up(cluster: Cluster, plans: Iterable[RepartitionPlan], plan: RepartitionPlan) -> str | None:
    """What must end before the plan may begin, as a sentence; None: it may begin now. `plans` are all there are."""
    known = list(plans)
    changing = {other.spec.node: other.metadata.name for other in known if under_way(other)}
    if plan.spec.node in changing:
        return f"waits until plan {changing[plan.spec.node]} of the same node has ended"
    if _ordered_by_nobody(cluster, known, plan.spec.node):
        return "waits until a change of the node whose plan was deleted has ended"
    lacks = unready(cluster, plan)
    if lacks is not None:
        return lacks
    node = cluster.snapshot().node(plan.spec.node)
    if node is None or node.policy is None:
        return None  # nobody set rules for the node: who wrote the plan answers for it
    usage = Usage(tuple(sorted(changing)), unavailable_pods(cluster, known))
    namespace = plan.spec.claim_ref.namespace if plan.spec.claim_ref is not None else None
    refused = refuse_change(_judged(plan, node), namespace, usage, evicts=len(victims_of(cluster, node, plan)))
    return None if refused is None else f"waits: {refused.message}"


def _ordered_by_nobody(cluster: Cluster, plans: Iterable[RepartitionPlan], node: str) -> bool:
    found = cluster.gpu_node_table.get(node)
    operation = found.spec.operation if found is not None else None
    return operation is not None and not any(owns(plan.metadata.uid or "", operation.id) for plan in plans)


def goes_first(plans: Iterable[RepartitionPlan], plan: RepartitionPlan) -> str | None:
    """Another plan of the node whose change goes first, though both have begun; None: this one's turn.

    Plans begin one at a time, but an operator that took over may have seen the other one as it was some time ago.
    """
    for other in plans:
        if other.spec.node != plan.spec.node or other.metadata.uid == plan.metadata.uid or not under_way(other):
            continue
        phase = Phase(other.status.phase)
        if phase in HARDWARE or phase in TERMINAL or (phase is Phase.QUIESCING and _age(other) < _age(plan)):
            return other.metadata.name
    return None


def _age(plan: RepartitionPlan) -> tuple[str, str]:
    created = plan.metadata.creation_timestamp
    return created.isoformat() if created is not None else "", plan.metadata.name


def _judged(plan: RepartitionPlan, node: Node) -> Node:
    """A plan that a person wrote needs no policy that lets the operator make plans; every other rule holds for it."""
    if plan.spec.policy_ref is not None or node.policy is None:
        return node
    return replace(node, policy=replace(node.policy, repartition=True))
