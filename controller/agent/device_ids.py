"""Which partition a device id means that the kubelet tells: the names that AMD's plugins and drivers give. Pure.

AMD's device plugin names a GPU's first partition by the PCI address and the others by their platform devices,
`amdgpu_xcp_<n>` (some drivers write `amdgpu_xcp.<n>`); which render node such a device has, the driver's files tell.
AMD's DRA driver names every partition `gpu-<card>-<render>`.
"""

from collections.abc import Mapping

from controller.agent.backend import NodeHardware
from controller.agent.driver_attributes import device_name
from controller.gpu.identity import PartitionId

_RENDER_NODE = "renderD"


class DeviceIds:
    """The ids of one node's partitions. `platform_minors`: render minor by the name of the platform device."""

    def __init__(self, hardware: NodeHardware, platform_minors: Mapping[str, int]) -> None:
        self._known: dict[str, PartitionId] = {}
        by_minor: dict[int, PartitionId] = {}
        for gpu in hardware.gpus:
            for partition in gpu.partitions:
                found = PartitionId(gpu.bdf, partition.id)
                by_minor[partition.render_index] = found
                self._known[f"{_RENDER_NODE}{partition.render_index}"] = found
                self._known[device_name(partition)] = found
                if partition.id == 0:
                    self._known[gpu.bdf] = found
        for name, minor in platform_minors.items():
            if minor in by_minor:
                self._known[name] = by_minor[minor]

    def partition(self, device_id: str) -> PartitionId | None:
        """The partition of that id; None when it is none of this node's, in its present modes."""
        return self._known.get(device_id) or self._known.get(device_id.lower())
