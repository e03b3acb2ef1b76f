"""ResourceClaims of every namespace: which devices the real scheduler gave to whom."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from api.group import PINNED_NODE
from controller.binding.dra import DRIVER, Pin, PinnedDevice, claim_spec, selected
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.resource_claim import DeviceRequest, ResourceClaim, ResourceClaimSpec


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
    spec: ResourceClaimSpec
    devices: tuple[AllocatedDevice, ...]
    allocated: bool
    reserved_for: tuple[str, ...]
    deleting: bool

    @property
    def key(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"


def resource_claim_view(claim: ResourceClaim) -> ResourceClaimView:
    """The view of a ResourceClaim object."""
    metadata, status = claim.metadata, claim.status
    owners = [reference.uid for reference in metadata.owner_references if reference.controller]
    return ResourceClaimView(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        owner_uid=owners[0] if owners else None,
        spec=claim.spec,
        devices=tuple(_devices(claim)),
        allocated=status.allocation is not None,
        reserved_for=tuple(user.uid for user in status.reserved_for if user.uid),
        deleting=metadata.deletion_timestamp is not None,
    )


def _devices(claim: ResourceClaim) -> Iterator[AllocatedDevice]:
    allocation = claim.status.allocation
    for result in allocation.devices.results if allocation is not None else ():
        if result.driver == DRIVER:
            yield AllocatedDevice(result.pool, result.device, result.admin_access)


_LONGEST_LABEL = 63
"""What the API server takes as a label's value; a Node's name may be 253 characters long."""


def pinned_to(node: str) -> dict[str, str]:
    """The label of a ResourceClaim that is pinned to the node; none for a name that no label can hold."""
    return {PINNED_NODE: node} if len(node) <= _LONGEST_LABEL else {}


def pinned_as(spec: ResourceClaimSpec, pin: Pin) -> bool:
    """Whether a stored claim asks for what we write for `pin`; what the API server defaults is the same as left out.

    Everything counts: alternatives, constraints, tolerations or driver configuration make it another claim.
    """
    return asks_for(spec, claim_spec(pin))


@dataclass(frozen=True, slots=True)
class Pinned:
    """Devices of one node by render index, all in the mode that AMD spells `profile`."""

    indices: frozenset[int]
    profile: str


def pinned_in(spec: ResourceClaimSpec) -> Pinned | None:
    """What a stored claim is pinned to; None for one that is not as we write it."""
    asked = spec.devices.requests[0].exactly if spec.devices.requests else None
    selector = asked.selectors[0].cel if asked is not None and asked.selectors else None
    found = selected(selector.expression) if selector is not None else None
    if found is None:
        return None
    indices, profile = found
    same = Pin("", "", tuple(PinnedDevice("", index) for index in indices), profile)
    return Pinned(frozenset(indices), profile) if pinned_as(spec, same) else None


def asks_for(spec: ResourceClaimSpec, wanted: Mapping[str, Any]) -> bool:
    """The same for a spec as it was written, whatever it asks for."""
    return _defaulted(spec) == _defaulted(typed(wanted, ResourceClaimSpec))


def _defaulted(spec: ResourceClaimSpec) -> ResourceClaimSpec:
    requests = tuple(_with_count(request) for request in spec.devices.requests)
    return replace(spec, devices=replace(spec.devices, requests=requests))


def _with_count(request: DeviceRequest) -> DeviceRequest:
    asked = request.exactly
    if asked is None or asked.allocation_mode not in ("", "ExactCount"):
        return request
    return replace(request, exactly=replace(asked, allocation_mode="ExactCount", count=asked.count or 1))
