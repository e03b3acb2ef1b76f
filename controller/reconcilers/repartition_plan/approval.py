"""Whether a plan may begin: a person's word, and whether what it was made for still holds."""

from api.v1beta1 import RepartitionPlan
from api.v1beta1.repartition_plan import Approval
from controller.reconcilers.repartition_plan.seen import Seen
from controller.repartition.device_config_manager import dcm_managed
from controller.repartition.phases import Event, Phase
from controller.state.cluster import Cluster
from controller.translate.node import modes

#: A plan younger than this is not judged by what the informers lack: they may not have caught up, seconds.
CATCH_UP_SECONDS = 10.0


def observe_approval(cluster: Cluster, plan: RepartitionPlan) -> Seen:
    """Whether the plan may begin, must not any more, or waits for a person."""
    refused = forbidden(cluster, plan) or _obsolete(cluster, plan)
    if refused is not None:
        return Seen(Event.REFUSED, f"{refused}; nothing was changed")
    if plan.spec.approved or plan.spec.approval is Approval.AUTO:
        return Seen(Event.APPROVED, "approved")
    patch = '{"spec":{"approved":true}}'
    name = plan.metadata.name
    message = f"waits for approval: aim-gpu approve {name}, or kubectl patch rpp {name} --type merge -p '{patch}'"
    pending = Phase(plan.status.phase) is Phase.PENDING
    return Seen(Event.APPROVAL_NEEDED if pending else None, message)


def forbidden(cluster: Cluster, plan: RepartitionPlan) -> str | None:
    """Why the node must not be changed, whoever wrote the plan; None when it may be."""
    host, node = cluster.host_table.get(plan.spec.node), cluster.snapshot().node(plan.spec.node)
    if host is None or not dcm_managed(host.labels):
        return None
    policy = node.policy if node is not None else None
    if policy is not None and policy.ignore_device_config_manager:
        return None
    return (
        f"node {plan.spec.node} carries labels dcm.amd.com/*: AMD's Device Config Manager sets its modes, and two "
        "partitioners undo each other's work; remove its labels, or set repartition.ignoreDeviceConfigManager in the "
        "node's policy"
    )


def moved_on(cluster: Cluster, plan: RepartitionPlan) -> str | None:
    """Which GPU no longer reads the mode that the plan starts from, as a sentence; None when all do."""
    node = cluster.gpu_node_table.get(plan.spec.node)
    if node is None:
        return None  # whoever asks waits for an inventory, and its deadline ends the wait
    present = modes(node)
    for gpu in plan.spec.from_.gpus:
        if str(present.get(gpu.bdf)) != gpu.mode:
            return f"{gpu.bdf} reads {present.get(gpu.bdf)}, the plan starts from {gpu.mode}; nothing was changed"
    return None


def _obsolete(cluster: Cluster, plan: RepartitionPlan) -> str | None:
    """Why the plan must not begin any more: its node, its claim, its policy or the layout it starts from is gone."""
    created = plan.metadata.creation_timestamp
    if created is None or (cluster.clock.now() - created).total_seconds() < CATCH_UP_SECONDS:
        return None
    if cluster.gpu_node_table.get(plan.spec.node) is None:
        return f"GPUNode {plan.spec.node} is gone"
    wanted = plan.spec.claim_ref
    if wanted is not None:
        claim = cluster.claim_table.get(f"{wanted.namespace}/{wanted.name}")
        if claim is None or claim.metadata.uid != wanted.uid:
            return f"claim {wanted.namespace}/{wanted.name} is gone"
        if claim.status.allocation is not None:
            return f"claim {wanted.namespace}/{wanted.name} has a place"
    if plan.spec.policy_ref is not None:
        policy = cluster.policy_table.get(plan.spec.policy_ref)
        if policy is None or not policy.spec.repartition.enabled:
            return f"policy {plan.spec.policy_ref} allows no change any more"
    return None
