"""What a container is told of its devices: names for AMD's runtime and ours, and the device nodes that exist. Pure.

A whole claim (or a whole container, with a device plugin) has

    AMD_VISIBLE_DEVICES    the devices by their place among all of the node's, as AMD's container toolkit counts
    ROCR_VISIBLE_DEVICES   the same by their place inside the container, where no others are seen: 0, or 0,1,...
    AIM_GPU_DEVICES        the devices as `address/partition mode`, separated by commas

and each of its devices `AIM_GPU_DEVICE_<render minor>`, so that a container with two claims is told of both.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from controller.agent.backend import HardwareGpu, HardwarePartition, NodeHardware
from controller.agent.driver_attributes import device_name
from controller.gpu.identity import PartitionId

SHARED_NODE = "/dev/kfd"


@dataclass(frozen=True, slots=True)
class NodeDevice:
    """A partition of the node; `index` is its place among all of them, by render minor."""

    gpu: HardwareGpu
    partition: HardwarePartition
    index: int

    @property
    def name(self) -> str:
        """As the DRA driver calls it."""
        return device_name(self.partition)

    @property
    def told(self) -> str:
        """Which it is, in the words of a pod's assigned partition: `0000:05:00.0/3 CPX/NPS4`."""
        identity = PartitionId(self.gpu.bdf, self.partition.id)
        return f"{identity} {self.gpu.mode}" if self.gpu.mode else str(identity)


def node_devices(hardware: NodeHardware) -> tuple[NodeDevice, ...]:
    """Every partition of the node, by render minor."""
    found = [(partition.render_index, gpu, partition) for gpu in hardware.gpus for partition in gpu.partitions]
    found.sort(key=lambda one: one[0])
    return tuple(NodeDevice(gpu, partition, index) for index, (_, gpu, partition) in enumerate(found))


def shared_environment(devices: Sequence[NodeDevice]) -> dict[str, str]:
    """The variables of all devices together."""
    return {
        "AMD_VISIBLE_DEVICES": ",".join(str(device.index) for device in devices),
        "ROCR_VISIBLE_DEVICES": ",".join(map(str, range(len(devices)))),
        "AIM_GPU_DEVICES": ",".join(device.told for device in devices),
    }


def device_environment(device: NodeDevice) -> dict[str, str]:
    """The variable of one device."""
    return {f"AIM_GPU_DEVICE_{device.partition.render_index}": device.told}


def environment(devices: Sequence[NodeDevice]) -> dict[str, str]:
    """All variables of a container with these devices."""
    found = shared_environment(devices)
    for device in devices:
        found |= device_environment(device)
    return found


def device_nodes(devices: Iterable[NodeDevice], exists: Callable[[str], bool]) -> tuple[str, ...]:
    """The paths to give to a container, those that `exists` says are there: simulated GPUs mostly have none."""
    wanted: Mapping[str, None] = dict.fromkeys(
        path
        for device in devices
        for path in (
            SHARED_NODE,
            f"/dev/dri/card{device.partition.card_index}",
            f"/dev/dri/renderD{device.partition.render_index}",
        )
    )
    return tuple(path for path in wanted if exists(path))
