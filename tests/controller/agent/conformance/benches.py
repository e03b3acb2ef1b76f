"""One node behind each backend: the same GPUs, modes and faults, whichever way they are read and changed.

The simulated node is the model: the stub of AMD's library and the trees of files are written from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Protocol

from controller.agent.amdsmi_backend import AmdsmiBackend, Limits
from controller.agent.backend import GpuProcess, NodeHardware, PartitionBackend
from controller.agent.simulated_backend import SimulatedBackend, SimulatedShape
from controller.agent.simulated_faults import Fault, FaultScript, ScriptedFault
from controller.agent.simulated_hardware import SimulatedNode
from controller.agent.simulated_seed import seeded_gpus
from controller.agent.simulated_state import SimulatedModes
from controller.agent.simulated_tree import write_tree
from controller.agent.sysfs_backend import SysfsBackend
from controller.gpu.mode import ComputeMode, MemoryMode, Mode
from controller.gpu.product import product_named
from tests.controller.agent.conformance.stub_faults import befall
from tests.fakes.clock import SkippingClock
from tests.stubs.amdsmi.fixture import OWN_PID, AmdsmiStub
from tests.stubs.amdsmi.node import HANGS, RELOAD, SET_COMPUTE, SET_MEMORY, SET_PROFILE, StubNode

USER = GpuProcess(4711, "python")
_WHILE_IT_HANGS = Limits(read=0.1, change=1.0, reload=1.0)


@dataclass(frozen=True, slots=True)
class Case:
    """A node of one product whose GPUs are all in one mode, and what befalls it.

    `files`: whether AMD SMI is checked against the driver's files, which are written anew at each change.
    """

    mode: str = "SPX/NPS1"
    product: str = "MI300X"
    gpus: int = 2
    faults: tuple[ScriptedFault, ...] = ()
    files: bool = True


class Bench(Protocol):
    """A backend and the node behind it."""

    @property
    def backend(self) -> PartitionBackend:
        """What is tested."""
        ...

    def log(self) -> list[str]:
        """The changes that were tried, in order: `memory NPS4`, `reload`, `compute BDF CPX`."""
        ...

    def attach(self, bdf: str) -> None:
        """A process opens a GPU and keeps it."""
        ...

    def release(self) -> None:
        """What hangs comes to its end, and what was to befall does so no more."""
        ...


MakeBench = Callable[[Case], Bench]


class _Recording(SimulatedBackend):
    """A simulated node that notes the changes it was asked for."""

    def __init__(self, shape: SimulatedShape, clock: SkippingClock, held: set[str]) -> None:
        super().__init__(shape, clock, held=lambda: frozenset(held), used=dict)
        self.calls: list[str] = []

    async def set_memory_mode(self, mode: MemoryMode) -> None:
        self.calls.append(f"memory {mode}")
        await super().set_memory_mode(mode)

    async def reload_driver(self) -> None:
        self.calls.append("reload")
        await super().reload_driver()

    async def set_compute_mode(self, bdf: str, mode: ComputeMode) -> None:
        self.calls.append(f"compute {bdf} {mode}")
        await super().set_compute_mode(bdf, mode)


class SimulatedBench:
    """The model itself."""

    def __init__(self, case: Case) -> None:
        self._clock = SkippingClock()
        self._held: set[str] = set()
        shape = SimulatedShape(
            Mode.parse(case.mode), case.gpus, 0.0, product=case.product, script=FaultScript(case.faults)
        )
        self.backend = self._node = _Recording(shape, self._clock, self._held)

    def log(self) -> list[str]:
        return self._node.calls

    def attach(self, bdf: str) -> None:
        self._held.add(bdf)

    def release(self) -> None:
        self._clock.tick(3600)


class _Following(AmdsmiBackend):
    """A backend whose tree of files is what the stub's node has become."""

    def __init__(self, stub: AmdsmiStub, case: Case, limits: Limits | None) -> None:
        root = stub.root if case.files else None
        super().__init__(stub.amdsmi, root=root, modprobe=stub.modprobe, limits=limits, pid=OWN_PID)
        self._stub = stub
        self._case = case
        self._written = b""
        self._first_limits = self.limits

    async def read(self) -> NodeHardware:
        self._follow()
        return await super().read()

    async def processes(self) -> Mapping[str, tuple[GpuProcess, ...]]:
        self._follow()
        return await super().processes()

    def _follow(self) -> None:
        hangs = any(call.endswith(f" {HANGS}") for call in self._stub.folder.changes())
        self.limits = _WHILE_IT_HANGS if hangs and not self._stub.folder.released else self._first_limits
        node = (self._stub.folder.path / "node").read_bytes()
        if self._case.files and node != self._written:
            write_tree(self._stub.root, node_of(self._stub, self._case), links=False)
            self._written = node


