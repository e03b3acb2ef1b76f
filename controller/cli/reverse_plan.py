"""The plan that takes a plan that succeeded back: from its end to its beginning, on a person's word. No I/O."""

from api.object import ObjectMeta
from api.v1beta1 import GPUNode, RepartitionPlan
from api.v1beta1.repartition_plan import Approval, RepartitionPlanSpec

_LONGEST_NAME = 253
MOST_TRIES = 9


def reverse_names(name: str) -> list[str]:
    """Names for it, the first free one to be used: one that failed keeps its own."""
    stem = name[: _LONGEST_NAME - len("-back-9")].rstrip("-.")
    return [f"{stem}-back", *(f"{stem}-back-{number}" for number in range(2, MOST_TRIES + 1))]


def reverse_of(plan: RepartitionPlan, name: str) -> RepartitionPlan:
    """The plan the other way. It names no policy: a person wants it, and no policy needs to let the operator make it.

    The rules of the policy that governs the node hold all the same.
    """
    return RepartitionPlan(
        metadata=ObjectMeta(name=name),
        spec=RepartitionPlanSpec(
            node=plan.spec.node,
            from_=plan.spec.to,
            to=plan.spec.from_,
            reason=f"takes back plan {plan.metadata.name}",
            approval=Approval.MANUAL,
            approved=True,
        ),
    )


def moved_on(plan: RepartitionPlan, node: GPUNode) -> str | None:
    """Which GPU is no longer as the plan left it, as a sentence; None when all are."""
    modes = {gpu.bdf: gpu.mode for gpu in node.status.gpus}
    for gpu in plan.spec.to.gpus:
        if modes.get(gpu.bdf) != gpu.mode:
            return f"{gpu.bdf} reads {modes.get(gpu.bdf) or 'nothing'}, and the plan left it in {gpu.mode}"
    return None


def in_use(plan: RepartitionPlan, node: GPUNode) -> int:
    """How many partitions of the plan's GPUs somebody holds."""
    touched = {gpu.bdf for gpu in plan.spec.to.gpus}
    return sum(
        partition.holder != "free" for gpu in node.status.gpus if gpu.bdf in touched for partition in gpu.partitions
    )
