"""A GPU's own files below ``bus/pci/devices``: modes, names, memory errors, and the DRM nodes of its partitions.

What they do not tell is None: older kernels, guests and products that cannot be divided lack most of them, and the
driver refuses to read some while it resets the GPU.
"""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from controller.agent.backend import EccCount
from controller.agent.platform_devices import device_folders

_ModeT = TypeVar("_ModeT", bound=StrEnum)


def mode_in(path: Path, modes: type[_ModeT]) -> _ModeT | None:
    """The mode a device's file names; None when there is no such file, or it says something else (UNKNOWN)."""
    text = text_in(path)
    return modes(text) if text is not None and text in modes.__members__ else None


def modes_in(path: Path, modes: type[_ModeT]) -> tuple[_ModeT, ...]:
    """The modes a device's file lists, as in ``SPX, DPX, QPX, CPX``; those we do not know (NPS8) are left out."""
    listed = [word.strip() for word in (text_in(path) or "").split(",")]
    return tuple(modes(word) for word in listed if word in modes.__members__)


def text_in(path: Path) -> str | None:
    """A file's text without white space around it; None when it is not there or cannot be read now."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def number_in(path: Path) -> int | None:
    """A file's whole number; None when there is no such file, or no number in it."""
    text = text_in(path)
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def memory_errors(device: Path) -> EccCount | None:
    """The counts of the device's memory controller; None where it has none, or the driver is busy resetting it.

    The file has lines such as ``ue: 0``, ``ce: 3`` and, on newer kernels, ``de: 0``.
    """
    counts = {}
    for line in (text_in(device / "ras/umc_err_count") or "").splitlines():
        name, _, value = line.partition(":")
        if value.strip().isdigit():
            counts[name.strip()] = int(value)
    if not {"ue", "ce"} <= counts.keys():
        return None
    return EccCount(correctable=counts["ce"], uncorrectable=counts["ue"], deferred=counts.get("de", 0))


def cards(root: Path) -> dict[int, int]:
    """The number of ``card<n>`` by that of ``renderD<n>``, of every device below ``root``.

    Partition 0 has its DRM nodes below the PCI device, the others below platform devices of their own, which some
    drivers name ``amdgpu_xcp_<n>`` and others ``amdgpu_xcp.<n>``.
    """
    found = {}
    for drm in _drm_folders(root):
        names = {entry.name for entry in drm.iterdir()}
        card, render = _number(names, "card"), _number(names, "renderD")
        if card is not None and render is not None:
            found[render] = card
    return found


def _drm_folders(root: Path) -> Iterable[Path]:
    yield from (root / "bus/pci/devices").glob("*/drm")
    yield from (drm for device in device_folders(root) if (drm := device / "drm").is_dir())


def _number(names: set[str], prefix: str) -> int | None:
    numbers = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    return next((int(number) for number in numbers if number.isdecimal()), None)
