"""The RepartitionPlan that a waiting claim wishes for."""

import hashlib

from api.object import ObjectMeta
from api.v1beta1 import RepartitionPlan
from api.v1beta1.gpu_layout import GPUMode, Layout
from api.v1beta1.references import ClaimReference
from api.v1beta1.repartition_plan import Approval, RepartitionPlanSpec
from controller.gpu.mode import Mode
from controller.placement.decision import gib
from controller.placement.demand import Demand
from controller.repartition.planner import Proposal


def plan_for(proposal: Proposal, demand: Demand) -> RepartitionPlan:
    """The plan for one claim. Its name follows from claim, change and attempt: made twice it is one object."""
    again = f"|{proposal.attempt}" if proposal.attempt else ""
    identity = f"{demand.uid}|{proposal.node}|{proposal.target}|{proposal.mode}{again}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    namespace, _, name = demand.key.partition("/")
    return RepartitionPlan(
        metadata=ObjectMeta(name=f"{proposal.node}-{digest}"),
        spec=RepartitionPlanSpec(
            node=proposal.node,
            from_=_layout(proposal.before),
            to=_layout(proposal.after),
            reason=f"claim {demand.key} needs a partition of {gib(demand.requirement.bytes)}",
            claim_ref=ClaimReference(namespace=namespace, name=name, uid=demand.uid),
            policy_ref=proposal.policy,
            approval=Approval.AUTO if proposal.automatic else Approval.MANUAL,
        ),
    )


def _layout(gpus: tuple[tuple[str, Mode], ...]) -> Layout:
    return Layout(gpus=[GPUMode(bdf=bdf, mode=str(mode)) for bdf, mode in gpus])
