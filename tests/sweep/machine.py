"""The hardware of one node: it outlives the agents that serve it, and nobody but them reads or changes it."""

from collections.abc import Callable, Mapping

from controller.agent.simulated_backend import SimulatedBackend, SimulatedShape
from controller.agent.simulated_faults import LASTING, Call, Fault, ScriptedFault
from controller.gpu.identity import PartitionId
from controller.gpu.mode import ComputeMode, MemoryMode, Mode
from controller.runtime.clock import Clock

Change = Callable[[str, frozenset[str]], None]
"""Hears of each change before it is made: what it is, and the GPUs that it touches."""
Struck = Callable[[Fault], None]
"""Hears of each call that a fault spoils, and of each that meets one that lasts."""


class Machine(SimulatedBackend):
    """The simulated backend of every agent that serves the node, one after another."""

    def __init__(self, mode: str, gpus: int, clock: Clock) -> None:
        self._agents_held: Callable[[], frozenset[str]] = frozenset
        self._agents_used: Callable[[], Mapping[PartitionId, int]] = dict
        self.on_change: Change = lambda what, gpus: None
        self.on_struck: Struck = lambda fault: None
        super().__init__(
            SimulatedShape(Mode.parse(mode), gpus),
            clock,
            held=lambda: self._agents_held(),
            used=lambda: self._agents_used(),
        )

    def serve(
        self, *, held: Callable[[], frozenset[str]], used: Callable[[], Mapping[PartitionId, int]]
    ) -> SimulatedBackend:
        """The BackendFactory of an agent that begins."""
        self._agents_held, self._agents_used = held, used
        return self

    @property
    def gpus(self) -> tuple[str, ...]:
        """All addresses."""
        return tuple(self._gpus)

    def mode(self, bdf: str) -> str:
        """The mode that a GPU really is in."""
        return str(self.node().mode_of(bdf))

    @property
    def devices(self) -> dict[str, tuple[str, int, str]]:
        """Name of each device that is there, with its GPU's address, its partition's number and the mode."""
        node = self.node()
        return {
            f"gpu-{partition.card_index}-{partition.render_index}": (gpu.bdf, partition.id, str(node.mode_of(gpu.bdf)))
            for gpu in node.present
            for partition in node.partitions(gpu)
        }

    def strike(self, *faults: ScriptedFault) -> None:
        """From now on these go wrong."""
        for fault in faults:
            self.inject(fault)

    def force(self, bdf: str, mode: str) -> None:
        """Somebody else changes a GPU's compute mode, past every agent."""
        self._keep(self._modes.with_compute(bdf, Mode.parse(mode).compute))

    async def set_memory_mode(self, mode: MemoryMode) -> None:
        self.on_change(f"set memory mode {mode}", frozenset(self.gpus))
        await super().set_memory_mode(mode)

    async def reload_driver(self) -> None:
        self.on_change("reload the driver", frozenset(self.gpus))
        await super().reload_driver()

    async def set_compute_mode(self, bdf: str, mode: ComputeMode) -> None:
        self.on_change(f"set compute mode {mode}", frozenset({bdf}))
        await super().set_compute_mode(bdf, mode)

    def _begin(self, call: Call, bdf: str | None = None) -> ScriptedFault | None:
        struck = super()._begin(call, bdf)
        for fault in LASTING:
            if call in _MEETS.get(fault, (Call.READ,)) and self._faults.lasting(fault, self._last):
                self.on_struck(fault)
        return struck

    def _refuse(self, struck: ScriptedFault | None, what: str, bdf: str) -> None:
        # Here the call has passed whatever else refuses it: what it meets from now on is the fault.
        if struck is not None:
            self.on_struck(struck.fault)
        super()._refuse(struck, what, bdf)


_MEETS: Mapping[Fault, tuple[Call, ...]] = {
    Fault.FOREIGN_PROCESS: (Call.PROCESSES, Call.SET_MEMORY_MODE, Call.RELOAD_DRIVER, Call.SET_COMPUTE_MODE),
}
"""The calls that meet a fault that lasts, where reading the node is not the one."""
