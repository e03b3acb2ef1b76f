"""Share groups between the API and the domain: the name of a group's claim, who is a member, and the shares."""

import base64
import hashlib
from typing import Final

from api.condition import find_condition
from api.group import GROUP_CLAIM_PREFIX
from api.object import ConditionStatus
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase
from api.v1beta1.references import PodReference
from api.v1beta1.share import MemberShare
from controller.binding.shares import Share, Units, parse_units, units_text
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest
from controller.translate.pod import PodView
from controller.translate.request import PodRequest, parse_request

#: Longest message of a condition that the API takes, characters.
MESSAGE_LIMIT: Final = 1024


def group_claim_name(namespace: str, group: str) -> str:
    """The name of the claim, and of the ResourceClaim, of a share group: the same whoever asks, and whenever.

    Another namespace's group of that name is another group. Ten characters, as in the names of pods' own claims.
    """
    digest = hashlib.sha256(f"{namespace}/{group}".encode()).digest()
    return GROUP_CLAIM_PREFIX + base64.b32encode(digest).decode().lower()[:10]


def group_of(pod: PodView) -> str | None:
    """The share group that a pod asks to be a member of, None for one on its own."""
    request = parse_request(pod.annotations)
    return request.group if isinstance(request, PodRequest) else None


def member_request(pod: PodView) -> PodRequest | None:
    """What a member of the share group whose claim the pod names asks for; None for any other pod."""
    request = parse_request(pod.annotations)
    if not isinstance(request, PodRequest) or request.group is None:
        return None
    return request if pod.claim == group_claim_name(pod.namespace, request.group) else None


def shares_of(claim: GPUPartitionClaim) -> tuple[Share, ...]:
    """The shares that a group's claim has given. Raises ShareError for units that nobody of ours wrote."""
    return tuple(
        Share(share.pod.uid, share.bytes, parse_units(share.compute_units or "")) for share in claim.status.shares
    )


def member_share(pod: PodView, size: int, units: Units) -> MemberShare:
    """A share as the API shows it."""
    return MemberShare(
        pod=PodReference(name=pod.name, uid=pod.uid), bytes=size, compute_units=units_text(units) or None
    )


def share_of(claim: GPUPartitionClaim, uid: str) -> MemberShare | None:
    """The share of the pod with that uid; None where it has none."""
    return next((share for share in claim.status.shares if share.pod.uid == uid), None)


def as_claims_of_pods(claim: GPUPartitionClaim) -> list[GPUPartitionClaim]:
    """A group's claim as its members see it, each as the only pod and with its share for the size; else as it is."""
    if claim.spec.share_group is None:
        return [claim]
    return [_of_member(claim, share) for share in claim.status.shares]


def as_seen_by(claim: GPUPartitionClaim, pod: PodView) -> GPUPartitionClaim:
    """A claim as one of the pods that name it has it: a share group's member its share, or why it waits for one."""
    if claim.spec.share_group is None:
        return claim
    share = share_of(claim, pod.uid)
    return _of_waiting(claim, pod) if share is None else _of_member(claim, share)


def pods_told_of(event: StoreEvent[Manifest]) -> list[str]:
    """The names of the pods that a stored claim is of or was of: its own, or a share group's bound members."""
    names: dict[str, None] = {}
    for claim in (event.old, event.new):
        spec, status = (claim or {}).get("spec") or {}, (claim or {}).get("status") or {}
        pods = [spec["podRef"]] if spec.get("podRef") else [share["pod"] for share in status.get("shares") or ()]
        names |= dict.fromkeys(pod["name"] for pod in pods)
    return list(names)


def _of_member(claim: GPUPartitionClaim, share: MemberShare) -> GPUPartitionClaim:
    allocation = claim.status.allocation
    if allocation is not None:
        devices = [device.model_copy(update={"bytes": share.bytes}) for device in allocation.devices]
        allocation = allocation.model_copy(update={"devices": devices})
    return claim.model_copy(
        update={
            "spec": claim.spec.model_copy(update={"pod_ref": share.pod, "share_group": None}),
            "status": claim.status.model_copy(update={"allocation": allocation, "shares": [share]}),
        }
    )


def _of_waiting(claim: GPUPartitionClaim, pod: PodView) -> GPUPartitionClaim:
    reference = PodReference(name=pod.name, uid=pod.uid)
    conditions = claim.status.conditions
    if claim.status.phase is not ClaimPhase.PENDING:  # the group is bound, and this pod is not
        message = claim.status.explanation or f"waits for a share of share group {claim.spec.share_group}"
        bound = find_condition(conditions, "Bound")
        told = {"status": ConditionStatus.FALSE, "reason": "WaitingForShare", "message": message[:MESSAGE_LIMIT]}
        conditions = [bound.model_copy(update=told)] if bound is not None else []
    waiting = {"phase": ClaimPhase.PENDING, "allocation": None, "shares": [], "conditions": conditions}
    return claim.model_copy(
        update={
            "spec": claim.spec.model_copy(update={"pod_ref": reference, "share_group": None}),
            "status": claim.status.model_copy(update=waiting),
        }
    )
