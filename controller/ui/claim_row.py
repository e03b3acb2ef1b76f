"""One claim as the map shows it: its model and pods, what it has, or why it waits and what would help. Pure.

A share group's claim is of several pods: its row says of each what it has, and of all what they have in common.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from api.group import MODEL_ID, SERVICE_LABEL
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase
from api.v1beta1.share import MemberShare
from controller.state.claim_gauges import needed_bytes
from controller.state.kserve import POD_LABEL
from controller.translate.pod import PodView

Row = dict[str, Any]

#: How `Explanation.lines` begins the line that says what would help.
NEAREST: Final = "Nearest change: "


def claim_row(claim: GPUPartitionClaim, pods: Sequence[PodView]) -> Row:
    """The row. `pods`: the claim's own; of a share group's claim those with a share, or while it has no partition those
    that wait for one; without those that are gone.
    """
    spec, status, metadata = claim.spec, claim.status, claim.metadata
    model = spec.model
    return {
        "namespace": metadata.namespace,
        "name": metadata.name,
        "pod": spec.pod_ref.name if spec.pod_ref is not None else None,
        "group": spec.share_group,
        "members": _members(claim, pods) if spec.share_group is not None else [],
        "service": same(map(service_of, pods)),
        "workload": same(pod.workload for pod in pods) or "",
        "model": model.id if model is not None else same(map(model_of, pods)),
        "precision": spec.requirement.precision,
        "maxModelLen": model.max_model_len if model is not None else None,
        "maxConcurrency": model.max_concurrency if model is not None else None,
        "bytes": needed_bytes(claim),
        "count": spec.requirement.count,
        "priority": max((pod.priority for pod in pods), default=0),
        "ready": any(pod.ready for pod in pods),
        "phase": status.phase.value,
        "node": status.allocation.node if status.allocation is not None else None,
        "isolation": status.allocation.isolation if status.allocation is not None else None,
        "troubles": troubles(claim),
        "waiting": waiting(claim, pods) if status.phase is ClaimPhase.PENDING else None,
    }


def waiting(claim: GPUPartitionClaim, pods: Sequence[PodView]) -> Row:
    """Why it waits, as the operator wrote it: reason, sentence, the nearest change (None for none), all lines, since
    when (RFC 3339), and on which node a place is kept for it.
    """
    bound = next((each for each in claim.status.conditions if each.type == "Bound"), None)
    lines = (claim.status.explanation or "").splitlines()
    created = claim.metadata.creation_timestamp
    nomination = claim.status.nomination
    return {
        "reason": bound.reason if bound is not None else "",
        "message": lines[0] if lines else (bound.message if bound is not None else "the operator has not looked at it"),
        "nearest": nearest(lines),
        "lines": lines,
        "since": created.isoformat().replace("+00:00", "Z") if created is not None else None,
        "kept": nomination.node if nomination is not None else None,
        "gates": sorted({gate for pod in pods for gate in pod.foreign_gates}),
    }


def nearest(lines: list[str]) -> str | None:
    """What would help most cheaply, of an explanation's lines; None where it names nothing."""
    told = next((line.removeprefix(NEAREST) for line in lines if line.startswith(NEAREST)), "none")
    return None if told.startswith("none") else told


def troubles(claim: GPUPartitionClaim) -> list[Row]:
    """Conditions that a person should look at, those that hold."""
    worth = ("Stuck", "ObservedMismatch", "Unassigned", "TooSmall")
    return [
        {"type": each.type, "message": each.message}
        for each in claim.status.conditions
        if each.type in worth and each.status == "True"
    ]


def service_of(pod: PodView) -> str | None:
    """The InferenceService that the pod is of, ours or KServe's; None for a pod of none."""
    return pod.labels.get(SERVICE_LABEL) or pod.labels.get(POD_LABEL)


def model_of(pod: PodView) -> str | None:
    """The model that the pod says it serves."""
    return pod.annotations.get(MODEL_ID)


def same(values: Iterable[str | None]) -> str | None:
    """What all of them are; None where they differ, or there is none."""
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _members(claim: GPUPartitionClaim, pods: Sequence[PodView]) -> list[Row]:
    """The group's pods: those with a share in the order of binding, or those that wait for the partition."""
    by_uid = {pod.uid: pod for pod in pods}
    shares = claim.status.shares
    if not shares:
        return [_member(pod.name, pod, None) for pod in pods]
    return [_member(share.pod.name, by_uid.get(share.pod.uid), share) for share in shares]


def _member(name: str, pod: PodView | None, share: MemberShare | None) -> Row:
    """`bytes`, `computeUnits`: of its share; None without one, or where they are not known."""
    return {
        "pod": name,
        "service": service_of(pod) if pod is not None else None,
        "model": model_of(pod) if pod is not None else None,
        "bytes": share.bytes if share is not None else None,
        "computeUnits": share.compute_units if share is not None else None,
        "ready": pod is not None and pod.ready,
    }
