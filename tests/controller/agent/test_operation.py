import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from math import inf

import pytest

from api.v1beta1.gpu_layout import GPUMode, Layout
from api.v1beta1.gpu_node import NodeOperation, OperationPhase, OperationProgress
from controller.agent.backend import (
    BackendError,
    Busy,
    DriverGone,
    GpuProcess,
    NodeHardware,
    NotPermitted,
    NotSupported,
    RestartFailed,
)
from controller.agent.limited_backend import LimitedBackend
from controller.agent.operation import OperationExecutor
from controller.gpu.mode import ComputeMode, MemoryMode
from tests.controller.agent.hardware import A, B, C, RecordedBackend
from tests.fakes.clock import START, LoopClock, SkippingClock


class Host:
    """Notes what an operation asks of its node; its story mixes that with the backend's calls."""

    def __init__(self, backend: RecordedBackend) -> None:
        self.backend = backend
        self.records: list[OperationProgress] = []
        self.story: list[str] = []
        self.on_withdraw: Callable[[], None] = lambda: None
        self.on_record: Callable[[str], object] = lambda told: None

    async def record(self, progress: OperationProgress) -> None:
        self.records.append(progress)
        self._tell(f"{progress.phase} {progress.step}".strip())
        self.on_record(progress.step)

    async def withdraw(self, gpus: frozenset[str], hardware: NodeHardware) -> None:
        self._tell(f"withdraw {','.join(sorted(gpus))}")
        self.on_withdraw()

    async def restore(self, hardware: NodeHardware | None) -> None:
        self._tell("restore")

    async def still_held(self) -> frozenset[str]:
        return self.backend.held

    @property
    def last(self) -> OperationProgress:
        return self.records[-1]

    def _tell(self, what: str) -> None:
        self.story += self.backend.calls
        self.backend.calls.clear()
        self.story.append(what)


def operation(operation_id: str = "op-1", **to: str) -> NodeOperation:
    """An operation to these modes of the GPUs A, B, C."""
    return NodeOperation(id=operation_id, from_=layout(**to), to=layout(**to))


def layout(**modes: str) -> Layout:
    bdfs = {"A": A, "B": B, "C": C}
    return Layout(gpus=[GPUMode(bdf=bdfs[letter], mode=mode) for letter, mode in modes.items()])


def progress(phase: OperationPhase, operation_id: str = "op-1") -> OperationProgress:
    return OperationProgress(id=operation_id, phase=phase, start_time=START)


async def execute(
    backend: RecordedBackend, asked: NodeOperation, last: OperationProgress | None = None, host: Host | None = None
) -> Host:
    host = host or Host(backend)
    await OperationExecutor(backend, host, SkippingClock(), "node-0").execute(asked, last)
    return host


async def test_a_compute_change_step_by_step() -> None:
    host = await execute(RecordedBackend("SPX/NPS1"), operation(B="CPX/NPS1"))
    assert host.story == [
        "Running Withdraw",
        f"withdraw {B}",
        f"Running SetComputeMode CPX on {B}",
        f"compute {B} CPX",
        "restore",
        "Succeeded",
    ]
    assert host.last.progress_percent == 100
    assert host.last.end_time is not None


async def test_a_memory_change_withdraws_every_gpu_and_reloads_before_compute() -> None:
    backend = RecordedBackend("SPX/NPS1")
    host = await execute(backend, operation(A="CPX/NPS4", B="QPX/NPS4"))
    assert f"withdraw {A},{B}" in host.story
    assert [call for call in host.story if call.startswith(("memory", "reload", "compute"))] == [
        "memory NPS4",
        "reload",
        f"compute {A} CPX",
    ]
    assert await backend.modes() == {A: "CPX/NPS4", B: "QPX/NPS4"}


@pytest.mark.parametrize(
    ("to", "held", "want"),
    [
        pytest.param({"A": "CPX/NPS1"}, {A}, OperationPhase.FAILED, id="compute, that gpu held"),
        pytest.param({"A": "CPX/NPS1"}, {B}, OperationPhase.SUCCEEDED, id="compute, another gpu held"),
        pytest.param({"A": "CPX/NPS4", "B": "CPX/NPS4"}, {B}, OperationPhase.FAILED, id="memory, any gpu held"),
    ],
)
async def test_holders(to: dict[str, str], held: set[str], want: OperationPhase) -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.held = frozenset(held)
    host = await execute(backend, operation(**to))
    assert host.last.phase is want
    if want is OperationPhase.FAILED:
        assert host.last.message.startswith("Busy:")
        assert held.pop() in host.last.message
        assert host.story[-2:] == ["restore", "Failed"]
        assert await backend.modes() == {A: "SPX/NPS1", B: "SPX/NPS1"}


