"""Whether a plan may begin: a person's word, and whether what it was made for still holds."""

from api.v1beta1 import RepartitionPlan
from api.v1beta1.repartition_plan import Approval
from controller.reconcilers.repartition_plan.context import PlanContext
from controller.reconcilers.repartition_plan.feasible import (
    Refusal,
    managed_elsewhere,
    no_inventory,
    refusal,
    surely_refused,
)
from controller.reconcilers.repartition_plan.obsolete import obsolete, surely_obsolete
from controller.reconcilers.repartition_plan.seen import Seen
from controller.repartition.phases import Event, Phase
from controller.state.cluster import Cluster


def observe_approval(cluster: Cluster, plan: RepartitionPlan) -> Seen:
    """Whether the plan may begin, must not any more, or waits for a person."""
    refused = must_not(cluster, plan)
    if refused is not None:
        return refused
    unknown = no_inventory(cluster, plan)
    if unknown is not None:
        return Seen(None, unknown)
    if plan.spec.approved or not _needs_person(cluster, plan):
        return Seen(Event.APPROVED, "approved")
    patch = '{"spec":{"approved":true}}'
    name = plan.metadata.name
    message = f"waits for approval: aim-gpu approve {name}, or kubectl patch rpp {name} --type merge -p '{patch}'"
    pending = Phase(plan.status.phase) is Phase.PENDING
    return Seen(Event.APPROVAL_NEEDED if pending else None, message)


def must_not(cluster: Cluster, plan: RepartitionPlan) -> Seen | None:
    """Why the plan may not begin (any more), by what the informers show; None when it may."""
    lost = obsolete(cluster, plan) or _left_to_others(cluster, plan)
    if lost is not None:
        return Seen(Event.REFUSED, f"{lost}; nothing was changed")
    return refused_seen(refusal(cluster, plan))


def refused_seen(found: Refusal | None) -> Seen | None:
    """The refusal of a plan that cannot be carried out; None for none."""
    return Seen(Event.REFUSED, found.message, reason=found.reason) if found is not None else None


def _left_to_others(cluster: Cluster, plan: RepartitionPlan) -> str | None:
    """That the node is AMD's Device Config Manager's. A person's plan waits; the operator looks for another node."""
    return managed_elsewhere(cluster, plan) if plan.spec.claim_ref is not None else None


def _needs_person(cluster: Cluster, plan: RepartitionPlan) -> bool:
    """Whether a person has to approve the plan: it says so, or the policy that it was made by says so by now."""
    policy = cluster.policy_table.get(plan.spec.policy_ref) if plan.spec.policy_ref is not None else None
    by_policy = policy is not None and policy.spec.repartition.approval is Approval.MANUAL
    return plan.spec.approval is Approval.MANUAL or by_policy


def withdrawn(plan: RepartitionPlan) -> Seen | None:
    """That a Manual plan which has begun is approved no more; None when it is, or needs nobody."""
    if plan.spec.approved or plan.spec.approval is Approval.AUTO:
        return None
    return Seen(Event.REFUSED, "its approval was withdrawn; nothing was changed")


async def confirmed(context: PlanContext, plan: RepartitionPlan, refused: Seen) -> Seen:
    """A refusal as it stands once the API server was asked about what the informers do not show."""
    if _left_to_others(context.cluster, plan) is not None:
        return refused
    try:
        lost = await surely_obsolete(context, plan)
        impossible = refused_seen(await surely_refused(context, plan)) if lost is None else None
    except ValueError:
        return Seen(None, "waits: its node, claim or policy is not understood, see the operator's log")
    if lost is not None:
        return Seen(Event.REFUSED, f"{lost}; nothing was changed")
    return impossible or Seen(None, "waits: the operator's caches are behind the API server")
