"""What AMD's device plugin would advertise of a node: devices by resource, with their health. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.agent.health import gpu_health
from controller.agent.kubelet_plugins.device_environment import NodeDevice, node_devices
from controller.agent.kubelet_plugins.plugin import NodeView
from controller.agent.platform_devices import platform_device
from controller.binding.device_plugin import Naming, resource_name


@dataclass(frozen=True, slots=True)
class PluginDevice:
    """One device under its plugin's name. One that is not `healthy` is given to nobody."""

    id: str
    device: NodeDevice
    healthy: bool


DeviceLists = Mapping[str, Mapping[str, PluginDevice]]
"""Devices by id, by the resource that they are advertised as."""


def device_id(device: NodeDevice) -> str:
    """The plugin's name of a device: the PCI address of a GPU's first partition, platform devices for the others."""
    platform = platform_device(device.partition.render_index) if device.partition.id else None
    return platform or device.gpu.bdf


def device_lists(view: NodeView, naming: Naming) -> DeviceLists:
    """The lists as the node is. A GPU about to be changed has its devices unhealthy, one of unknown mode has none.

    With `single` naming a node whose GPUs are in several modes advertises nothing.
    """
    if view.hardware is None:
        return {}
    devices = [device for device in node_devices(view.hardware) if device.gpu.mode is not None]
    if naming is Naming.SINGLE and len({device.gpu.mode for device in devices}) > 1:
        return {}
    found: dict[str, dict[str, PluginDevice]] = {}
    for device in devices:
        usable = gpu_health(device.gpu, view.hardware, view.problem).covers(device.partition)
        listed = PluginDevice(device_id(device), device, usable and device.gpu.bdf not in view.changing)
        if device.gpu.mode is not None:
            found.setdefault(resource_name(device.gpu.mode, naming), {})[listed.id] = listed
    return found
