"""The RepartitionPlan of a chance. Other tenants' pods and claims are told as numbers. Pure."""

import hashlib
from collections.abc import Iterable

from api.object import ObjectMeta
from api.v1beta1 import GPUSharingPolicy, RepartitionPlan
from api.v1beta1.gpu_layout import GPUMode, Layout
from api.v1beta1.repartition_plan import Approval, PlanGain, RepartitionPlanSpec
from controller.gpu.mode import Mode
from controller.placement.size_text import gib
from controller.repartition.defragmentation import Chance
from controller.repartition.regained import Gain


def is_own(plan: RepartitionPlan, policy: str) -> bool:
    """Whether the plan was proposed under that policy to bring models together."""
    return plan.spec.gain is not None and plan.spec.policy_ref == policy and not plan.spec.dry_run


def plan_of(chance: Chance, policy: GPUSharingPolicy, before: Iterable[RepartitionPlan]) -> RepartitionPlan:
    """The plan, which a person has to approve. Its name follows from the chance and the plans `before` it of its node.

    So the same one that is made twice is one object, and a later one is another.
    """
    number = sum(plan.spec.node == chance.node for plan in before)
    identity = f"{policy.metadata.uid}|{chance.identity}|{number}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    return RepartitionPlan(
        metadata=ObjectMeta(name=f"{chance.node}-{digest}"),
        spec=RepartitionPlanSpec(
            node=chance.node,
            from_=_layout(chance.before),
            to=_layout(chance.after),
            reason=_reason(chance),
            policy_ref=policy.metadata.name,
            approval=Approval.MANUAL,
            gain=PlanGain(
                gpus=chance.gain.gpus,
                bytes=chance.gain.bytes,
                claims=chance.gain.claims,
                summary=summary(chance.gain),
            ),
        ),
    )


def summary(gain: Gain) -> str:
    """The gain for people: `1 GPU, 2 claims`."""
    told = [_counted(gain.gpus, "GPU")] if gain.gpus > 0 else []
    return ", ".join(told + ([_counted(gain.claims, "claim")] if gain.claims else []))


def _reason(chance: Chance) -> str:
    gain, moved = chance.gain, len(chance.moves)
    told = []
    if gain.gpus > 0:
        told.append(f"regains {_counted(gain.gpus, 'GPU')} of {gib(gain.bytes)} in all")
    if gain.claims:
        told.append(f"gives {_counted(gain.claims, 'claim')} that wait{'s' if gain.claims == 1 else ''} a place")
    return f"brings scattered models together: moving {_counted(moved, 'pod')} {' and '.join(told)}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _layout(gpus: tuple[tuple[str, Mode], ...]) -> Layout:
    return Layout(gpus=[GPUMode(bdf=bdf, mode=str(mode)) for bdf, mode in gpus])
