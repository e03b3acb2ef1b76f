"""What the kubelet told of a pod's devices, and whether that is what the pod was bound to.

The agent of a node reads the kubelet's PodResources into GPUNode.status.assigned. With the device plugin that is where
a claim's device becomes known; with a ResourceClaim it is a second word on what the scheduler allocated.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from api.v1beta1 import GPUNode
from api.v1beta1.device import Device
from api.v1beta1.gpu_node import AssignedDevice
from api.v1beta1.gpu_partition_claim import Allocation
from controller.binding.device_plugin import RESOURCE_PREFIX
from controller.binding.dra import DRIVER
from controller.gpu.identity import PartitionId
from controller.translate.pod import PodView


@dataclass(frozen=True, slots=True)
class Observed:
    """The pod's devices that are partitions of the node, and the names of those that are none."""

    devices: tuple[Device, ...]
    strangers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What is wrong with the devices of a pod: a CamelCase reason, and a sentence with a remedy."""

    reason: str
    message: str


def observed(gpu_node: GPUNode | None, pod: PodView, allocation: Allocation) -> Observed | None:
    """The devices that the kubelet told of, by number; None where it tells nothing of the pod."""
    if gpu_node is None:
        return None
    devices: dict[PartitionId, Device] = {}
    strangers = set()
    for entry in _entries(gpu_node, pod, allocation):
        device = _device(gpu_node, entry)
        if device is None:
            strangers.add(entry.device)
        else:
            devices[PartitionId(device.bdf, device.partition)] = device
    if not devices and not strangers:
        return None
    return Observed(tuple(devices[number] for number in sorted(devices)), tuple(sorted(strangers)))


def _entries(gpu_node: GPUNode, pod: PodView, allocation: Allocation) -> Iterator[AssignedDevice]:
    for entry in gpu_node.status.assigned or ():
        by_plugin = entry.resource.startswith(RESOURCE_PREFIX)
        if (entry.namespace, entry.pod) == (pod.namespace, pod.name) and (
            by_plugin if allocation.resource is not None else entry.resource == DRIVER
        ):
            yield entry


def _device(gpu_node: GPUNode, entry: AssignedDevice) -> Device | None:
    """The partition as the inventory has it; None when it has none such."""
    for gpu in gpu_node.status.gpus:
        for partition in gpu.partitions if gpu.mode is not None and gpu.bdf == entry.bdf else ():
            if partition.id == entry.partition:
                return Device(
                    device=partition.device,
                    pool=gpu_node.metadata.name,
                    render_index=partition.render_index,
                    bdf=gpu.bdf,
                    partition=partition.id,
                    mode=gpu.mode or "",
                    bytes=partition.bytes,
                )
    return None


def mismatch(allocation: Allocation, found: Observed, count: int, others: Collection[PartitionId]) -> Mismatch | None:
    """The first thing that contradicts the allocation of `count` devices; None when all is as it should be.

    `others` are partitions of the node that other claims have.
    """
    if found.strangers:
        names = ", ".join(found.strangers)
        return Mismatch(
            "UnknownDevice",
            f"the kubelet gave the pod {names}, which no GPU of node {allocation.node} has; restart the device plugin "
            "there, then delete the pod",
        )
    if len(found.devices) != count:
        given = ", ".join(map(_text, found.devices))
        return Mismatch("OtherCount", f"the kubelet gave the pod {given}, asked was for {count}; delete the pod")
    taken = [device for device in found.devices if _id(device) in others]
    if taken:
        return Mismatch(
            "HeldByAnother",
            f"the kubelet gave the pod {_text(taken[0])}, which another pod has by its claim; delete the pod, and "
            f"restart the device plugin of node {allocation.node} if it happens again",
        )
    return _contradicted(allocation, found)


def _contradicted(allocation: Allocation, found: Observed) -> Mismatch | None:
    resource = allocation.resource
    if resource is None:
        if {_id(device) for device in found.devices} == {_id(device) for device in allocation.devices}:
            return None
        given, bound = (", ".join(map(_text, devices)) for devices in (found.devices, allocation.devices))
        return Mismatch("OtherDevice", f"the kubelet gave the pod {given}, bound was {bound}; delete the pod")
    for device in found.devices:
        if device.mode != resource.mode:
            return Mismatch(
                "OtherMode",
                f"the kubelet gave the pod {_text(device)}, asked was {resource.mode}; delete the pod, and restart the "
                f"device plugin of node {allocation.node} if it happens again",
            )
    return None


def _id(device: Device) -> PartitionId:
    return PartitionId(device.bdf, device.partition)


def _text(device: Device) -> str:
    return f"{device.bdf}/{device.partition} in {device.mode}"
