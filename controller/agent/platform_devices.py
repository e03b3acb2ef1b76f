"""The platform devices of partitions, as the driver's files show them: `devices/platform/amdgpu_xcp_<n>`."""

from pathlib import Path

_DEVICES = "devices/platform"
_NAMES = "amdgpu_xcp*"  # some drivers write a dot where others write an underscore
_RENDER_NODES = "drm/renderD*"


def platform_minors(sysfs: Path) -> dict[str, int]:
    """The render minor of each platform device below `sysfs`, by the device's name. None there: none found."""
    found = {}
    for device in (sysfs / _DEVICES).glob(_NAMES):
        for node in device.glob(_RENDER_NODES):
            number = node.name.removeprefix("renderD")
            if number.isdecimal():
                found[device.name] = int(number)
    return found
