"""The claim that members of a share group name in place of one of their own, and the environment of members.

The name follows from namespace and group, so that the webhook needs to look at nothing, and every member finds the same
claim whoever came first.
"""

from collections.abc import Mapping
from typing import Any, Final

from api.group import (
    ASSIGNED_CU_MASK,
    ASSIGNED_FRACTION,
    ASSIGNED_VISIBLE_DEVICES,
    CLAIM_PREFIX,
    GROUP_CLAIM_PREFIX,
    SHARE_GROUP,
)
from controller.translate.request import PodRequest, Problem
from controller.translate.share_group import group_claim_name

Json = Mapping[str, Any]

#: What ROCm and the container read of the member's share. Only members have these: an empty HSA_CU_MASK says nothing.
MEMBER_ENVIRONMENT: Final = (
    ("HSA_CU_MASK", ASSIGNED_CU_MASK),
    ("ROCR_VISIBLE_DEVICES", ASSIGNED_VISIBLE_DEVICES),
    ("AIM_GPU_MEMORY_FRACTION", ASSIGNED_FRACTION),
)


def claim_of(namespace: str, request: PodRequest) -> str | None:
    """The name of the group's claim; None for a pod of no group."""
    return group_claim_name(namespace, request.group) if request.group is not None else None


def problem_with(pod: Json, namespace: str, request: PodRequest, resource: str) -> Problem | None:
    """Why the pod cannot be let in as it is: it names another's claim, or would get a device of its own.

    `resource`: the extended resource that it would ask for; empty for a ResourceClaim.
    """
    named = [claim.get("resourceClaimName") or "" for claim in pod["spec"].get("resourceClaims") or ()]
    ours = [name for name in named if name.startswith(CLAIM_PREFIX)]
    if request.group is None:
        return next((_not_a_member(name) for name in ours if name.startswith(GROUP_CLAIM_PREFIX)), None)
    if resource:
        return Problem(
            SHARE_GROUP,
            request.group,
            f"cannot be shared: GPUs come by the device plugin here ({resource}), which gives one to a pod alone; "
            "have its policy set binding DRA, or write hardware",
        )
    wanted = claim_of(namespace, request)
    other = next((name for name in ours if name != wanted), None)
    if other is None:
        return None
    remedy = f"is not the claim of share group {request.group}, {wanted}; leave the claim out, the webhook names it"
    return Problem("spec.resourceClaims", other, remedy)


def _not_a_member(name: str) -> Problem:
    remedy = f"is a share group's claim; name the group in {SHARE_GROUP} and write isolation cooperative, or name none"
    return Problem("spec.resourceClaims", name, remedy)