@pytest.mark.parametrize(
    ("to", "foreign", "want"),
    [
        pytest.param({"A": "CPX/NPS1"}, A, OperationPhase.FAILED, id="compute, open on that gpu"),
        pytest.param({"A": "CPX/NPS1"}, B, OperationPhase.SUCCEEDED, id="compute, open on another gpu"),
        pytest.param({"A": "CPX/NPS4", "B": "CPX/NPS4"}, B, OperationPhase.FAILED, id="memory, open on any gpu"),
    ],
)
async def test_processes_that_no_claim_stands_behind(to: dict[str, str], foreign: str, want: OperationPhase) -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.foreign = {foreign: (GpuProcess(77, "exporter"), GpuProcess(78))}
    host = await execute(backend, operation(**to))
    assert host.last.phase is want
    if want is OperationPhase.FAILED:
        assert host.last.message.startswith("Busy: processes have them open")
        assert f"GPU {foreign}: exporter 77, process 78" in host.last.message
        assert await backend.modes() == {A: "SPX/NPS1", B: "SPX/NPS1"}


async def test_claims_alone_count_where_processes_are_not_told() -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.fail = {"processes": NotSupported("not by sysfs")}
    host = await execute(backend, operation(A="CPX/NPS1"))
    assert host.last.phase is OperationPhase.SUCCEEDED


async def test_a_holder_that_comes_while_devices_are_withdrawn_is_seen() -> None:
    backend = RecordedBackend("SPX/NPS1")
    host = Host(backend)

    def arrive() -> None:
        backend.held = frozenset({A})

    host.on_withdraw = arrive
    await execute(backend, operation(A="CPX/NPS1"), host=host)
    assert host.last.message.startswith("Busy:")
    assert not any(call.startswith("compute") for call in host.story)


async def test_busy_after_the_first_change_is_not_called_busy() -> None:
    """`Busy` promises that nothing was changed."""

    class Taken(RecordedBackend):
        async def set_compute_mode(self, bdf: str, mode: ComputeMode) -> None:
            if bdf == B:
                raise Busy("in use", frozenset({B}))
            await super().set_compute_mode(bdf, mode)

    host = await execute(Taken("SPX/NPS1"), operation(A="CPX/NPS1", B="CPX/NPS1"))
    assert host.last.phase is OperationPhase.FAILED
    assert host.last.message.startswith("HalfChanged:")
    assert f"{A} CPX/NPS1, {B} SPX/NPS1" in host.last.message


@pytest.mark.parametrize("phase", [OperationPhase.SUCCEEDED, OperationPhase.FAILED])
async def test_an_operation_that_ended_is_never_done_again(phase: OperationPhase) -> None:
    host = await execute(RecordedBackend("SPX/NPS1"), operation(A="CPX/NPS1"), progress(phase))
    assert host.story == []


async def test_another_id_is_another_operation() -> None:
    host = await execute(
        RecordedBackend("SPX/NPS1"), operation("op-2", A="CPX/NPS1"), progress(OperationPhase.FAILED, "op-1")
    )
    assert (host.last.id, host.last.phase) == ("op-2", OperationPhase.SUCCEEDED)


async def test_an_interrupted_operation_already_at_its_target_succeeds_untouched() -> None:
    backend = RecordedBackend("CPX/NPS1")
    backend.held = frozenset({A})  # a pod may have come between the change and its record
    host = await execute(backend, operation(A="CPX/NPS1"), progress(OperationPhase.RUNNING))
    assert host.story == ["restore", "Succeeded"]
    assert host.last.start_time == START


async def test_an_interrupted_operation_is_finished_from_where_the_hardware_is() -> None:
    backend = RecordedBackend("CPX/NPS1")
    await backend.node.set_compute_mode(B, ComputeMode.SPX)
    host = await execute(backend, operation(A="CPX/NPS1", B="CPX/NPS1"), progress(OperationPhase.RUNNING))
    assert [call for call in host.story if call.startswith("compute")] == [f"compute {B} CPX"]
    assert host.last.phase is OperationPhase.SUCCEEDED


