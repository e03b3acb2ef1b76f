import asyncio
from collections.abc import Awaitable, Callable
from types import NoneType
from typing import Any

import pytest

from controller.agent.backend import (
    BackendError,
    Busy,
    DriverGone,
    EccCount,
    GpuProcess,
    NotPermitted,
    PartitionUse,
    ReloadTimeout,
    RestartFailed,
    SettingUnavailable,
)
from controller.agent.simulated_backend import SimulatedBackend, SimulatedShape
from controller.agent.simulated_faults import (
    LASTING,
    MEANINGS,
    STRIKES,
    Call,
    Durations,
    Fault,
    FaultScript,
    FaultScriptError,
    ScriptedFault,
)
from controller.gpu.identity import PartitionId
from controller.gpu.mode import ComputeMode, MemoryMode, Mode
from tests.fakes.clock import LoopClock, SkippingClock

A, B = "0000:05:00.0", "0000:27:00.0"
AT_ONCE = Durations(reload_seconds=0.0, reload_seconds_per_gpu=0.0)


def node(
    *faults: ScriptedFault, mode: str = "SPX/NPS1", durations: Durations = AT_ONCE, clock: Any = None
) -> SimulatedBackend:
    script = FaultScript(faults, durations)
    shape = SimulatedShape(Mode.parse(mode), gpus=2, script=script)
    return SimulatedBackend(shape, clock or SkippingClock(), held=frozenset, used=dict)


async def modes(backend: SimulatedBackend) -> dict[str, str]:
    return {bdf: str(mode) for bdf, mode in (await backend.read()).modes.items()}


CHANGES: dict[Call, Callable[[SimulatedBackend], Awaitable[None]]] = {
    Call.SET_COMPUTE_MODE: lambda backend: backend.set_compute_mode(A, ComputeMode.CPX),
    Call.SET_MEMORY_MODE: lambda backend: backend.set_memory_mode(MemoryMode.NPS4),
    Call.RELOAD_DRIVER: lambda backend: backend.reload_driver(),
}
REFUSALS: dict[Fault, type[BackendError]] = {
    Fault.BUSY: Busy,
    Fault.NOT_PERMITTED: NotPermitted,
    Fault.RESTART_FAILED: RestartFailed,
    Fault.SETTING_UNAVAILABLE: SettingUnavailable,
}


@pytest.mark.parametrize(
    ("fault", "call"), [(fault, call) for fault in REFUSALS for call in STRIKES[fault]], ids=lambda value: str(value)
)
async def test_a_refusal_changes_nothing_and_passes(fault: Fault, call: Call) -> None:
    backend = node(ScriptedFault(fault, call))
    before = backend.node().modes
    with pytest.raises(REFUSALS[fault], match="0000:"):
        await CHANGES[call](backend)
    assert backend.node().modes == before
    await CHANGES[call](backend)


def test_every_fault_either_strikes_or_lasts() -> None:
    assert set(STRIKES) | set(LASTING) == set(Fault)
    assert not set(STRIKES) & set(LASTING)


async def test_a_fault_strikes_the_nth_call_and_as_often_as_it_says() -> None:
    backend = node(ScriptedFault(Fault.BUSY, nth=2, times=2))
    outcomes = [await _outcome(backend.set_compute_mode(A, ComputeMode.CPX)) for _ in range(5)]
    assert [type(outcome) for outcome in outcomes] == [NoneType, Busy, Busy, NoneType, NoneType]


async def test_times_zero_is_for_ever_and_a_gpu_can_be_named() -> None:
    backend = node(ScriptedFault(Fault.BUSY, times=0, gpu=B))
    await backend.set_compute_mode(A, ComputeMode.CPX)
    for _ in range(3):
        with pytest.raises(Busy, match=B):
            await backend.set_compute_mode(B, ComputeMode.CPX)


async def test_a_compute_mode_that_does_not_stick_reads_back_as_it_was() -> None:
    backend = node(ScriptedFault(Fault.MODE_NOT_KEPT))
    await backend.set_compute_mode(A, ComputeMode.CPX)
    assert await modes(backend) == {A: "SPX/NPS1", B: "SPX/NPS1"}


