"""ResourceClaims of every namespace: which devices the real scheduler gave to whom."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.binding.dra import DRIVER

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AllocatedDevice:
    """One device of AMD's driver allocated to a claim. `admin` marks adminAccess, which holds nothing exclusively."""

    pool: str
    device: str
    admin: bool


@dataclass(frozen=True, slots=True)
class ResourceClaimView:
    """What occupancy and confirmation need of a ResourceClaim. `owner_uid` is its controller's uid."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    owner_uid: str | None
    spec: Json
    devices: tuple[AllocatedDevice, ...]
    allocated: bool
    reserved_for: tuple[str, ...]
    deleting: bool

    @property
    def key(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"


def resource_claim_view(claim: Json) -> ResourceClaimView:
    """The view of a ResourceClaim object."""
    metadata, status = claim["metadata"], claim.get("status") or {}
    owners = [ref["uid"] for ref in metadata.get("ownerReferences", ()) if ref.get("controller")]
    return ResourceClaimView(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        owner_uid=owners[0] if owners else None,
        spec=claim.get("spec") or {},
        devices=tuple(_devices(status)),
        allocated=bool(status.get("allocation")),
        reserved_for=tuple(user["uid"] for user in status.get("reservedFor", ()) if "uid" in user),
        deleting="deletionTimestamp" in metadata,
    )


def _devices(status: Json) -> Iterator[AllocatedDevice]:
    results = (status.get("allocation") or {}).get("devices", {}).get("results", ())
    for result in results:
        if result.get("driver") == DRIVER:
            yield AllocatedDevice(result["pool"], result["device"], bool(result.get("adminAccess")))