class AmdsmiBench:
    """The real package over the stub."""

    def __init__(self, stub: AmdsmiStub, case: Case, limits: Limits | None = None) -> None:
        self._stub = stub
        node = StubNode(case.mode, case.product, case.gpus)
        for fault in case.faults:
            befall(node, fault)
        stub.folder.write(node)
        self.backend = stub.opened(_Following(stub, case, limits))

    def log(self) -> list[str]:
        told = [_change(call) for call in self._stub.folder.changes()]
        return [call for call, _ in groupby(told)]  # the memory mode is asked for on each GPU

    def attach(self, bdf: str) -> None:
        self._stub.folder.add(f"process {bdf} {USER.pid} {USER.name}")

    def release(self) -> None:
        self._stub.folder.drop("option")
        self._stub.folder.release()


@dataclass
class SysfsBench:
    """The files that the model shows. They cannot be changed through this backend."""

    root: Path
    case: Case
    backend: SysfsBackend = field(init=False)

    def __post_init__(self) -> None:
        self.backend = SysfsBackend(self.root)

    async def write(self) -> None:
        """Write them as the model is after one reading."""
        model = SimulatedBench(self.case).backend
        await model.read()
        write_tree(self.root, model.node(), links=False)

    def log(self) -> list[str]:
        return []

    def attach(self, bdf: str) -> None:
        raise AssertionError("a process is written with the tree")

    def release(self) -> None:
        return


def _change(call: str) -> str:
    """One line of the stub's log as a change."""
    name, place, *rest = call.split()
    bdf = place.partition("/")[0]
    if name == RELOAD:
        return "reload"
    if len(rest) == 1:  # refused by script, before the argument was looked at
        return "memory" if name == SET_MEMORY else f"compute {bdf}"
    assert name in {SET_MEMORY, SET_COMPUTE, SET_PROFILE}
    return f"memory {rest[0]}" if name == SET_MEMORY else f"compute {bdf} {rest[0]}"


def node_of(stub: AmdsmiStub, case: Case) -> SimulatedNode:
    """What the stub's node is now, as the model."""
    product = product_named(case.product)
    modes = {bdf: Mode.parse(text) for bdf, text in stub.folder.modes().items()}
    seeded = tuple(gpu for gpu in seeded_gpus(case.gpus, product) if gpu.bdf in modes)
    memory = next(iter(modes.values())).memory
    last = seeded_gpus(case.gpus, product)[-1].bdf
    processes: dict[str, tuple[GpuProcess, ...]] = {}
    for _, bdf, pid, name in stub.folder.lines("process"):
        processes[bdf] = (*processes.get(bdf, ()), GpuProcess(int(pid), name))
    return SimulatedNode(
        product,
        seeded,
        SimulatedModes(memory, memory, {bdf: mode.compute for bdf, mode in modes.items()}),
        {fault.fault: frozenset({fault.gpu or last}) for fault in case.faults if fault.fault in _SHOWN_BY_FILES},
        processes,
        loaded=["option", "driver_gone", "1"] not in stub.folder.lines("option"),
    )


_SHOWN_BY_FILES = frozenset(
    {Fault.MEMORY_ERRORS, Fault.NOT_TOLD, Fault.MODE_NOT_TOLD, Fault.COUNTS_DIFFER, Fault.PARTITION_MISSING}
)
