"""A GPU's temperatures and power as the driver's hardware monitor tells them, below its PCI device's ``hwmon`` folder.

Figures are of the whole GPU. Which number a sensor has differs by product; its label does not. What is not there, or
cannot be read now, is left out: the driver refuses while the GPU is suspended or being reset.
"""

from pathlib import Path

from controller.agent.backend import EDGE, HOTSPOT, MEMORY
from controller.agent.sysfs_device import number_in, text_in

_SENSORS = {"junction": HOTSPOT, "mem": MEMORY, "edge": EDGE}
"""The driver's labels (amdgpu_pm.c)."""

_POWER = ("power1_input", "power1_average")
"""What is drawn now, which newer drivers tell, and the average of about a second."""

_MILLIDEGREES = 1e3
_MICROWATTS = 1e6


def temperatures(device: Path) -> dict[str, float]:
    """Degrees Celsius by sensor."""
    found = {}
    for monitor in _monitors(device):
        for label in sorted(monitor.glob("temp*_label")):
            sensor = _SENSORS.get(text_in(label) or "")
            told = number_in(label.with_name(label.name.replace("_label", "_input")))
            if sensor is not None and told is not None:
                found[sensor] = told / _MILLIDEGREES
    return found


def power_watts(device: Path) -> float | None:
    """What the GPU draws; None where no monitor tells it."""
    files = [monitor / name for name in _POWER for monitor in _monitors(device)]
    told = next((drawn for file in files if (drawn := number_in(file)) is not None), None)
    return None if told is None else told / _MICROWATTS


def _monitors(device: Path) -> list[Path]:
    return sorted((device / "hwmon").glob("hwmon*"))
