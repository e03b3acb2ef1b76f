from collections.abc import Callable

import pytest

from api.v1beta1.gpu_layout import GPUMode, Layout
from api.v1beta1.gpu_node import NodeOperation, OperationPhase, OperationProgress
from controller.agent.backend import BackendError, Busy, DriverGone, NodeHardware, RestartFailed
from controller.agent.operation import OperationExecutor
from controller.gpu.mode import ComputeMode
from tests.controller.agent.hardware import A, B, C, RecordedBackend
from tests.fakes.clock import START, SkippingClock


class Host:
    """Notes what an operation asks of its node; its story mixes that with the backend's calls."""

    def __init__(self, backend: RecordedBackend) -> None:
        self.backend = backend
        self.records: list[OperationProgress] = []
        self.story: list[str] = []
        self.on_withdraw: Callable[[], None] = lambda: None

    async def record(self, progress: OperationProgress) -> None:
        self.records.append(progress)
        self._tell(f"{progress.phase} {progress.step}".strip())

    async def withdraw(self, gpus: frozenset[str]) -> None:
        self._tell(f"withdraw {','.join(sorted(gpus))}")
        self.on_withdraw()

    async def restore(self, hardware: NodeHardware | None) -> None:
        self._tell("restore")

    def held(self) -> frozenset[str]:
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
    bdfs = {"A": A, "B": B, "C": C}
    layout = Layout(gpus=[GPUMode(bdf=bdfs[letter], mode=mode) for letter, mode in to.items()])
    return NodeOperation(id=operation_id, from_=layout, to=layout)


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
        pytest.param("reload", RestartFailed("handles are open"), "RestartFailed: handles are open", id="reload"),
        pytest.param("read", DriverGone("no driver"), "DriverGone: no driver", id="no driver"),
    ],
)
async def test_hardware_errors_end_it_with_their_name(call: str, error: BackendError, want: str) -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.fail = {call: error}
    host = await execute(backend, operation(A="CPX/NPS4", B="CPX/NPS4"))
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
