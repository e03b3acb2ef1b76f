"""The one seam to the hardware: what an agent reads of a node's GPUs and the three changes it can make.

    BackendError                      status (AMD SMI's number)
    ├── NotSupported         2       the device, its driver or this backend cannot do that at all
    ├── Busy                30       somebody holds a device that must be idle; nothing was changed
    ├── NotPermitted        10       root is needed, or the device is a guest's: it can be read and not set
    ├── RestartFailed       54       the driver did not come back from a reload, mostly because of open handles
    │   └── ReloadTimeout            it did not come back in time; it may yet
    ├── SettingUnavailable  55       the device has not got that mode, or not together with the other one
    └── DriverGone          34       no driver answers, e.g. while it reloads

Implementations number GPUs by PCI address, never by handle: handles die with every change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from controller.gpu.identity import PartitionId
from controller.gpu.mode import ComputeMode, MemoryMode, Mode


class BackendError(Exception):
    """The root: the hardware refused or failed. The text names the device and the remedy."""

    status: ClassVar[int] = 0


class NotSupported(BackendError):
    """Neither now nor later; the text says what else there is."""

    status: ClassVar[int] = 2


class Busy(BackendError):
    """A device is in use; `gpus` are the addresses that must become idle first."""

    status: ClassVar[int] = 30

    def __init__(self, message: str, gpus: frozenset[str]) -> None:
        super().__init__(message)
        self.gpus = gpus


class NotPermitted(BackendError):
    """The process may not change this device."""

    status: ClassVar[int] = 10


class RestartFailed(BackendError):
    """The driver reload failed."""

    status: ClassVar[int] = 54


class ReloadTimeout(RestartFailed):
    """The reload took longer than a reload can: read again before anything else is done."""


class SettingUnavailable(BackendError):
    """The device has not got the mode that was asked for."""

    status: ClassVar[int] = 55


class DriverGone(BackendError):
    """There is no driver to talk to."""

    status: ClassVar[int] = 34


@dataclass(frozen=True, slots=True)
class EccCount:
    """Memory errors of one GPU since its driver was loaded."""

    correctable: int
    uncorrectable: int
    deferred: int


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process that has a GPU open. `name` is empty where it is not told."""

    pid: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class HardwarePartition:
    """One partition as the hardware tells it. Minor numbers are those of `renderD<n>` and `card<n>`.

    `bytes`, `compute_units` and `simd_units` are 0 where they are not told: never filled from a table.
    """

    id: int
    render_index: int
    card_index: int
    bytes: int
    compute_units: int
    simd_units: int
    healthy: bool = True


@dataclass(frozen=True, slots=True)
class HardwareGpu:
    """One GPU. `unique_id` is the chip's own number as text, `market_name` what the device calls itself.

    `mode` is None when compute or memory mode cannot be read. `missing_partitions`: those the mode has and the driver
    does not show. `ecc` None: not counted. `modes_allowed` are what the card reports, within what its driver knows.
    `hive`: GPUs of one number are linked with one another by xGMI; None: with none, or it is not told.
    """

    bdf: str
    unique_id: str
    product: str
    market_name: str
    family: str
    vram_bytes: int
    mode: Mode | None
    modes_allowed: tuple[Mode, ...]
    modes_validated: frozenset[Mode]
    partitions: tuple[HardwarePartition, ...]
    missing_partitions: int = 0
    ecc: EccCount | None = None
    hive: int | None = None


@dataclass(frozen=True, slots=True)
class NodeHardware:
    """All GPUs of a node, by address, and the driver that runs them.

    `disagreements`: where the sources that a backend compares (AMD SMI and KFD) tell different things, a sentence
    each. Nothing is placed on such a node, and no change counts as done there.
    """

    driver_version: str
    driver_source_version: str
    gpus: tuple[HardwareGpu, ...]
    disagreements: tuple[str, ...] = ()

    @property
    def modes(self) -> dict[str, Mode]:
        """The current mode by address, of each GPU whose mode can be read."""
        return {gpu.bdf: gpu.mode for gpu in self.gpus if gpu.mode is not None}


@dataclass(frozen=True, slots=True)
class PartitionUse:
    """What a partition does now: bytes in use, busy share of its compute units from 0 to 1; None: not told."""

    used_bytes: int | None
    busy: float | None


@dataclass(frozen=True, slots=True)
class GpuUse:
    """What a GPU does now, all its partitions together. `temperatures` in degrees Celsius by sensor: those of HOTSPOT,
    MEMORY and EDGE that it has. `power_watts` None: not told.
    """

    temperatures: Mapping[str, float]
    power_watts: float | None


HOTSPOT, MEMORY, EDGE = "hotspot", "memory", "edge"


@dataclass(frozen=True, slots=True)
class NodeUse:
    """The use of every partition and of every GPU, by address, at one moment."""

    partitions: Mapping[PartitionId, PartitionUse]
    gpus: Mapping[str, GpuUse]


class PartitionBackend(Protocol):
    """A node's GPUs. All calls raise BackendError's tree.

    `name`: amdsmi, sysfs or simulated. `simulated`: whether nothing of it is real. `writable`: whether it can change
    modes at all; one that cannot answers each change with NotSupported.
    """

    name: str
    simulated: bool
    writable: bool

    async def read(self) -> NodeHardware:
        """Everything anew from the hardware; what was read before a change is never valid after it."""
        ...

    async def set_memory_mode(self, mode: MemoryMode) -> None:
        """Ask for a memory mode on every GPU of the node; it takes effect with the next driver reload."""
        ...

    async def reload_driver(self) -> None:
        """Reload the driver. Compute modes are at the driver's default afterwards.

        Cancelling it leaves open whether the reload happens: read again.
        """
        ...

    async def set_compute_mode(self, bdf: str, mode: ComputeMode) -> None:
        """Change one GPU's compute mode, at once and without a reload."""
        ...

    async def processes(self) -> Mapping[str, tuple[GpuProcess, ...]]:
        """Who has a GPU open, by address; a GPU that nobody has open is absent. This process does not count."""
        ...

    async def usage(self) -> NodeUse:
        """Use of every partition and GPU at this moment."""
        ...
