"""The attributes by which AMD's DRA driver describes devices, one table per version of the driver.

Pins select devices by these names, so the table published here and the pins must be of one version. `OF_2025_10` is
the driver's first public source (ROCm/k8s-gpu-dra-driver, October 2025). Its later commits, of 2026, dropped
renderIndex, cardIndex and parentPciAddr and added numaNode, driverVersionFull and the parent's
resource.kubernetes.io/pciBusID: pinning one partition by attributes is impossible there, so that version is neither
published nor supported. The PCIe root attribute, which the driver adds where it finds one, is left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from api.quantity import format_bytes
from controller.agent.backend import HardwareGpu, HardwarePartition, NodeHardware
from controller.gpu.mode import ComputeMode


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """One device and what it is part of."""

    node: NodeHardware
    gpu: HardwareGpu
    partition: HardwarePartition


@dataclass(frozen=True, slots=True)
class DriverAttributes:
    """The names that one version of the driver publishes, for a whole GPU and for a partition."""

    version: str
    whole_gpu: tuple[str, ...]
    partition: tuple[str, ...]
    capacity: tuple[str, ...]


_SHARED = (
    "type",
    "cardIndex",
    "renderIndex",
    "family",
    "productName",
    "driverVersion",
    "driverSrcVersion",
    "partitionProfile",
)

OF_2025_10 = DriverAttributes(
    version="2025-10",
    whole_gpu=(*_SHARED, "pciAddr", "deviceID"),
    partition=(*_SHARED, "parentPciAddr", "parentDeviceID"),
    capacity=("memory", "computeUnits", "simdUnits"),
)

_VALUES: Mapping[str, Callable[[DeviceFacts], dict[str, Any]]] = {
    "type": lambda of: {"string": "amdgpu" if whole(of.gpu) else "amdgpu-partition"},
    "cardIndex": lambda of: {"int": of.partition.card_index},
    "renderIndex": lambda of: {"int": of.partition.render_index},
    "family": lambda of: {"string": of.gpu.family},
    "productName": lambda of: {"string": of.gpu.market_name},
    "driverVersion": lambda of: {"version": of.node.driver_version},
    "driverSrcVersion": lambda of: {"string": of.node.driver_source_version},
    "partitionProfile": lambda of: {"string": of.gpu.mode.profile if of.gpu.mode else ""},
    "pciAddr": lambda of: {"string": of.gpu.bdf},
    "parentPciAddr": lambda of: {"string": of.gpu.bdf},
    "deviceID": lambda of: {"string": of.gpu.unique_id},
    "parentDeviceID": lambda of: {"string": of.gpu.unique_id},
}

_CAPACITIES: Mapping[str, Callable[[DeviceFacts], str]] = {
    "memory": lambda of: format_bytes(of.partition.bytes),
    "computeUnits": lambda of: str(of.partition.compute_units),
    "simdUnits": lambda of: str(of.partition.simd_units),
}


def whole(gpu: HardwareGpu) -> bool:
    """Whether the driver shows the GPU as one whole device; by its partitions where the mode cannot be read."""
    return len(gpu.partitions) == 1 if gpu.mode is None else gpu.mode.compute is ComputeMode.SPX


def device_name(partition: HardwarePartition) -> str:
    """The driver's name of a device, whole GPU or partition: `gpu-<card>-<render>`."""
    return f"gpu-{partition.card_index}-{partition.render_index}"


def device(facts: DeviceFacts, names: DriverAttributes = OF_2025_10) -> dict[str, Any]:
    """The device as an entry of a ResourceSlice."""
    listed = names.whole_gpu if whole(facts.gpu) else names.partition
    unknown = {"partitionProfile"} if facts.gpu.mode is None else set()
    return {
        "name": device_name(facts.partition),
        "attributes": {name: _VALUES[name](facts) for name in listed if name not in unknown},
        "capacity": {name: {"value": _CAPACITIES[name](facts)} for name in names.capacity},
    }
