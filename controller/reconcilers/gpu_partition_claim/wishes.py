"""The RepartitionPlan that a waiting claim wishes for."""

import hashlib

from api.object import ObjectMeta
from api.v1beta1 import RepartitionPlan
from api.v1beta1.gpu_layout import GPUMode, Layout
from api.v1beta1.references import ClaimReference
from api.v1beta1.repartition_plan import Approval, RepartitionPlanSpec
from controller.gpu.mode import Mode
from controller.placement.demand import Demand
from controller.placement.size_text import gib
from controller.repartition.planner import Proposal


def plan_for(proposal: Proposal, demand: Demand) -> RepartitionPlan:
    """The plan for one claim. Its name follows from claim, change and attempt: made twice it is one object."""
    again = f"|{proposal.attempt}" if proposal.attempt else ""
    whole = f"|{proposal.after}" if proposal.more else ""
    identity = f"{demand.uid}|{proposal.node}|{proposal.target}|{proposal.mode}{again}{whole}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    namespace, _, name = demand.key.partition("/")
    return RepartitionPlan(
        metadata=ObjectMeta(name=f"{proposal.node}-{digest}"),
        spec=RepartitionPlanSpec(
            node=proposal.node,
            from_=_layout(proposal.before),
            to=_layout(proposal.after),
            reason=_reason(proposal, demand),
            claim_ref=ClaimReference(namespace=namespace, name=name, uid=demand.uid),
            policy_ref=proposal.policy,
            approval=Approval.AUTO if proposal.automatic else Approval.MANUAL,
        ),
    )


def _reason(proposal: Proposal, demand: Demand) -> str:
    """Why, for people; others are told as a number, as they may be another tenant's."""
    count, size = demand.requirement.count, gib(demand.requirement.bytes)
    needs = f"claim {demand.key} needs " + (f"{count} partitions" if count > 1 else "a partition") + f" of {size}"
    if not proposal.more:
        return needs
    return f"{needs}; the same change gives {proposal.more} more claim{'s' if proposal.more > 1 else ''} a place"


def _layout(gpus: tuple[tuple[str, Mode], ...]) -> Layout:
    return Layout(gpus=[GPUMode(bdf=bdf, mode=str(mode)) for bdf, mode in gpus])
