"""Who holds the node's partitions, by the API's record.

ResourceClaims of every namespace tell who holds a device, GPUPartitionClaims which of them are ours, for which model
and service, and of what size. One of ours that is bound counts as a holder before the scheduler has confirmed it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from api.group import SERVICE_LABEL
from api.quantity import parse_quantity
from api.v1beta1.gpu_node import AssignedDevice
from controller.agent.backend import NodeHardware
from controller.agent.driver_attributes import device_name
from controller.binding.dra import DRIVER
from controller.gpu.identity import PartitionId
from controller.runtime.manifest import Manifest

_RELEASED, _BOUND = "Released", "Bound"


@dataclass(frozen=True, slots=True)
class Holder:
    """A claim on one device. `sized_bytes`: what ours was sized at, None when foreign.

    `pod` and `service`: whose ours is, "" for a share group's and where the pod is of no service. `place`: which
    partition the device is by our claim's word, None when foreign. `confirmed`: the scheduler allocated the device.
    `admin`: a look at the device beside whoever holds it.
    """

    namespace: str
    claim: str
    sized_bytes: int | None = None
    model: str = ""
    pod: str = ""
    service: str = ""
    place: PartitionId | None = None
    confirmed: bool = False
    admin: bool = False

    @property
    def ours(self) -> bool:
        """Whether a GPUPartitionClaim stands behind it."""
        return self.sized_bytes is not None


Holders = Mapping[str, tuple[Holder, ...]]
"""Holders by device name, those who hold exclusively first; free devices are absent."""


def holders(node: str, resource_claims: Iterable[Manifest], partition_claims: Iterable[Manifest]) -> Holders:
    """Who holds which device of the node's pool. Both are objects as the API has them."""
    ours = {_key(claim): claim for claim in partition_claims if _bound_to(claim) == node}
    found: dict[str, list[Holder]] = defaultdict(list)
    confirmed: set[tuple[str, tuple[str, str]]] = set()
    for claim in resource_claims:
        key = _key(claim)
        for result in allocated_devices(claim):
            if result["pool"] != node:
                continue
            admin = bool(result.get("adminAccess"))
            own = None if admin else ours.get(key)
            found[result["device"]].append(_holder(key, own, result["device"], confirmed=True, admin=admin))
            confirmed.add((result["device"], key))
    for key, claim in ours.items():
        for device in claim["status"]["allocation"].get("devices") or ():
            if device.get("device") and (device["device"], key) not in confirmed:
                found[device["device"]].append(_holder(key, claim, device["device"], confirmed=False, admin=False))
    return {name: tuple(sorted(held, key=lambda one: one.admin)) for name, held in found.items()}


Waiting = Mapping[tuple[str, str], Holder]
"""Claims of ours that are bound and do not know their device yet, by namespace and name of their pods."""


def waiting(node: str, partition_claims: Iterable[Manifest]) -> Waiting:
    """The claims on `node` to whose pods the kubelet may have given a device that the claim does not tell yet."""
    found = (claim for claim in partition_claims if _bound_to(claim) == node and awaits_device(claim))
    made = (_holder(_key(claim), claim, None, confirmed=False, admin=False) for claim in found)
    return {(holder.namespace, holder.pod): holder for holder in made}


def awaits_device(claim: Manifest) -> bool:
    """Whether a GPUPartitionClaim waits until it is known which device the kubelet gave to its pod."""
    status = claim.get("status") or {}
    allocation = status.get("allocation") or {}
    return status.get("phase") == _BOUND and "resource" in allocation and not allocation.get("devices")


def allocated_devices(claim: Manifest) -> Iterator[dict[str, Any]]:
    """The devices of AMD's driver that a ResourceClaim holds."""
    results = ((claim.get("status") or {}).get("allocation") or {}).get("devices", {}).get("results") or ()
    return (result for result in results if result.get("driver") == DRIVER)


def held_gpus(hardware: NodeHardware, held: AbstractSet[str]) -> frozenset[str]:
    """The GPUs that must not be changed, by the names of the devices that are held.

    A device that this node has not got (any more) counts for every GPU: nobody can tell which it means.
    """
    gpu_of = {device_name(partition): gpu.bdf for gpu in hardware.gpus for partition in gpu.partitions}
    if held - gpu_of.keys():
        return frozenset(gpu.bdf for gpu in hardware.gpus)
    return frozenset(gpu_of[name] for name in held)


def given_gpus(hardware: NodeHardware, assigned: Iterable[AssignedDevice]) -> frozenset[str]:
    """The GPUs that must not be changed because the kubelet gave one of their partitions to a container.

    A device that is none of this node's (any more) counts for every GPU.
    """
    given = {device.bdf for device in assigned}
    whole = frozenset(gpu.bdf for gpu in hardware.gpus)
    return whole if None in given else whole & {bdf for bdf in given if bdf is not None}


def used_bytes(hardware: NodeHardware, held: Holders) -> dict[PartitionId, int]:
    """What simulated holders use, by partition: our claims what they were sized at, foreign ones all there is."""
    used = {}
    for gpu in hardware.gpus:
        for partition in gpu.partitions:
            holder = exclusive(held.get(device_name(partition), ()))
            if holder is not None and holder.confirmed:
                amount = partition.bytes if holder.sized_bytes is None else holder.sized_bytes
                used[PartitionId(gpu.bdf, partition.id)] = amount
    return used


def exclusive(held: tuple[Holder, ...]) -> Holder | None:
    """The one that holds the device for itself, None when only lookers-on or nobody do."""
    return held[0] if held and not held[0].admin else None


def _holder(key: tuple[str, str], ours: Manifest | None, device: str | None, *, confirmed: bool, admin: bool) -> Holder:
    if ours is None:
        return Holder(*key, confirmed=confirmed, admin=admin)
    spec = ours["spec"]
    return Holder(
        *key,
        sized_bytes=parse_quantity(spec["requirement"]["memory"]),
        model=(spec.get("model") or {}).get("id", ""),
        pod=(spec.get("podRef") or {}).get("name", ""),
        service=(ours["metadata"].get("labels") or {}).get(SERVICE_LABEL, ""),
        place=_place(ours, device),
        confirmed=confirmed,
    )


def _place(claim: Manifest, name: str | None) -> PartitionId | None:
    devices = claim["status"]["allocation"].get("devices") or ()
    return next((PartitionId(one["bdf"], one["partition"]) for one in devices if one.get("device") == name), None)


def _bound_to(claim: Manifest) -> str | None:
    status = claim.get("status") or {}
    if status.get("phase") == _RELEASED:
        return None
    node: str | None = (status.get("allocation") or {}).get("node")
    return node


def _key(claim: Manifest) -> tuple[str, str]:
    return claim["metadata"]["namespace"], claim["metadata"]["name"]
