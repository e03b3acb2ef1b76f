"""Every fault of the simulated node, at each call where it strikes, through every backend that can meet it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.v1beta1.gpu_layout import GPUMode, Layout
from api.v1beta1.gpu_node import NodeOperation, OperationPhase, OperationProgress
from controller.agent.backend import (
    BackendError,
    Busy,
    DriverGone,
    GpuUse,
    HardwareGpu,
    NodeHardware,
    NotPermitted,
    PartitionBackend,
    ReloadTimeout,
    RestartFailed,
    SettingUnavailable,
)
from controller.agent.operation import OperationExecutor
from controller.agent.partitioner import GpuLost, Progress, ReadBackMismatch, ROCmPartitioner
from controller.agent.simulated_faults import LASTING, STRIKES, Call, Fault, ScriptedFault
from controller.gpu.mode import Mode
from tests.controller.agent.conformance.benches import Bench, Case, MakeBench, SimulatedBench, SysfsBench
from tests.controller.agent.conformance.stub_faults import IN_THE_LIBRARY
from tests.controller.agent.hardware import A, B
from tests.fakes.clock import SkippingClock

TARGET = {bdf: Mode.parse("CPX/NPS4") for bdf in (A, B)}

BEFORE = {
    Call.SET_MEMORY_MODE: [],
    Call.RELOAD_DRIVER: ["memory NPS4"],
    Call.SET_COMPUTE_MODE: ["memory NPS4", "reload"],
}
"""What was done before the call at which a fault strikes."""

STRIKING: Mapping[Fault, type[BackendError]] = {
    Fault.BUSY: Busy,
    Fault.NOT_PERMITTED: NotPermitted,
    Fault.RESTART_FAILED: RestartFailed,
    Fault.SETTING_UNAVAILABLE: SettingUnavailable,
    Fault.RELOAD_HANGS: ReloadTimeout,
    Fault.RELOAD_FAILS_HALF_WAY: RestartFailed,
    Fault.MODE_NOT_KEPT: ReadBackMismatch,
}
"""A row a fault that strikes: the error that a change ends with."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a lasting fault looks like on the GPU that has it. `sysfs`: whether the files alone show it as well."""

    check: Callable[[HardwareGpu, NodeHardware], bool]
    mode: str = "CPX/NPS4"
    sysfs: bool = True


LASTS: Mapping[Fault, Shown] = {
    Fault.MEMORY_ERRORS: Shown(lambda gpu, _: gpu.ecc is not None and gpu.ecc.uncorrectable == 2),
    Fault.FOREIGN_PROCESS: Shown(lambda gpu, node: gpu.mode is not None and not node.disagreements),
    Fault.NOT_TOLD: Shown(lambda gpu, _: gpu.ecc is None and len(gpu.partitions) == 8),
    Fault.MODE_NOT_TOLD: Shown(lambda gpu, _: gpu.mode is None and len(gpu.partitions) == 8),
    Fault.COUNTS_DIFFER: Shown(
        lambda gpu, node: f"GPU {gpu.bdf}: AMD SMI shows 8 partitions" in node.disagreements[0], sysfs=False
    ),
    Fault.PARTITION_MISSING: Shown(
        lambda gpu, node: (len(gpu.partitions), gpu.missing_partitions, node.disagreements) == (7, 1, ())
    ),
}
"""A row a fault that lasts and is seen by reading. A GPU lost on reload has a test of its own."""


async def apply(backend: PartitionBackend) -> NodeHardware:
    async def ignore(_progress: Progress) -> None:
        return

    return await ROCmPartitioner(backend).apply(TARGET, ignore)


async def back(bench: Bench) -> NodeHardware:
    """The node once its driver answers again."""
    while True:
        try:
            return await bench.backend.read()
        except DriverGone:
            await asyncio.sleep(0.01)


def test_every_fault_has_its_row() -> None:
    assert STRIKING.keys() == STRIKES.keys()
    assert LASTS.keys() | {Fault.GPU_LOST} == LASTING.keys()
    assert IN_THE_LIBRARY.keys() == set(Fault)


@pytest.mark.parametrize(
    ("fault", "call"), [(fault, call) for fault, calls in STRIKES.items() for call in calls], ids=str
)
async def test_a_fault_that_strikes_ends_the_change_and_the_next_try_succeeds(
    make_bench: MakeBench, fault: Fault, call: Call
) -> None:
    seconds = 400.0 if fault is Fault.RELOAD_HANGS else None  # longer than a reload's limit
    bench = make_bench(Case("SPX/NPS1", faults=(ScriptedFault(fault, call=call, seconds=seconds),)))
    with pytest.raises(STRIKING[fault]):
        await apply(bench.backend)
    assert bench.log()[: len(BEFORE[call])] == BEFORE[call]
    assert len(bench.log()) > len(BEFORE[call])
    if fault is Fault.RELOAD_FAILS_HALF_WAY:
        with pytest.raises(DriverGone):
            await bench.backend.read()
        await bench.backend.reload_driver()
    bench.release()
    await back(bench)
    assert (await apply(bench.backend)).modes == TARGET