@pytest.mark.parametrize(
    ("call", "error", "want"),
    [
        pytest.param("compute", NotPermitted("not as a guest"), "NotPermitted: not as a guest", id="refused"),
        pytest.param("read", DriverGone("no driver"), "DriverGone: no driver", id="no driver"),
    ],
)
async def test_hardware_errors_end_it_with_their_name(call: str, error: BackendError, want: str) -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.fail = {call: error}
    host = await execute(backend, operation(A="CPX/NPS1", B="CPX/NPS1"))
    assert (host.last.phase, host.last.message) == (OperationPhase.FAILED, want)
    assert "restore" in host.story


@pytest.mark.parametrize(
    ("to", "want"),
    [
        pytest.param({"C": "CPX/NPS1"}, f"GPU {C}: not on this node", id="unknown gpu"),
        pytest.param({"A": "TPX/NPS1"}, "mode TPX/NPS1", id="mode it has not got"),
        pytest.param({"A": "CPX/NPS4", "B": "DPX/NPS2"}, "memory modes NPS2, NPS4", id="two memory modes"),
    ],
)
async def test_a_layout_that_cannot_be_is_refused_before_anything_is_withdrawn(to: dict[str, str], want: str) -> None:
    host = await execute(RecordedBackend("SPX/NPS1"), operation(**to))
    assert host.last.phase is OperationPhase.FAILED
    assert want in host.last.message
    assert not any(entry.startswith("withdraw") for entry in host.story)


async def test_a_gpu_named_twice_is_refused() -> None:
    twice = Layout(gpus=[GPUMode(bdf=A, mode="CPX/NPS1"), GPUMode(bdf=A, mode="SPX/NPS1")])
    host = await execute(RecordedBackend("SPX/NPS1"), NodeOperation(id="op-1", from_=twice, to=twice))
    assert "named twice" in host.last.message


async def test_an_interrupted_operation_that_had_changed_something_is_not_called_busy() -> None:
    backend = RecordedBackend("SPX/NPS1")
    await backend.node.set_compute_mode(A, ComputeMode.CPX)
    backend.foreign = {B: (GpuProcess(77),)}
    asked = operation(A="CPX/NPS1", B="CPX/NPS1").model_copy(update={"from_": layout(A="SPX/NPS1", B="SPX/NPS1")})
    host = await execute(backend, asked, progress(OperationPhase.RUNNING))
    assert host.last.message.startswith("HalfChanged:")
    assert f"the GPUs are {A} CPX/NPS1, {B} SPX/NPS1 now" in host.last.message


async def test_a_node_that_was_rebooted_half_way_goes_on_to_the_target() -> None:
    """A reboot leaves every GPU as the driver makes it; the record says how far the operation had come."""
    backend = RecordedBackend("SPX/NPS1")
    asked = operation(A="CPX/NPS4", B="CPX/NPS4").model_copy(update={"from_": layout(A="DPX/NPS1", B="DPX/NPS1")})
    last = progress(OperationPhase.RUNNING).model_copy(update={"step": f"SetComputeMode CPX on {A}"})
    host = await execute(backend, asked, last)
    assert host.last.phase is OperationPhase.SUCCEEDED
    assert await backend.modes() == {A: "CPX/NPS4", B: "CPX/NPS4"}


class Absent(RecordedBackend):
    """No driver answers for so many readings, or until it is reloaded."""

    def __init__(self, mode: str, readings: float) -> None:
        super().__init__(mode)
        self.readings = readings

    async def read(self) -> NodeHardware:
        self.readings -= 1
        if self.readings >= 0:
            raise DriverGone("no driver")
        return await super().read()

    async def reload_driver(self) -> None:
        self.readings = 0
        await super().reload_driver()


async def test_a_driver_that_is_still_reloading_is_waited_for() -> None:
    host = await execute(Absent("SPX/NPS1", 5), operation(A="CPX/NPS1"), progress(OperationPhase.RUNNING))
    assert host.story[:2] == ["Running WaitForDriver", "Running Withdraw"]
    assert "reload" not in host.story
    assert host.last.phase is OperationPhase.SUCCEEDED


async def test_a_driver_that_does_not_come_back_is_loaded() -> None:
    host = await execute(Absent("SPX/NPS1", inf), operation(A="CPX/NPS1"))
    assert host.story[:3] == ["Running WaitForDriver", "Running ReloadDriver", "reload"]
    assert host.last.phase is OperationPhase.SUCCEEDED


