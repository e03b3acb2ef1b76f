"""What becomes of pods that waited behind the gate when the operator goes, as clauses. Pure."""

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]


def controlled(pod: Object) -> bool:
    """Whether something makes another in its place."""
    return any(owner.get("controller") for owner in pod["metadata"].get("ownerReferences", ()))


def next_one(pod: Object, lacking: list[str]) -> str:
    """What becomes of a pod that was deleted."""
    if controlled(pod):
        return "its controller makes another, which is not gated"
    claims = ", ".join(lacking)
    return f"nobody makes ResourceClaim {claims} any more, and no controller makes another pod: create it again"


def after(pod: Object, lacking: list[str]) -> str:
    """What becomes of a pod without its gate."""
    if lacking:
        claims = ", ".join(lacking)
        return (
            f"it WAITS FOR EVER for ResourceClaim {claims}, which nobody makes any more: delete it, or make that claim"
        )
    if any("resourceClaimName" in one for one in pod["spec"].get("resourceClaims", ())):
        return "the ResourceClaim that it asks for is there"
    return "the scheduler takes it as it is, with no partition of its own"
