"""The platform devices of partitions: `amdgpu_xcp_<n>`, one for each partition that is not its GPU's first.

A GPU's first partition is its PCI device. For the others the driver makes platform devices when it takes a GPU into
service, seven for each that can be divided, whatever its mode; each takes a render minor as it is made, after that of
its GPU. So the minors of a host count both, in order, eight a GPU. Which minor a platform device has, a host's own
files tell (`platform_minors`): no number is computed there. Hosts that are made up follow the driver's order
(`platform_device`).
"""

from collections.abc import Iterator
from pathlib import Path

from controller.agent.backend import NodeHardware

FIRST_RENDER_MINOR = 128
MINORS_PER_GPU = 8

_FOLDERS = ("devices/platform", "bus/platform/devices")
_NAMES = "amdgpu_xcp*"  # some drivers write a dot where others write an underscore
_RENDER_NODES = "drm/renderD*"


def device_folders(sysfs: Path) -> Iterator[Path]:
    """The folders of the platform devices below `sysfs`. A host has each twice, under two paths."""
    for folder in _FOLDERS:
        yield from (sysfs / folder).glob(_NAMES)


def platform_minors(sysfs: Path) -> dict[str, int]:
    """The render minor of each platform device below `sysfs`, by the device's name. None there: none found."""
    found = {}
    for device in device_folders(sysfs):
        for node in device.glob(_RENDER_NODES):
            number = node.name.removeprefix("renderD")
            if number.isdecimal():
                found[device.name] = int(number)
    return found


def platform_device(render_minor: int) -> str | None:
    """The platform device with that minor where every GPU can be divided; None: it is a GPU's PCI device."""
    gpu, partition = divmod(render_minor - FIRST_RENDER_MINOR, MINORS_PER_GPU)
    return f"amdgpu_xcp_{gpu * (MINORS_PER_GPU - 1) + partition - 1}" if partition else None


def numbered_minors(hardware: NodeHardware) -> dict[str, int]:
    """The platform devices of a node without files of its own, as the driver would make them."""
    minors = [partition.render_index for gpu in hardware.gpus for partition in gpu.partitions if partition.id]
    return {name: minor for minor in minors if (name := platform_device(minor)) is not None}