@pytest.mark.looptime
async def test_a_reload_that_hangs_fails_the_operation_at_its_limit() -> None:
    class Hanging(RecordedBackend):
        async def reload_driver(self) -> None:
            self.fail = {"read": DriverGone("reloading")}
            await asyncio.Event().wait()

    backend = Hanging("SPX/NPS1")
    host = Host(backend)
    executor = OperationExecutor(LimitedBackend(backend), host, LoopClock(), "node-0")
    await executor.execute(operation(A="CPX/NPS4", B="CPX/NPS4"), None)
    assert host.last.message.startswith("ReloadTimeout: the driver is not back 330 s after its reload began")
    assert host.last.end_time == START + timedelta(seconds=331)


async def test_a_mode_that_does_not_stick_fails_it() -> None:
    class Forgetful(RecordedBackend):
        async def set_compute_mode(self, bdf: str, mode: ComputeMode) -> None:
            self._call(f"compute {bdf} {mode}")

    host = await execute(Forgetful("SPX/NPS1"), operation(A="CPX/NPS1"))
    assert host.last.message.startswith(f"ReadBackMismatch: GPU {A} is SPX/NPS1 and was asked to be CPX/NPS1")


class Torn(RecordedBackend):
    """AMD SMI and KFD tell different things for so many readings."""

    def __init__(self, mode: str, readings: float) -> None:
        super().__init__(mode)
        self.readings = readings

    async def read(self) -> NodeHardware:
        self.readings -= 1
        disagreements = ("AMD SMI tells 8 partitions, KFD 7",) if self.readings >= 0 else ()
        return replace(await super().read(), disagreements=disagreements)


@pytest.mark.parametrize(
    ("readings", "want"),
    [
        pytest.param(5, "", id="for a moment"),
        pytest.param(inf, "SourcesDisagree: AMD SMI tells 8 partitions, KFD 7", id="for good"),
    ],
)
async def test_a_change_is_done_once_the_sources_agree(readings: float, want: str) -> None:
    host = await execute(Torn("SPX/NPS1", readings), operation(A="CPX/NPS1"))
    assert host.last.phase is (OperationPhase.FAILED if want else OperationPhase.SUCCEEDED)
    assert host.last.message.startswith(want)


async def test_partitions_that_are_missing_afterwards_are_told() -> None:
    class Lacking(RecordedBackend):
        async def read(self) -> NodeHardware:
            node = await super().read()
            first = replace(node.gpus[0], missing_partitions=1)
            return replace(node, gpus=(first, *node.gpus[1:]))

    host = await execute(Lacking("SPX/NPS1"), operation(A="CPX/NPS1"))
    assert host.last.phase is OperationPhase.SUCCEEDED
    assert "9 of the node's 10 partitions are there" in host.last.message


async def test_a_memory_mode_that_was_asked_for_in_vain_is_taken_back() -> None:
    """The driver remembers what it was asked: its next reload, for whatever reason, would change the node."""
    backend = RecordedBackend("SPX/NPS1")
    backend.fail = {"reload": RestartFailed("handles are open")}
    host = await execute(backend, operation(A="CPX/NPS4", B="CPX/NPS4"))
    assert host.last.message == (
        "RestartFailed: handles are open; memory mode NPS1 was asked for again in place of NPS4"
    )
    await backend.node.reload_driver()
    assert await backend.modes() == {A: "SPX/NPS1", B: "SPX/NPS1"}


async def test_so_is_one_that_an_agent_asked_for_before_it_died() -> None:
    backend = RecordedBackend("SPX/NPS1")
    await backend.node.set_memory_mode(MemoryMode.NPS4)
    backend.foreign = {B: (GpuProcess(77),)}
    last = progress(OperationPhase.RUNNING).model_copy(update={"step": "SetMemoryMode NPS4"})
    host = await execute(backend, operation(A="CPX/NPS4", B="CPX/NPS4"), last)
    assert host.last.message.endswith("memory mode NPS1 was asked for again in place of NPS4")


async def test_what_could_not_be_taken_back_is_told_and_tried_again_by_the_next_operation() -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.fail = {"reload": RestartFailed("handles are open")}
    host, clock = Host(backend), SkippingClock()
    executor = OperationExecutor(backend, host, clock, "node-0")
    host.on_record = lambda told: backend.fail.update(memory=Busy("in use", frozenset())) if "Reload" in told else None
    await executor.execute(operation(A="CPX/NPS4", B="CPX/NPS4"), None)
    assert "memory mode NPS4 may come with the next driver reload, and was not taken back (in use)" in (
        host.last.message
    )
    backend.fail = {}
    await executor.execute(operation("op-2", A="SPX/NPS1", B="SPX/NPS1"), host.last)
    assert host.last.message == (
        "every GPU is in the mode asked for; memory mode NPS1 was asked for again in place of NPS4"
    )