@pytest.mark.parametrize("call", [Call.SET_MEMORY_MODE, Call.RELOAD_DRIVER])
async def test_a_memory_mode_that_does_not_stick_reads_back_as_it_was(call: Call) -> None:
    backend = node(ScriptedFault(Fault.MODE_NOT_KEPT, call), mode="CPX/NPS1")
    await backend.set_memory_mode(MemoryMode.NPS4)
    await backend.reload_driver()
    assert await modes(backend) == {A: "SPX/NPS1", B: "SPX/NPS1"}


async def test_a_reload_that_fails_half_way_leaves_no_driver_until_the_next() -> None:
    backend = node(ScriptedFault(Fault.RELOAD_FAILS_HALF_WAY), mode="CPX/NPS1")
    await backend.set_memory_mode(MemoryMode.NPS4)
    with pytest.raises(RestartFailed, match="reload it once more"):
        await backend.reload_driver()
    with pytest.raises(DriverGone):
        await backend.read()
    with pytest.raises(DriverGone):
        await backend.set_compute_mode(A, ComputeMode.CPX)
    assert not backend.node().loaded
    await backend.reload_driver()
    assert await modes(backend) == {A: "QPX/NPS4", B: "QPX/NPS4"}


@pytest.mark.looptime
async def test_a_reload_that_hangs_is_given_up_and_may_yet_happen() -> None:
    hangs = ScriptedFault(Fault.RELOAD_HANGS, seconds=600.0)
    backend = node(hangs, mode="CPX/NPS1", durations=Durations(), clock=LoopClock())
    await backend.set_memory_mode(MemoryMode.NPS4)
    started = asyncio.get_running_loop().time()
    with pytest.raises(ReloadTimeout):
        await backend.reload_driver()
    assert asyncio.get_running_loop().time() - started == pytest.approx(300.0)
    with pytest.raises(DriverGone):
        await backend.read()
    with pytest.raises(DriverGone):
        await backend.reload_driver()
    await asyncio.sleep(300.0)
    assert await modes(backend) == {A: "QPX/NPS4", B: "QPX/NPS4"}


@pytest.mark.looptime
async def test_a_short_hang_is_a_slow_reload() -> None:
    slow = ScriptedFault(Fault.RELOAD_HANGS, seconds=100.0)
    backend = node(slow, durations=Durations(), mode="CPX/NPS1", clock=LoopClock())
    await backend.reload_driver()
    assert asyncio.get_running_loop().time() == pytest.approx(100.0)
    assert await modes(backend) == {A: "SPX/NPS1", B: "SPX/NPS1"}


@pytest.mark.looptime
async def test_only_a_restart_ends_a_reload_that_hangs_for_ever() -> None:
    backend = node(ScriptedFault(Fault.RELOAD_HANGS), mode="CPX/NPS4", durations=Durations(), clock=LoopClock())
    with pytest.raises(ReloadTimeout):
        await backend.reload_driver()
    await asyncio.sleep(1e6)
    with pytest.raises(DriverGone):
        await backend.read()
    backend.reboot()
    assert await modes(backend) == {A: "SPX/NPS1", B: "SPX/NPS1"}


async def test_a_gpu_is_lost_with_the_reload_and_back_after_a_restart() -> None:
    backend = node(ScriptedFault(Fault.GPU_LOST))
    assert len((await backend.read()).gpus) == 2
    await backend.reload_driver()
    assert set(await modes(backend)) == {A}
    with pytest.raises(SettingUnavailable, match=f"GPU {B}: not on this node"):
        await backend.set_compute_mode(B, ComputeMode.CPX)
    backend.reboot()
    assert set(await modes(backend)) == {A, B}


@pytest.mark.looptime
async def test_what_lasts_ends_with_its_time() -> None:
    backend = node(ScriptedFault(Fault.MEMORY_ERRORS, nth=2, seconds=30.0, gpu=A), clock=LoopClock())
    counts = []
    for _ in range(3):
        counts.append((await backend.read()).gpus[0].ecc)
        await asyncio.sleep(30.0)
    assert counts == [EccCount(0, 0, 0), EccCount(12, 2, 1), EccCount(0, 0, 0)]


