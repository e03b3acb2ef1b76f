"""Is the partition of a claim fit for use? The verdict from what Node, GPUNode and heartbeat say; no I/O."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from api.condition import find_condition
from api.v1beta1 import GPUNode, GPUPartitionClaim
from api.v1beta1.device import Device
from api.v1beta1.gpu_node import GPU, PartitionHealth
from controller.translate.node import HostView

CONDITION: Final = "Healthy"
"""On claims: absent until something was wrong with a partition once."""


class Reason(StrEnum):
    """Of the condition Healthy."""

    HEALTHY = "PartitionHealthy"
    UNHEALTHY = "PartitionUnhealthy"
    PARTITION_GONE = "PartitionGone"
    GPU_GONE = "GPUGone"
    MODE_CHANGED = "ModeChanged"
    MODE_UNREADABLE = "ModeUnreadable"
    UNREADABLE = "HardwareUnreadable"
    DISAGREE = "SourcesDisagree"
    STALE = "InventoryStale"
    NO_INVENTORY = "NoInventory"
    NOT_READY = "NodeNotReady"
    NODE_GONE = "NodeGone"


MOVABLE: Final = frozenset({Reason.UNHEALTHY, Reason.PARTITION_GONE, Reason.GPU_GONE, Reason.MODE_CHANGED})
"""A pod with such a partition is served by another one; of the others nobody knows, or nothing is known."""

QUARANTINED: Final = frozenset({Reason.UNHEALTHY})
"""A partition that is there and broke. One that is not there needs no quarantine to get nobody."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The condition to be: its status, why, and a sentence."""

    status: Literal["True", "False", "Unknown"]
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A node as it is known. `fresh`: its agent was heard of lately; `changing`: GPUs that a plan has in hand."""

    name: str
    host: HostView | None
    gpu_node: GPUNode | None
    fresh: bool
    changing: Collection[str] = ()


def silent(node: NodeSeen) -> Verdict | None:
    """Why nothing is known of any partition of the node; None when its inventory can be trusted."""
    name = node.name
    if node.host is None:
        return Verdict("Unknown", Reason.NODE_GONE, f"node {name} is gone; the pod ends with it")
    if not node.host.ready:
        return Verdict("Unknown", Reason.NOT_READY, f"node {name} is not Ready, so nobody knows how the pod is")
    if node.gpu_node is None:
        return Verdict("Unknown", Reason.NO_INVENTORY, f"node {name} has no inventory; label it to be managed again")
    if not node.fresh:
        message = f"the agent of node {name} has not been heard of for 40 s; start the agent"
        return Verdict("Unknown", Reason.STALE, message)
    for type_, reason in (("Ready", Reason.UNREADABLE), ("Consistent", Reason.DISAGREE)):
        found = find_condition(node.gpu_node.status.conditions, type_)
        if found is not None and found.status == "False":
            return Verdict("Unknown", reason, f"node {name}: {found.message}")
    return None


def judge(node: NodeSeen, claim: GPUPartitionClaim) -> Verdict | None:
    """The verdict on a claim that has a place on the node; None while a plan has its GPU in hand."""
    devices = devices_of(claim)
    if any(device.bdf in node.changing for device in devices):
        return None
    unknown = silent(node)
    if unknown is not None or node.gpu_node is None:
        return unknown
    return next(_faults(node.name, devices, node.gpu_node.status.gpus), None) or Verdict(
        "True", Reason.HEALTHY, "the partition is healthy"
    )


def devices_of(claim: GPUPartitionClaim) -> list[Device]:
    """What the pod really holds where that is known, else what it was given."""
    if claim.status.observed is not None and claim.status.observed.devices:
        return claim.status.observed.devices
    return claim.status.allocation.devices if claim.status.allocation is not None else []


def _faults(node: str, devices: Collection[Device], gpus: Collection[GPU]) -> Iterator[Verdict]:
    for device in devices:
        gpu = next((gpu for gpu in gpus if gpu.bdf == device.bdf), None)
        fault = _fault(f"{node} {device.bdf}/{device.partition}", device, gpu)
        if fault is not None:
            yield fault


def _fault(where: str, device: Device, gpu: GPU | None) -> Verdict | None:
    if gpu is None:
        return Verdict("False", Reason.GPU_GONE, f"{where}: its GPU is not there any more")
    if gpu.mode is None:
        return Verdict("Unknown", Reason.MODE_UNREADABLE, f"{where}: the mode of its GPU cannot be read")
    if gpu.mode != device.mode:
        message = f"{where}: its GPU is in mode {gpu.mode}, the claim was given a partition of {device.mode}"
        return Verdict("False", Reason.MODE_CHANGED, message)
    partition = next((one for one in gpu.partitions if one.id == device.partition), None)
    if partition is None:
        return Verdict("False", Reason.PARTITION_GONE, f"{where} is not there any more{_because(gpu)}")
    if partition.health is PartitionHealth.UNHEALTHY:
        return Verdict("False", Reason.UNHEALTHY, f"{where} is unhealthy{_because(gpu)}")
    return None


def _because(gpu: GPU) -> str:
    return f": {gpu.problem}" if gpu.problem else ""
