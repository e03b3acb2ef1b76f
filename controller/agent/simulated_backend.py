"""A node of Instinct GPUs that exists in memory: same modes, same refusals, same order of events, no hardware.

How long things take and what goes wrong is the script's (`simulated_faults`). Durations are multiplied by `time_scale`
and slept through the Clock; how long a fault lasts is not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.agent.backend import (
    BackendError,
    Busy,
    DriverGone,
    GpuProcess,
    NodeHardware,
    NodeUse,
    NotPermitted,
    PartitionUse,
    ReloadTimeout,
    RestartFailed,
    SettingUnavailable,
)
from controller.agent.simulated_faults import (
    LASTING,
    NO_FAULTS,
    Call,
    Fault,
    FaultPlayer,
    FaultScript,
    FaultScriptError,
    ScriptedFault,
)
from controller.agent.simulated_hardware import SimulatedNode
from controller.agent.simulated_seed import MAX_GPUS, PRODUCT, seeded_gpus
from controller.agent.simulated_state import SimulatedModes, load_modes, save_modes
from controller.agent.simulated_use import UNTOLD, busy_share, gpu_use
from controller.gpu.identity import PartitionId
from controller.gpu.mode import ComputeMode, MemoryMode, Mode
from controller.gpu.product import product_named
from controller.runtime.clock import Clock

_FIRST_PID = 4000
_FOREIGN_PID = 66666


@dataclass(frozen=True, slots=True)
class SimulatedShape:
    """A node to begin with: its GPUs' first mode, how many and of which product, and what befalls them.

    `time_scale` 1 is realistic, 0 instant; `state_file` None forgets modes at the end.
    """

    mode: Mode
    gpus: int = MAX_GPUS
    time_scale: float = 1.0
    state_file: Path | None = None
    product: str = PRODUCT
    script: FaultScript = NO_FAULTS


@dataclass(frozen=True, slots=True)
class _Unloaded:
    """No driver answers, until that time (None: for ever). `reloads`: it then comes back reloaded, by itself."""

    until: float | None
    reloads: bool


class SimulatedBackend:
    """Simulated GPUs whose users are told by two callables: real hardware knows them by its open handles.

    `held`: addresses of GPUs that somebody holds. `used`: bytes in use by partition; absent ones are idle. Raises
    UnknownProduct, SettingUnavailable for a first mode that the product has not got, StateFileError for a bad state
    file, FaultScriptError for a script about a GPU that is not here.
    """

    name = "simulated"
    simulated = True
    writable = True

    def __init__(
        self,
        shape: SimulatedShape,
        clock: Clock,
        *,
        held: Callable[[], frozenset[str]],
        used: Callable[[], Mapping[PartitionId, int]],
    ) -> None:
        self._clock = clock
        self._held_by_claims = held
        self._used = used
        self._scale = shape.time_scale
        self._durations = shape.script.durations
        self._state_file = shape.state_file
        self._product = product_named(shape.product)
        self._gpus = {gpu.bdf: gpu for gpu in seeded_gpus(shape.gpus, self._product)}
        self._require(shape.mode)
        for fault in shape.script.faults:
            _require_known(fault, frozenset(self._gpus))
        self._faults = FaultPlayer(shape.script, clock)
        bdfs = tuple(self._gpus)
        stored = load_modes(shape.state_file, bdfs, self._product) if shape.state_file else None
        self._modes = stored or SimulatedModes.uniform(bdfs, shape.mode)
        self._reloading = False
        self._unloaded: _Unloaded | None = None
        self._boots = 0
        self._keep(self._modes)

    # What a backend does -----------------------------------------------------------------------------------------

    async def read(self) -> NodeHardware:
        """The node in its present modes. Raises DriverGone while no driver answers."""
        self._begin(Call.READ)
        return self.node().hardware()

    async def set_memory_mode(self, mode: MemoryMode) -> None:
        """Note the memory mode for the next reload. Raises Busy while any GPU is held, SettingUnavailable."""
        struck = self._begin(Call.SET_MEMORY_MODE)
        what = f"set memory mode {mode}"
        if not any(allowed.memory is mode for allowed in self._product.allowed):
            raise SettingUnavailable(
                f"memory mode {mode}: {self._product.name} has not got it; use one it lists as allowed"
            )
        self._require_idle(frozenset(self._gpus), what)
        self._refuse(struck, what, self._last)
        await self._take(self._durations.memory_seconds)
        if struck is None:
            self._keep(SimulatedModes(self._modes.memory, mode, self._modes.compute))

    async def reload_driver(self) -> None:
        """Reload; the noted memory mode takes effect. Raises RestartFailed while any GPU is held.

        Cancelled, nothing has changed, unless the reload hung: then it may yet happen.
        """
        struck = self._begin(Call.RELOAD_DRIVER)
        if held := self._held() & frozenset(self._gpus):
            raise RestartFailed(f"driver reload: open handles on GPUs {_listed(held)}; end their users first")
        self._refuse(struck, "driver reload", self._last)
        if struck is not None and struck.fault is Fault.RELOAD_HANGS:
            await self._hang(struck)
            return
        self._reloading = True
        try:
            await self._take(self._durations.reload_seconds + self._durations.reload_seconds_per_gpu * len(self._gpus))
        finally:
            self._reloading = False
        if struck is not None and struck.fault is Fault.RELOAD_FAILS_HALF_WAY:
            self._unloaded = _Unloaded(self._after(struck.seconds), reloads=False)
            raise RestartFailed("driver reload: the driver was unloaded and did not load again; reload it once more")
        self._reloaded(kept=struck is None)

    async def set_compute_mode(self, bdf: str, mode: ComputeMode) -> None:
        """Repartition one GPU. Raises Busy while it is held, SettingUnavailable for a mode it cannot be in."""
        struck = self._begin(Call.SET_COMPUTE_MODE, bdf)
        what = f"set compute mode {mode}"
        present = frozenset(gpu.bdf for gpu in self.node().present)
        if bdf not in present:
            raise SettingUnavailable(f"GPU {bdf}: not on this node; use one of {_listed(present)}")
        self._require(Mode(mode, self._modes.memory))
        self._require_idle(frozenset({bdf}), what)
        self._refuse(struck, what, bdf)
        await self._take(self._durations.compute_seconds)
        if struck is None:
            self._keep(self._modes.with_compute(bdf, mode))

    async def processes(self) -> Mapping[str, tuple[GpuProcess, ...]]:
        """A process for each held GPU, whoever holds one being taken to have it open, and the script's foreign ones."""
        self._begin(Call.PROCESSES)
        return self._open()

    async def usage(self) -> NodeUse:
        """Bytes as told; the rest is made up from them (see `simulated_use`)."""
        self._begin(Call.USAGE)
        node, used = self.node(), self._used()
        partitions: dict[PartitionId, PartitionUse] = {}
        gpus = {}
        for gpu in node.present:
            ids = [PartitionId(gpu.bdf, part.id) for part in node.partitions(gpu)]
            if node.has(Fault.NOT_TOLD, gpu.bdf):
                partitions |= dict.fromkeys(ids, PartitionUse(None, None))
                gpus[gpu.bdf] = UNTOLD
                continue
            shares = {one: busy_share(one, used.get(one, 0)) for one in ids}
            partitions |= {one: PartitionUse(used.get(one, 0), share) for one, share in shares.items()}
            gpus[gpu.bdf] = gpu_use(list(shares.values()))
        return NodeUse(partitions, gpus)

    # What only a simulated node can ---------------------------------------------------------------------------------

    def node(self) -> SimulatedNode:
        """The node as it is now, without a call being counted."""
        self._settle()
        faults = {fault: self._faults.lasting(fault, self._last) for fault in LASTING}
        loaded = self._unloaded is None and not self._reloading
        return SimulatedNode(self._product, tuple(self._gpus.values()), self._modes, faults, self._open(), loaded)

    def inject(self, fault: ScriptedFault) -> None:
        """One more fault; its calls are counted from now on. Raises FaultScriptError for a GPU that is not here."""
        _require_known(fault, frozenset(self._gpus))
        self._faults.add(fault)

    def reboot(self) -> None:
        """Power off and on: every GPU whole, what lasted over, a change under way lost; its call raises DriverGone."""
        self._boots += 1
        self._reloading, self._unloaded = False, None
        self._faults.restart()
        self._keep(SimulatedModes.uniform(tuple(self._gpus), self._product.allowed[0]))

    # Inside ---------------------------------------------------------------------------------------------------------

    @property
    def _last(self) -> str:
        return next(reversed(self._gpus))

    def _begin(self, call: Call, bdf: str | None = None) -> ScriptedFault | None:
        """Count the call and require a driver, which a reload may bring back."""
        self._settle()
        struck = self._faults.begin(call, bdf)
        loadable = self._unloaded is not None and not self._unloaded.reloads and call is Call.RELOAD_DRIVER
        if self._reloading or (self._unloaded is not None and not loadable):
            raise DriverGone("no driver answers; wait until it is back, or reload it")
        return struck

    def _settle(self) -> None:
        gone = self._unloaded
        if gone is None or gone.until is None or self._clock.monotonic() < gone.until:
            return
        self._unloaded = None
        if gone.reloads:
            self._reloaded(kept=True)

    def _reloaded(self, *, kept: bool) -> None:
        self._unloaded = None
        if not kept:
            self._modes = SimulatedModes(self._modes.memory, self._modes.memory, self._modes.compute)
        self._keep(self._modes.reloaded(self._product))
        self._faults.reload_ended()

    async def _hang(self, struck: ScriptedFault) -> None:
        limit = self._durations.reload_timeout_seconds * self._scale
        self._unloaded = _Unloaded(self._after(struck.seconds), reloads=True)
        if struck.seconds is not None and struck.seconds <= limit:
            await self._sleep(struck.seconds)
            self._settle()
            return
        await self._sleep(limit)
        raise ReloadTimeout(f"driver reload: not back after {limit:.0f} s; look at the kernel's log, restart the node")

    def _after(self, seconds: float | None) -> float | None:
        return None if seconds is None else self._clock.monotonic() + seconds

    def _refuse(self, struck: ScriptedFault | None, what: str, bdf: str) -> None:
        error = _refusal(struck.fault, what, struck.gpu or bdf) if struck is not None else None
        if error is not None:
            raise error

    def _require(self, mode: Mode) -> None:
        if mode not in self._product.allowed:
            allowed = ", ".join(str(known) for known in self._product.allowed)
            raise SettingUnavailable(f"mode {mode}: {self._product.name} has not got it; use one of {allowed}")

    def _require_idle(self, needed: frozenset[str], what: str) -> None:
        if held := self._held() & needed:
            raise Busy(f"{what}: GPUs {_listed(held)} are in use; end their users first", held)

    def _held(self) -> frozenset[str]:
        return self._held_by_claims() | self._faults.lasting(Fault.FOREIGN_PROCESS, self._last)

    def _open(self) -> Mapping[str, tuple[GpuProcess, ...]]:
        claimed, foreign = self._held_by_claims(), self._faults.lasting(Fault.FOREIGN_PROCESS, self._last)
        found = {}
        for number, bdf in enumerate(self._gpus):
            ours = [GpuProcess(_FIRST_PID + number, "simulated")] if bdf in claimed else []
            others = [GpuProcess(_FOREIGN_PID, "foreign")] if bdf in foreign else []
            if ours or others:
                found[bdf] = (*ours, *others)
        return found

    async def _take(self, seconds: float) -> None:
        await self._sleep(seconds * self._scale)

    async def _sleep(self, seconds: float) -> None:
        boots = self._boots
        await self._clock.sleep(seconds)
        if boots != self._boots:
            raise DriverGone("the node was restarted meanwhile; read it again")

    def _keep(self, modes: SimulatedModes) -> None:
        self._modes = modes
        if self._state_file is not None:
            save_modes(self._state_file, modes)


def _refusal(fault: Fault, what: str, bdf: str) -> BackendError | None:
    """The error by which the hardware refuses; None for a fault that is no refusal."""
    if fault is Fault.BUSY:
        return Busy(f"{what}: GPU {bdf} is in use; end its users first", frozenset({bdf}))
    if fault is Fault.NOT_PERMITTED:
        return NotPermitted(f"{what}: not permitted on GPU {bdf}; run as root, on the host that owns the device")
    if fault is Fault.RESTART_FAILED:
        return RestartFailed(f"{what}: GPU {bdf} has open handles; end their users first")
    if fault is Fault.SETTING_UNAVAILABLE:
        return SettingUnavailable(f"{what}: GPU {bdf} does not offer it now; use another mode")
    return None


def _require_known(fault: ScriptedFault, bdfs: frozenset[str]) -> None:
    if fault.gpu is not None and fault.gpu not in bdfs:
        raise FaultScriptError(f"{fault.fault}: gpu {fault.gpu}: not on this node; use one of {_listed(bdfs)}")


def _listed(bdfs: frozenset[str]) -> str:
    return ", ".join(sorted(bdfs))