async def test_a_foreign_process_is_told_and_blocks_changes() -> None:
    backend = node(ScriptedFault(Fault.FOREIGN_PROCESS, Call.PROCESSES, gpu=A))
    assert await backend.processes() == {A: (GpuProcess(66666, "foreign"),)}
    with pytest.raises(Busy, match=A):
        await backend.set_compute_mode(A, ComputeMode.CPX)
    with pytest.raises(RestartFailed, match=A):
        await backend.reload_driver()
    await backend.set_compute_mode(B, ComputeMode.CPX)


async def test_what_is_not_told_is_none() -> None:
    backend = node(ScriptedFault(Fault.NOT_TOLD), ScriptedFault(Fault.MODE_NOT_TOLD, gpu=A))
    first, last = (await backend.read()).gpus
    assert (first.mode, last.ecc) == (None, None)
    assert (await backend.usage()).partitions[PartitionId(B, 0)] == PartitionUse(None, None)
    assert (await backend.usage()).partitions[PartitionId(A, 0)] == PartitionUse(0, 0.0)


async def test_sources_that_differ_are_told_in_a_sentence() -> None:
    hardware = await node(ScriptedFault(Fault.COUNTS_DIFFER), mode="CPX/NPS4").read()
    assert hardware.disagreements == (f"GPU {B}: AMD SMI shows 8 partitions, KFD 7",)
    assert [len(gpu.partitions) for gpu in hardware.gpus] == [8, 8]


async def test_a_missing_partition_is_counted() -> None:
    hardware = await node(ScriptedFault(Fault.PARTITION_MISSING), mode="CPX/NPS4").read()
    assert [(len(gpu.partitions), gpu.missing_partitions) for gpu in hardware.gpus] == [(8, 0), (7, 1)]
    assert hardware.disagreements == ()


@pytest.mark.looptime
@pytest.mark.parametrize("call", CHANGES)
async def test_a_restart_loses_the_change_under_way(call: Call) -> None:
    backend = node(mode="QPX/NPS4", durations=Durations(), clock=LoopClock())
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(_outcome(CHANGES[call](backend)))
        await asyncio.sleep(0.5)
        backend.reboot()
    assert isinstance(task.result(), DriverGone)
    assert await modes(backend) == {A: "SPX/NPS1", B: "SPX/NPS1"}


async def _outcome(change: Awaitable[None]) -> BackendError | None:
    try:
        await change
    except BackendError as error:
        return error
    return None


async def test_a_fault_can_be_put_in_at_any_time() -> None:
    backend = node()
    await backend.set_compute_mode(A, ComputeMode.CPX)
    backend.inject(ScriptedFault(Fault.BUSY))
    with pytest.raises(Busy):
        await backend.set_compute_mode(A, ComputeMode.SPX)
    with pytest.raises(FaultScriptError, match="not on this node"):
        backend.inject(ScriptedFault(Fault.BUSY, gpu="elsewhere"))


def test_every_fault_says_what_it_is() -> None:
    assert list(MEANINGS) == list(Fault)


def test_a_script_about_another_nodes_gpu_is_refused() -> None:
    with pytest.raises(FaultScriptError, match=r"gpu 0000:ff:00\.0: not on this node; use one of 0000:05"):
        node(ScriptedFault(Fault.GPU_LOST, gpu="0000:ff:00.0"))


def test_a_fault_of_one_node_leaves_the_others_alone() -> None:
    everywhere, one = ScriptedFault(Fault.BUSY), ScriptedFault(Fault.GPU_LOST, node="node-1")
    script = FaultScript((everywhere, one), AT_ONCE)
    assert script.of("node-1") == script
    assert script.of("node-2") == FaultScript((everywhere,), AT_ONCE)


def test_a_fault_of_a_node_that_is_not_simulated_is_refused() -> None:
    script = FaultScript((ScriptedFault(Fault.BUSY), ScriptedFault(Fault.GPU_LOST, node="node-7")))
    with pytest.raises(FaultScriptError, match=r"faults\[1\]: GpuLost: node 'node-7'.*use one of node-0, node-1"):
        script.require_nodes({"node-1", "node-0"})
