"""The GPUs of this host through AMD's own library, checked against what the driver's files show.

Everything runs in one thread, as the library blocks and is not made to be called twice at a time; each call has a time
limit. Each is a visit of its own to the library (see `amdsmi_session`).
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from controller.agent.amdsmi_errors import AmdsmiFailure
from controller.agent.amdsmi_facts import NodeFacts, memory_text, profiles, read_facts
from controller.agent.amdsmi_hardware import Sources, node_hardware
from controller.agent.amdsmi_library import load_amdsmi
from controller.agent.amdsmi_session import Device, Session, visit
from controller.agent.amdsmi_use import as_processes, read_processes, read_use
from controller.agent.backend import (
    Busy,
    DriverGone,
    GpuProcess,
    NodeHardware,
    NodeUse,
    NotPermitted,
    NotSupported,
    ReloadTimeout,
    SettingUnavailable,
)
from controller.agent.driver_reload import DriverReload
from controller.agent.kfd import Topology, TopologyError
from controller.agent.library_worker import LibraryWorker, StillBusy
from controller.agent.modprobe import ModprobeRunner, ProgramRunner
from controller.agent.sysfs import read_topology
from controller.agent.sysfs_backend import SysfsBackend
from controller.agent.sysfs_device import cards, text_in
from controller.gpu.mode import ComputeMode, MemoryMode

_SET_PROFILE = "amdsmi_set_gpu_accelerator_partition_profile"
_SET_COMPUTE = "amdsmi_set_gpu_compute_partition"
_MEMORY_SETTERS = ("amdsmi_set_gpu_memory_partition_mode", "amdsmi_set_gpu_memory_partition")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that calls may take. A memory mode has a reload's: before ROCm 7.0 setting it reloads."""

    read: float = 30.0
    change: float = 120.0
    reload: float = 300.0


