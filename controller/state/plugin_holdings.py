"""What pods hold through AMD's device plugin: which partitions where the kubelet tells, else how many.

The kubelet chooses the device, and the node's agent asks it which (GPUNode.status.assigned). Until that is told, a
pod's devices are counted only.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from api.v1beta1 import GPUNode, GPUPartitionClaim
from api.v1beta1.gpu_node import AssignedDevice
from controller.binding.device_plugin import RESOURCE_PREFIX
from controller.gpu.identity import PartitionId
from controller.placement.demand import Resources
from controller.placement.snapshot import Holder
from controller.runtime.manifest import Manifest
from controller.state.pods import PodTable
from controller.state.table import Table
from controller.translate.pod import PodView


class PluginWorld(Protocol):
    """What is read; `Cluster` has it all."""

    pod_table: PodTable
    gpu_node_table: Table[Manifest, GPUNode]
    claim_table: Table[Manifest, GPUPartitionClaim]


@dataclass(frozen=True, slots=True)
class PluginHoldings:
    """Holders by node and partition; and by node and resource, how many devices are taken beyond these."""

    by_partition: Mapping[tuple[str, PartitionId], Holder]
    unlocated: defaultdict[str, Counter[str]]


def plugin_holdings(world: PluginWorld, bound: Iterable[GPUPartitionClaim], nodes: Iterable[str]) -> PluginHoldings:
    """Everything that pods hold on these nodes, or will hold once the scheduler has placed them where we bound them.

    `bound`: the claims that are bound or allocated by an extended resource.
    """
    by_partition: dict[tuple[str, PartitionId], Holder] = {}
    unlocated: defaultdict[str, Counter[str]] = defaultdict(Counter)
    known: Counter[str] = Counter()
    for claim in bound:
        allocation, pod = claim.status.allocation, world.pod_table.of_claim(claim)
        if allocation is None or allocation.resource is None:
            continue
        if pod is None or pod.node is None:
            unlocated[allocation.node][allocation.resource.name] += claim.spec.requirement.count
        else:
            known[pod.uid] += len(allocation.devices)
    for node in nodes:
        pods = world.pod_table.on_plugin(node)
        told = _told(world, node, pods)
        for key, devices in told.items():
            holder = _holder(world, pods[key])
            by_partition |= {(node, device): holder for device in devices}
        for key, pod in pods.items():
            located = max(len(told.get(key, ())), known[pod.uid])
            for resource, count in pod.devices.items():
                unlocated[node][resource] += max(0, count - located)
    return PluginHoldings(by_partition, unlocated)


def _told(world: PluginWorld, node: str, pods: Mapping[str, PodView]) -> dict[str, set[PartitionId]]:
    """By pod, the partitions that the kubelet says it holds. What it says of pods that have ended is out of date."""
    found: dict[str, set[PartitionId]] = defaultdict(set)
    for entry in plugin_devices_told(world.gpu_node_table.get(node)):
        key = f"{entry.namespace}/{entry.pod}"
        if key in pods and entry.bdf is not None and entry.partition is not None:
            found[key].add(PartitionId(entry.bdf, entry.partition))
    return found


def plugin_devices_told(gpu_node: GPUNode | None) -> Iterator[AssignedDevice]:
    """What the node's kubelet tells of devices of the device plugin; nothing where it does not tell."""
    for entry in (gpu_node.status.assigned if gpu_node is not None else None) or ():
        if entry.resource.startswith(RESOURCE_PREFIX):
            yield entry


def _holder(world: PluginWorld, pod: PodView) -> Holder:
    claim = f"{pod.namespace}/{pod.claim}"
    if pod.claim is not None and world.claim_table.get(claim) is not None:
        return Holder("ours", claim, world.pod_table.resources(f"{pod.namespace}/{pod.name}") or Resources())
    return Holder("foreign", f"{pod.namespace}/{pod.name}")
