"""Whether a plan may begin: a person's word, and whether what it was made for still holds."""

from api.v1beta1 import RepartitionPlan
from api.v1beta1.repartition_plan import Approval
from controller.reconcilers.repartition_plan.context import PlanContext
from controller.reconcilers.repartition_plan.obsolete import obsolete, surely_obsolete
from controller.reconcilers.repartition_plan.seen import Seen
from controller.repartition.device_config_manager import dcm_managed
from controller.repartition.phases import Event, Phase
from controller.state.cluster import Cluster
from controller.translate.node import modes


def observe_approval(cluster: Cluster, plan: RepartitionPlan) -> Seen:
    """Whether the plan may begin, must not any more, or waits for a person."""
    refused = forbidden(cluster, plan) or obsolete(cluster, plan)
    if refused is not None:
        return Seen(Event.REFUSED, f"{refused}; nothing was changed")
    if plan.spec.approved or not _needs_person(cluster, plan):
        return Seen(Event.APPROVED, "approved")
    patch = '{"spec":{"approved":true}}'
    name = plan.metadata.name
    message = f"waits for approval: aim-gpu approve {name}, or kubectl patch rpp {name} --type merge -p '{patch}'"
    pending = Phase(plan.status.phase) is Phase.PENDING
    return Seen(Event.APPROVAL_NEEDED if pending else None, message)


def _needs_person(cluster: Cluster, plan: RepartitionPlan) -> bool:
    """Whether a person has to approve the plan: it says so, or the policy that it was made by says so by now."""
    policy = cluster.policy_table.get(plan.spec.policy_ref) if plan.spec.policy_ref is not None else None
    by_policy = policy is not None and policy.spec.repartition.approval is Approval.MANUAL
    return plan.spec.approval is Approval.MANUAL or by_policy


def withdrawn(plan: RepartitionPlan) -> str | None:
    """That a Manual plan which has begun is approved no more, as a sentence; None when it is, or needs nobody."""
    if plan.spec.approved or plan.spec.approval is Approval.AUTO:
        return None
    return "its approval was withdrawn; nothing was changed"


async def confirmed(context: PlanContext, plan: RepartitionPlan, refused: Seen) -> Seen:
    """A refusal as it stands once the API server was asked about what the informers do not show."""
    if forbidden(context.cluster, plan) is not None:
        return refused
    try:
        lost = await surely_obsolete(context, plan)
    except ValueError:
        return Seen(None, "waits: its node, claim or policy is not understood, see the operator's log")
    if lost is None:
        return Seen(None, "waits: the operator's caches are behind the API server")
    return Seen(Event.REFUSED, f"{lost}; nothing was changed")


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
