"""Stored objects read as plain JSON."""

from typing import Any, Final

from api.group import ASSIGNED_NODE, ASSIGNED_PARTITION
from tests.builders.cluster import Object
from tests.fuzz.scheduling.shown import Place

HOLDING: Final = ("Bound", "Allocated")
BEGUN: Final = ("Draining", "Quiescing", "Applying", "Reloading", "Verifying", "RollingBack")
HARDWARE: Final = ("Applying", "Reloading", "Verifying", "RollingBack")
GATE: Final = "aim.amd.com/partition"


def places_of(claim: Object) -> list[tuple[Place, str]]:
    """The partitions that a claim has, with their modes as it says."""
    status: dict[str, Any] = claim.get("status") or {}
    allocation = status.get("allocation")
    if not allocation or status.get("phase") not in HOLDING:
        return []
    return [((allocation["node"], each["bdf"], each["partition"]), each["mode"]) for each in allocation["devices"]]


def assigned_to(one: Object) -> list[tuple[Place, str]]:
    """The partitions that a pod's annotations say were given to it, with their modes."""
    said = one["metadata"].get("annotations", {})
    texts = filter(None, said.get(ASSIGNED_PARTITION, "").split(","))
    pairs = ((*place.rsplit("/", 1), mode) for place, mode in (text.split(" ") for text in texts))
    return [((said[ASSIGNED_NODE], bdf, int(index)), mode) for bdf, index, mode in pairs]


def phase_of(plan: Object) -> str:
    """Where a plan stands."""
    return (plan.get("status") or {}).get("phase") or "Pending"


def is_gated(one: Object) -> bool:
    """Whether our gate holds a pod."""
    return any(gate["name"] == GATE for gate in one["spec"].get("schedulingGates") or ())


def claim_of(one: Object) -> str:
    """The claim that a pod names."""
    return str(one["spec"]["resourceClaims"][0]["resourceClaimName"])
