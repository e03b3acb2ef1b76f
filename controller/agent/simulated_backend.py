"""A node of MI300X GPUs that exists in memory: same modes, same refusals, same order of events, no hardware.

How long things take is of the order that operators of such servers report, not measured: a compute-mode change
1.5 s a GPU, setting the memory mode 1 s, a driver reload 20 s and 2.5 s more for each GPU (40 s for eight). All are
multiplied by `time_scale` and slept through the Clock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from controller.agent.backend import (
    Busy,
    DriverGone,
    EccCount,
    GpuProcess,
    HardwareGpu,
    HardwarePartition,
    NodeHardware,
    PartitionUse,
    RestartFailed,
    SettingUnavailable,
)
from controller.agent.simulated_seed import (
    DRIVER_SOURCE_VERSION,
    DRIVER_VERSION,
    FAMILY,
    MARKET_NAME,
    MAX_GPUS,
    PRODUCT,
    SIMD_PER_COMPUTE_UNIT,
    SeededGpu,
    seeded_gpus,
)
from controller.agent.simulated_state import SimulatedModes, load_modes, save_modes
from controller.gpu.identity import PartitionId
from controller.gpu.layout import slices
from controller.gpu.mode import ComputeMode, MemoryMode, Mode
from controller.gpu.product import product_named
from controller.runtime.clock import Clock

COMPUTE_SECONDS = 1.5
MEMORY_SECONDS = 1.0
RELOAD_SECONDS = 20.0
RELOAD_SECONDS_PER_GPU = 2.5

_FIRST_PID = 4000
_LEAST_BUSY = 0.35
_BUSY_SPAN = 0.5


@dataclass(frozen=True, slots=True)
class SimulatedShape:
    """A node to begin with. `time_scale` 1 is realistic, 0 instant; `state_file` None forgets modes at the end."""

    mode: Mode
    gpus: int = MAX_GPUS
    time_scale: float = 1.0
    state_file: Path | None = None


class SimulatedBackend:
    """Simulated GPUs whose users are told by two callables: real hardware knows them by its open handles.

    `held`: addresses of GPUs that somebody holds. `used`: bytes in use by partition; absent ones are idle. Raises
    SettingUnavailable for a first mode that the product has not got, StateFileError for a bad state file.
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
        self._held = held
        self._used = used
        self._scale = shape.time_scale
        self._state_file = shape.state_file
        self._product = product_named(PRODUCT)
        self._gpus = {gpu.bdf: gpu for gpu in seeded_gpus(shape.gpus)}
        self._require(shape.mode)
        bdfs = tuple(self._gpus)
        stored = load_modes(shape.state_file, bdfs) if shape.state_file else None
        self._modes = stored or SimulatedModes.uniform(bdfs, shape.mode)
        self._reloading = False
        self._keep(self._modes)

    async def read(self) -> NodeHardware:
        """The node in its present modes. Raises DriverGone during a reload."""
        self._require_driver()
        return NodeHardware(
            DRIVER_VERSION, DRIVER_SOURCE_VERSION, tuple(self._gpu(seeded) for seeded in self._gpus.values())
        )

    async def set_memory_mode(self, mode: MemoryMode) -> None:
        """Note the memory mode for the next reload. Raises Busy while any GPU is held, SettingUnavailable."""
        self._require_driver()
        if not any(allowed.memory is mode for allowed in self._product.allowed):
            raise SettingUnavailable(f"memory mode {mode}: {PRODUCT} has not got it; use one it lists as allowed")
        self._require_idle(frozenset(self._gpus), f"set memory mode {mode}")
        await self._take(MEMORY_SECONDS)
        self._keep(SimulatedModes(self._modes.memory, mode, self._modes.compute))

    async def reload_driver(self) -> None:
        """Reload; the noted memory mode takes effect. Raises RestartFailed while any GPU is held.

        Cancelled, nothing has changed.
        """
        self._require_driver()
        if held := self._held() & frozenset(self._gpus):
            raise RestartFailed(f"driver reload: open handles on GPUs {_listed(held)}; end their users first")
        self._reloading = True
        try:
            await self._take(RELOAD_SECONDS + RELOAD_SECONDS_PER_GPU * len(self._gpus))
        finally:
            self._reloading = False
        self._keep(self._modes.reloaded(self._product))

    async def set_compute_mode(self, bdf: str, mode: ComputeMode) -> None:
        """Repartition one GPU. Raises Busy while it is held, SettingUnavailable for a mode it cannot be in."""
        self._require_driver()
        if bdf not in self._gpus:
            raise SettingUnavailable(f"GPU {bdf}: not on this node; use one of {_listed(frozenset(self._gpus))}")
        self._require(Mode(mode, self._modes.memory))
        self._require_idle(frozenset({bdf}), f"set compute mode {mode}")
        await self._take(COMPUTE_SECONDS)
        self._keep(self._modes.with_compute(bdf, mode))

    async def processes(self) -> Mapping[str, tuple[GpuProcess, ...]]:
        """A process for each held GPU: whoever holds one is taken to have it open."""
        self._require_driver()
        held = self._held()
        return {
            bdf: (GpuProcess(_FIRST_PID + number, "simulated"),) for number, bdf in enumerate(self._gpus) if bdf in held
        }

    async def usage(self) -> Mapping[PartitionId, PartitionUse]:
        """Bytes as told; a busy share made up from partition and bytes alone, so that it can be foretold."""
        used = self._used()
        partitions = [PartitionId(gpu.bdf, part.id) for gpu in (await self.read()).gpus for part in gpu.partitions]
        return {partition: PartitionUse(used.get(partition, 0), _busy(partition, used)) for partition in partitions}

    def _gpu(self, seeded: SeededGpu) -> HardwareGpu:
        mode = Mode(self._modes.compute[seeded.bdf], self._modes.memory)
        whole = slices(self._product, self._product.allowed[0])[0]
        return HardwareGpu(
            bdf=seeded.bdf,
            unique_id=seeded.unique_id,
            product=PRODUCT,
            market_name=MARKET_NAME,
            family=FAMILY,
            vram_bytes=whole.bytes,
            mode=mode,
            modes_allowed=self._product.allowed,
            modes_validated=self._product.validated,
            partitions=tuple(
                HardwarePartition(
                    id=piece.index,
                    render_index=seeded.first_render_index + piece.index,
                    card_index=seeded.first_card_index + piece.index,
                    bytes=piece.bytes,
                    compute_units=piece.compute_units,
                    simd_units=piece.compute_units * SIMD_PER_COMPUTE_UNIT,
                )
                for piece in slices(self._product, mode)
            ),
            ecc=EccCount(0, 0, 0),
        )

    def _require(self, mode: Mode) -> None:
        if mode not in self._product.allowed:
            allowed = ", ".join(str(known) for known in self._product.allowed)
            raise SettingUnavailable(f"mode {mode}: {PRODUCT} has not got it; use one of {allowed}")

    def _require_driver(self) -> None:
        if self._reloading:
            raise DriverGone("the driver is reloading; wait until it is back")

    def _require_idle(self, needed: frozenset[str], what: str) -> None:
        if held := self._held() & needed:
            raise Busy(f"{what}: GPUs {_listed(held)} are in use; end their users first", held)

    async def _take(self, seconds: float) -> None:
        await self._clock.sleep(seconds * self._scale)

    def _keep(self, modes: SimulatedModes) -> None:
        self._modes = modes
        if self._state_file is not None:
            save_modes(self._state_file, modes)


def _listed(bdfs: frozenset[str]) -> str:
    return ", ".join(sorted(bdfs))


def _busy(partition: PartitionId, used: Mapping[PartitionId, int]) -> float:
    amount = used.get(partition, 0)
    if not amount:
        return 0.0
    share = crc32(f"{partition}:{amount}".encode()) / 2**32
    return round(_LEAST_BUSY + _BUSY_SPAN * share, 4)
