"""A share group as the map shows it: its claim, and each pod that has no share of it yet, or cannot have one. No I/O.

No member has a claim of its own, and while nobody can found the group there is none at all: so who waits would be
nowhere. Why a member waits is what the operator wrote on the group's claim; why a pod cannot be a member, which the
operator tells in Events alone, is judged by its own code.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from api.object import ObjectMeta
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import GPUPartitionClaimSpec, Isolation, Requirement
from controller.reconcilers.gpu_partition_claim.context import Surroundings
from controller.reconcilers.share_group.members import Group, Hindered, Member, gather
from controller.reconcilers.share_group.shared_status import why_waits
from controller.translate.pod import PodView
from controller.translate.share_group import as_seen_by, group_of
from controller.ui.claim_row import Row, claim_row, model_of


def group_rows(around: Surroundings, key: str, claim: GPUPartitionClaim | None) -> dict[str, Row]:
    """The rows by key: the claim's own, then `key/POD` for each pod that has none of it."""
    group = gather(around, key, claim)
    rows: dict[str, Row] = {}
    if claim is not None:
        rows[key] = claim_row(claim, _of_claim(claim, group))
    for hindered in group.hindered:
        rows[f"{key}/{hindered.pod.name}"] = _without_share(key, claim, hindered.pod, _told(hindered))
    if claim is None or claim.status.allocation is not None:
        written = why_waits(claim.status.explanation if claim is not None else None)
        for member in group.waiting:
            why = written.get(member.pod.name, "the operator has not looked at it")
            row = _without_share(key, claim, member.pod, why)
            rows[f"{key}/{member.pod.name}"] = row | _asked(member)
    return rows


def _of_claim(claim: GPUPartitionClaim, group: Group) -> Sequence[PodView]:
    if claim.status.shares:
        return [held.pod for held in group.held if held.pod is not None]
    return [member.pod for member in group.waiting]


def _told(hindered: Hindered) -> str:
    return f"{hindered.reason}: {hindered.message}"


def _asked(member: Member) -> Row:
    """What it needs of the partition."""
    sizing = member.request.sizing
    return {
        "bytes": member.bytes,
        "precision": member.need.sizing.precision.value,
        "maxModelLen": sizing.max_model_len,
        "maxConcurrency": sizing.max_concurrency,
    }


def _without_share(key: str, claim: GPUPartitionClaim | None, pod: PodView, why: str) -> Row:
    """`why`: reason and sentence."""
    row = claim_row(as_seen_by(claim or _founded_by(key, pod), pod), [pod])
    created = datetime.fromtimestamp(pod.created_seconds, UTC).isoformat().replace("+00:00", "Z")
    told: Row = {"reason": why.partition(":")[0], "message": why, "nearest": None, "lines": [], "since": created}
    named = {"group": claim.spec.share_group if claim is not None else group_of(pod), "model": model_of(pod)}
    unknown: Row = {"bytes": None, "precision": None, "troubles": []}
    return row | named | unknown | {"waiting": row["waiting"] | told}


def _founded_by(key: str, pod: PodView) -> GPUPartitionClaim:
    """The claim that the group will have, before there is one."""
    namespace, _, name = key.partition("/")
    spec = GPUPartitionClaimSpec(
        share_group=group_of(pod) or name, requirement=Requirement(isolation=Isolation.COOPERATIVE)
    )
    return GPUPartitionClaim(metadata=ObjectMeta(name=name, namespace=namespace), spec=spec)
