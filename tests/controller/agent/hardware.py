"""Simulated nodes for tests: with users that the test decides, a log of the calls, and failures on demand."""

from collections.abc import Callable, Mapping
from pathlib import Path

from controller.agent.backend import BackendError, GpuProcess, NodeHardware, NodeUse
from controller.agent.simulated_backend import SimulatedBackend, SimulatedShape
from controller.gpu.identity import PartitionId
from controller.gpu.mode import ComputeMode, MemoryMode, Mode
from controller.runtime.clock import Clock
from tests.fakes.clock import SkippingClock

A, B, C = "0000:05:00.0", "0000:27:00.0", "0000:47:00.0"


class RecordedBackend:
    """A simulated node of `gpus` GPUs. `calls` are the changes in order; `fail` names errors by call.

    `held` GPUs have a holder, and those that `holders` tells; `foreign`: processes that have a GPU open, by address.
    """

    name = "simulated"
    simulated = True
    writable = True

    def __init__(
        self, mode: str, *, gpus: int = 2, clock: Clock | None = None, time_scale: float = 0.0, file: Path | None = None
    ) -> None:
        self.held: frozenset[str] = frozenset()
        self.holders: Callable[[], frozenset[str]] = frozenset
        self.used: dict[PartitionId, int] = {}
        self.foreign: dict[str, tuple[GpuProcess, ...]] = {}
        self.calls: list[str] = []
        self.fail: dict[str, BackendError] = {}
        self.node = SimulatedBackend(
            SimulatedShape(Mode.parse(mode), gpus, time_scale, file),
            clock or SkippingClock(),
            held=lambda: self.held | self.holders(),
            used=lambda: self.used,
        )

    async def read(self) -> NodeHardware:
        self._fail("read")
        return await self.node.read()

    async def set_memory_mode(self, mode: MemoryMode) -> None:
        self._call(f"memory {mode}")
        await self.node.set_memory_mode(mode)

    async def reload_driver(self) -> None:
        self._call("reload")
        await self.node.reload_driver()

    async def set_compute_mode(self, bdf: str, mode: ComputeMode) -> None:
        self._call(f"compute {bdf} {mode}")
        await self.node.set_compute_mode(bdf, mode)

    async def processes(self) -> Mapping[str, tuple[GpuProcess, ...]]:
        self._fail("processes")
        return self.foreign

    async def usage(self) -> NodeUse:
        self._fail("usage")
        return await self.node.usage()

    async def modes(self) -> dict[str, str]:
        return {bdf: str(mode) for bdf, mode in (await self.node.read()).modes.items()}

    def _call(self, name: str) -> None:
        self.calls.append(name)
        self._fail(name.split(" ", maxsplit=1)[0])

    def _fail(self, name: str) -> None:
        if name in self.fail:
            raise self.fail[name]


def modes(**by_letter: str) -> dict[str, Mode]:
    """Modes of the GPUs A, B and C: `modes(A="CPX/NPS4")`."""
    return {{"A": A, "B": B, "C": C}[letter]: Mode.parse(mode) for letter, mode in by_letter.items()}
