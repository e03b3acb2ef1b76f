"""The statuses of a share group's claim, beside those that any claim has."""

import re
from collections.abc import Sequence
from typing import Final

from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import IsolationLabel
from api.v1beta1.share import MemberShare
from controller.binding.isolation import ResourceIsolator
from controller.binding.shares import Whole
from controller.placement.explanation import MOST_BYTES, within_bytes
from controller.reconcilers.gpu_partition_claim.status import TROUBLES

_WAITS: Final = re.compile(r"(?:^|; )pod ([a-z0-9.-]+) waits: (.*?)(?=; pod [a-z0-9.-]+ waits: |$)", re.DOTALL)


def as_shared(
    isolator: ResourceIsolator, claim: GPUPartitionClaim, shares: Sequence[MemberShare], compute_units: int
) -> GPUPartitionClaim:
    """A bound claim as a group's, with its first shares and the label of what keeps its members apart."""
    allocation = claim.status.allocation
    if allocation is not None:
        size = allocation.devices[0].bytes
        label = IsolationLabel(isolator.shared_isolation(Whole(size, compute_units)).value)
        allocation = allocation.model_copy(update={"isolation": label})
    return _with(claim, allocation=allocation, shares=list(shares))


def with_shares(claim: GPUPartitionClaim, shares: Sequence[MemberShare]) -> GPUPartitionClaim:
    """The claim with these shares; nothing else differs."""
    return _with(claim, shares=list(shares))


def waits(pod: str, reason: str, message: str) -> str:
    """The sentence that says why a member has no share."""
    return f"pod {pod} waits: {reason}: {message}"


def why_waits(explanation: str | None) -> dict[str, str]:
    """What such an explanation says of each pod that it names, reason and message; of a long one the end is cut."""
    return {found[1]: found[2] for found in _WAITS.finditer(explanation or "")}


def with_waiting(claim: GPUPartitionClaim, sentences: Sequence[str]) -> GPUPartitionClaim:
    """The claim with why some members wait, or with no explanation where none does; what is wrong goes before that.

    `sentences` are of `waits`.
    """
    if any(condition.type in TROUBLES for condition in claim.status.conditions):
        return claim
    text = within_bytes("; ".join(sentences), MOST_BYTES) if sentences else None
    return claim if claim.status.explanation == text else _with(claim, explanation=text)


def _with(claim: GPUPartitionClaim, **update: object) -> GPUPartitionClaim:
    return claim.model_copy(update={"status": claim.status.model_copy(update=update)})
