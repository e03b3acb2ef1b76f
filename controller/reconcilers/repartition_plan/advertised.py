"""What a node advertises to the scheduler: devices in ResourceSlices, or counts of AMD's device plugin."""

from collections.abc import Mapping

from api.v1beta1 import GPUNode
from controller.binding.device_plugin import Naming, naming_of
from controller.binding.device_plugin import advertised as counts_of
from controller.binding.dra import DRIVER
from controller.runtime.objects.resource_slice import Device
from controller.state.cluster import Cluster
from controller.translate.node import gpus


def difference(cluster: Cluster, node: str) -> str | None:
    """How the reported partitions differ from the advertised ones, as a sentence; None when they do not.

    Compared is what binding uses: counts where the node works by the device plugin, whatever slices there are; else
    devices. Where no slice is, counts are all that can be compared.
    """
    found = cluster.gpu_node_table.get(node)
    if found is None:
        return f"GPUNode {node} is gone"
    host, seen = cluster.host_table.get(node), cluster.snapshot().node(node)
    # a kubelet keeps a resource with count 0 once nothing advertises it any more
    counts = {name: count for name, count in host.devices.items() if count} if host is not None else {}
    if seen is not None and seen.plugin:
        return _counts_differ(found, counts, Naming(seen.naming) if seen.naming else None)
    devices = advertised(cluster, node)
    if counts and not devices:
        return _counts_differ(found, counts, naming_of(counts))
    missing = reported(found) ^ devices
    if not missing:
        return None
    return f"inventory and advertised devices differ in {len(missing)}: {', '.join(sorted(missing)[:3])}"


def _counts_differ(node: GPUNode, counts: Mapping[str, int], naming: Naming | None) -> str | None:
    if naming is None:
        return "the device plugin has advertised nothing yet"
    modes = [gpu.mode for gpu in gpus(node) for partition in gpu.partitions if partition.healthy]
    wanted = counts_of(modes, naming)
    if wanted == counts and bool(wanted) == bool(modes):
        return None
    return f"the device plugin advertises {_told(counts)}, the inventory has {_told(wanted)}"


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing that it can name"


def reported(node: GPUNode) -> set[str]:
    """Devices that the agent reports, as `name profile`."""
    return {f"{partition.device} {gpu.mode.profile}" for gpu in gpus(node) for partition in gpu.partitions}


def advertised(cluster: Cluster, node: str) -> set[str]:
    """Devices that the driver advertises for the node, as `name profile`; only its newest pool generation counts."""
    slices = [
        found.spec
        for found in cluster.resource_slices.store.values()
        if found.spec.driver == DRIVER and found.spec.node_name == node
    ]
    newest = max((spec.pool.generation for spec in slices), default=0)
    return {
        f"{device.name} {_profile(device)}"
        for spec in slices
        if spec.pool.generation == newest
        for device in spec.devices
    }


def _profile(device: Device) -> str:
    attribute = device.attributes.get("partitionProfile")
    return (attribute.string if attribute is not None else None) or ""
