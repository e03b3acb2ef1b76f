"""Who holds the node's partitions, by the API's record, and what each partition is used for.

ResourceClaims of every namespace tell who holds a device, GPUPartitionClaims which of them are ours, for which model
and of what size. A GPUPartitionClaim that is bound counts as a holder before the scheduler has confirmed it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from api.quantity import parse_quantity
from api.v1beta1.gpu_node import AssignedDevice
from controller.agent.backend import NodeHardware, PartitionUse
from controller.agent.driver_attributes import device_name
from controller.binding.dra import DRIVER
from controller.gpu.identity import PartitionId
from controller.runtime.manifest import Manifest

_RELEASED = "Released"


@dataclass(frozen=True, slots=True)
class Holder:
    """A claim on one device. `sized_bytes`: what ours was sized at, None when foreign.

    `confirmed`: the scheduler allocated the device. `admin`: a look at the device beside whoever holds it.
    """

    namespace: str
    claim: str
    sized_bytes: int | None = None
    model: str = ""
    confirmed: bool = False
    admin: bool = False

    @property
    def ours(self) -> bool:
        """Whether a GPUPartitionClaim stands behind it."""
        return self.sized_bytes is not None


@dataclass(frozen=True, slots=True)
class PartitionFigures:
    """One partition's use, for metrics. Bytes; `busy` 0 to 1; texts are "" where nobody holds it.

    `mode` is "" when it cannot be read; `used_bytes` and `busy` are None where they are not told.
    """

    node: str
    gpu: str
    partition: int
    mode: str
    namespace: str
    claim: str
    model: str
    total_bytes: int
    allocated_bytes: int
    used_bytes: int | None
    busy: float | None


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
            found[result["device"]].append(_holder(key, own, confirmed=True, admin=admin))
            confirmed.add((result["device"], key))
    for key, claim in ours.items():
        for device in claim["status"]["allocation"].get("devices") or ():
            if device.get("device") and (device["device"], key) not in confirmed:
                found[device["device"]].append(_holder(key, claim, confirmed=False, admin=False))
    return {name: tuple(sorted(held, key=lambda one: one.admin)) for name, held in found.items()}


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


def figures(
    node: str, hardware: NodeHardware, held: Holders, use: Mapping[PartitionId, PartitionUse]
) -> tuple[PartitionFigures, ...]:
    """One row for each partition, held or free."""
    rows = []
    for gpu in hardware.gpus:
        for partition in gpu.partitions:
            holder = exclusive(held.get(device_name(partition), ()))
            now = use.get(PartitionId(gpu.bdf, partition.id), PartitionUse(None, None))
            rows.append(
                PartitionFigures(
                    node=node,
                    gpu=gpu.bdf,
                    partition=partition.id,
                    mode=str(gpu.mode) if gpu.mode else "",
                    namespace=holder.namespace if holder else "",
                    claim=holder.claim if holder else "",
                    model=holder.model if holder else "",
                    total_bytes=partition.bytes,
                    allocated_bytes=_allocated(holder, partition.bytes),
                    used_bytes=now.used_bytes,
                    busy=now.busy,
                )
            )
    return tuple(rows)


def _allocated(holder: Holder | None, partition_bytes: int) -> int:
    if holder is None:
        return 0
    return partition_bytes if holder.sized_bytes is None else holder.sized_bytes


def _holder(key: tuple[str, str], ours: Manifest | None, *, confirmed: bool, admin: bool) -> Holder:
    if ours is None:
        return Holder(*key, confirmed=confirmed, admin=admin)
    spec = ours["spec"]
    return Holder(
        *key,
        sized_bytes=parse_quantity(spec["requirement"]["memory"]),
        model=(spec.get("model") or {}).get("id", ""),
        confirmed=confirmed,
    )


def _bound_to(claim: Manifest) -> str | None:
    status = claim.get("status") or {}
    if status.get("phase") == _RELEASED:
        return None
    node: str | None = (status.get("allocation") or {}).get("node")
    return node


def _key(claim: Manifest) -> tuple[str, str]:
    return claim["metadata"]["namespace"], claim["metadata"]["name"]