class AmdsmiBackend:
    """`amdsmi` is the package with its library loaded. `root` is `/sys`, None: nothing to compare with there.

    `limits` are those of the calls to come.
    """

    name = "amdsmi"
    simulated = False
    writable = True

    def __init__(
        self,
        amdsmi: Any,
        *,
        root: Path | None = None,
        modprobe: ProgramRunner | None = None,
        limits: Limits | None = None,
        pid: int | None = None,
    ) -> None:
        self._amdsmi = amdsmi
        self._root = root
        self._files = SysfsBackend(root) if root is not None else None
        self._reload = DriverReload(amdsmi, modprobe or ModprobeRunner())
        self.limits = limits or Limits()
        self._pid = os.getpid() if pid is None else pid
        self._worker = LibraryWorker()

    async def read(self) -> NodeHardware:
        """Everything anew. Raises DriverGone, also when nothing answers in time."""
        return await self._ask("reading the GPUs", self._read)

    async def set_memory_mode(self, mode: MemoryMode) -> None:
        """Ask for a memory mode on each GPU that is not in it.

        Raises SettingUnavailable too when all are in it: the driver ignores such a request, so that one which stands
        for another mode cannot be taken back and comes with the next reload.
        """
        await self._change(f"setting memory mode {mode}", lambda: self._set_memory(mode), self.limits.reload)

    async def reload_driver(self) -> None:
        """Reload through AMD SMI, or with modprobe where it cannot. Raises ReloadTimeout when it takes too long.

        Late or cancelled it goes on, and until it ends every other call fails with DriverGone.
        """
        try:
            await self._worker.call("reloading the driver", self._reload.run, self.limits.reload)
        except StillBusy as error:
            raise DriverGone(f"reloading the driver: not begun, {error}: wait, or reboot the node") from error
        except TimeoutError as error:
            raise ReloadTimeout(
                f"the driver is not back {self.limits.reload:g} s after its reload began: read the kernel's log for "
                "what it waits for; if it does not come back, reboot the node"
            ) from error

    async def set_compute_mode(self, bdf: str, mode: ComputeMode) -> None:
        """Change one GPU, by the index of the profile where the release has that."""
        what = f"setting compute mode {mode} of GPU {bdf}"
        await self._change(what, lambda: self._set_compute(bdf, mode), self.limits.change)

    async def processes(self) -> Mapping[str, tuple[GpuProcess, ...]]:
        """By AMD SMI, and by KFD where its list is there. KFD numbers processes as the host does, AMD SMI as /proc."""
        found = await self._ask("listing processes", self._processes)
        for bdf, contexts in (await self._contexts()).items():
            for process in contexts:
                found.setdefault(bdf, {}).setdefault(process.pid, process.name)
        return {bdf: told for bdf, names in found.items() if (told := as_processes(names, self._pid))}

    async def usage(self) -> NodeUse:
        """Use by partition and by GPU, None where it is not told, or of a partition only the whole GPU's."""
        return await self._ask("reading the use of the GPUs", self._usage)

    def close(self) -> None:
        """End the thread once the library comes back."""
        self._worker.close()

    def _read(self) -> NodeHardware:
        with visit(self._amdsmi) as session:
            facts = read_facts(session)
        return node_hardware(Sources(facts) if self._root is None else _compared(facts, self._root))

    def _processes(self) -> dict[str, dict[int, str]]:
        with visit(self._amdsmi) as session:
            return read_processes(session)

    async def _contexts(self) -> Mapping[str, tuple[GpuProcess, ...]]:
        """KFD's processes; none where it does not list them."""
        try:
            return await self._files.processes() if self._files is not None else {}
        except NotSupported:
            return {}

    def _usage(self) -> NodeUse:
        with visit(self._amdsmi) as session:
            return read_use(session)

    def _set_memory(self, mode: MemoryMode) -> None:
        with visit(self._amdsmi) as session:
            gpus = tuple(dict.fromkeys(device.bdf for device in session.devices()))
        try:
            # a visit each: before ROCm 7.0 the first request reloads the driver, and no handle outlives that
            changed = [bdf for bdf in gpus if self._ask_for_memory(bdf, mode)]
        except Busy as error:
            raise Busy(str(error), frozenset(gpus)) from error  # it is the node's: every GPU must be idle
        if not changed:
            raise SettingUnavailable(
                f"memory mode {mode}: every GPU is in it, and the driver ignores such a request: one that stands for "
                "another mode comes with the next reload; reload the driver once nobody uses the GPUs, then ask again"
            )

    def _ask_for_memory(self, bdf: str, mode: MemoryMode) -> bool:
        with visit(self._amdsmi) as session:
            device = session.primary(bdf)
            if memory_text(session, device)[1] == mode:
                return False
            _refuse_guest(session, device)
            setter = next((call for call in _MEMORY_SETTERS if session.has(call)), _MEMORY_SETTERS[-1])
            session.call(setter, device, self._member("AmdSmiMemoryPartitionType", mode))
            return True

    def _set_compute(self, bdf: str, mode: ComputeMode) -> None:
        with visit(self._amdsmi) as session:
            device = session.primary(bdf)
            _refuse_guest(session, device)
            if not _set_profile(session, device, mode):
                session.call(_SET_COMPUTE, device, self._member("AmdSmiComputePartitionType", mode))

    def _member(self, enum: str, name: str) -> Any:
        """The package's enum member: it takes nothing else. Raises NotSupported when it has none of that name."""
        try:
            return getattr(self._amdsmi, enum)[name]
        except (AttributeError, KeyError) as error:
            raise NotSupported(f"{enum} {name}: this release of the Python package amdsmi does not know it") from error

    async def _ask(self, what: str, work: Callable[[], T]) -> T:
        try:
            return await self._worker.call(what, work, self.limits.read)
        except TimeoutError as error:
            reason = str(error) or f"AMD SMI does not answer within {self.limits.read:g} s"
            raise DriverGone(f"{what}: {reason}: read the kernel's log; reboot the node if it stays so") from error

    async def _change(self, what: str, work: Callable[[], None], limit: float) -> None:
        try:
            await self._worker.call(what, work, limit)
        except StillBusy as error:
            raise DriverGone(f"{what}: not begun, {error}: wait, or reboot the node") from error
        except TimeoutError as error:
            raise AmdsmiFailure(f"{what}: no answer within {limit:g} s: read the hardware again", None) from error


def open_amdsmi(root: Path | None = Path("/sys")) -> AmdsmiBackend:
    """The backend of this host. Raises AmdsmiUnavailable where AMD SMI is not installed."""
    return AmdsmiBackend(load_amdsmi(), root=root)


def _compared(facts: NodeFacts, root: Path) -> Sources:
    """The facts with what the driver's files tell. Raises AmdsmiFailure for files that go while they are read."""
    module = root / "module/amdgpu"
    try:
        return Sources(
            facts,
            _topology(root),
            cards(root),
            text_in(module / "version") or "",
            text_in(module / "srcversion") or "",
        )
    except OSError as error:
        raise AmdsmiFailure(f"reading the driver's files: {error}: read them again", None) from error


def _topology(root: Path) -> Topology | str:
    """What KFD shows, or why it cannot be read."""
    try:
        return read_topology(root)
    except TopologyError as error:
        return str(error)


def _refuse_guest(session: Session, device: Device) -> None:
    told = session.told("amdsmi_get_gpu_virtualization_mode", device) or {}
    if getattr(told.get("mode"), "name", "") == "GUEST":
        raise NotPermitted(
            f"GPU {device.bdf}: a virtual function, which a guest can read and not set: set it on the host"
        )


def _set_profile(session: Session, device: Device, mode: ComputeMode) -> bool:
    """Set the mode by its profile's index. False where the release or the device cannot: nothing was changed."""
    if not session.has(_SET_PROFILE):
        return False
    index = next((profile.index for profile in profiles(session, device) or () if profile.compute is mode), None)
    if index is None:
        return False
    try:
        session.call(_SET_PROFILE, device, index)
    except NotSupported:
        return False
    return True