async def test_nothing_answers_while_a_reload_hangs(make_bench: MakeBench) -> None:
    fault = ScriptedFault(Fault.RELOAD_HANGS, call=Call.RELOAD_DRIVER, seconds=400)
    bench = make_bench(Case("SPX/NPS1", faults=(fault,)))
    await bench.backend.read()
    with pytest.raises(ReloadTimeout):
        await bench.backend.reload_driver()
    with pytest.raises(DriverGone):
        await bench.backend.read()
    bench.release()
    assert set((await back(bench)).modes.values()) == {Mode.parse("SPX/NPS1")}


async def test_a_gpu_lost_on_reload_is_named(make_bench: MakeBench) -> None:
    bench = make_bench(Case("SPX/NPS1", faults=(ScriptedFault(Fault.GPU_LOST),)))
    with pytest.raises(GpuLost, match=f"GPU {B}: gone after ReloadDriver"):
        await apply(bench.backend)
    assert bench.log() == ["memory NPS4", "reload"]
    assert [gpu.bdf for gpu in (await bench.backend.read()).gpus] == [A]


@pytest.mark.parametrize("fault", LASTS, ids=str)
async def test_a_fault_that_lasts_is_seen_by_reading(make_bench: MakeBench, fault: Fault) -> None:
    row = LASTS[fault]
    case = Case(row.mode, faults=(ScriptedFault(fault),))
    told = await make_bench(case).backend.read()
    assert row.check(told.gpus[-1], told)
    if row.sysfs:  # otherwise the files lack something, which is not told then
        assert told.gpus == (await SimulatedBench(case).backend.read()).gpus


@pytest.mark.parametrize("fault", [fault for fault, row in LASTS.items() if row.sysfs], ids=str)
async def test_the_files_show_it_too(fault: Fault, memory_path: Path) -> None:
    case = Case(LASTS[fault].mode, faults=(ScriptedFault(fault),))
    bench = SysfsBench(memory_path, case)
    await bench.write()
    told = await bench.backend.read()
    assert LASTS[fault].check(told.gpus[-1], told)


async def test_a_foreign_process_is_told_and_stops_every_change(make_bench: MakeBench) -> None:
    bench = make_bench(Case("SPX/NPS1", faults=(ScriptedFault(Fault.FOREIGN_PROCESS),)))
    await bench.backend.read()
    found = await bench.backend.processes()
    assert {bdf: [(one.pid, one.name) for one in who] for bdf, who in found.items()} == {B: [(66666, "foreign")]}
    with pytest.raises(Busy, match="foreign 66666"):
        await apply(bench.backend)
    assert bench.log() == []


class Host:
    """A node that nobody else uses. `last` is the record of the operation."""

    def __init__(self) -> None:
        self.last: OperationProgress | None = None

    async def record(self, progress: OperationProgress) -> None:
        self.last = progress

    async def withdraw(self, gpus: frozenset[str], hardware: NodeHardware) -> None:
        return

    async def restore(self, hardware: NodeHardware | None) -> None:
        return

    async def still_held(self) -> frozenset[str]:
        return frozenset()


async def test_sources_that_do_not_come_to_agree_fail_the_operation(make_bench: MakeBench) -> None:
    bench, host = make_bench(Case("SPX/NPS1", faults=(ScriptedFault(Fault.COUNTS_DIFFER),))), Host()
    layout = Layout(gpus=[GPUMode(bdf=bdf, mode=str(mode)) for bdf, mode in TARGET.items()])
    operation = NodeOperation(id="op-1", from_=layout, to=layout)
    await OperationExecutor(bench.backend, host, SkippingClock(), "node-0").execute(operation, None)
    assert host.last is not None
    assert host.last.phase is OperationPhase.FAILED
    assert host.last.message.startswith(f"SourcesDisagree: GPU {B}: AMD SMI shows 8 partitions")
    assert (await bench.backend.read()).modes == TARGET


async def test_what_a_gpu_does_not_tell_is_not_made_up(make_bench: MakeBench) -> None:
    bench = make_bench(Case("SPX/NPS1", faults=(ScriptedFault(Fault.NOT_TOLD),)))
    await bench.backend.read()
    told = await bench.backend.usage()
    use = {str(partition): (one.used_bytes, one.busy) for partition, one in told.partitions.items()}
    assert use == {f"{A}/0": (0, 0.0), f"{B}/0": (None, None)}
    assert told.gpus[A].power_watts is not None
    assert told.gpus[B] == GpuUse({}, None)
