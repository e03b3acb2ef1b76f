from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.agent.backend import (
    BackendError,
    Busy,
    DriverGone,
    GpuProcess,
    NodeHardware,
    NotSupported,
    ReloadTimeout,
    RestartFailed,
)
from controller.agent.partitioner import (
    GpuLost,
    LayoutError,
    Progress,
    ReadBackMismatch,
    ROCmPartitioner,
    StepKind,
    steps,
    touched,
)
from controller.gpu.mode import ComputeMode, MemoryMode, Mode
from controller.gpu.product import product_named
from tests.controller.agent.hardware import A, B, RecordedBackend, modes

MI300X_MODES = [str(mode) for mode in product_named("MI300X").allowed]


async def ignore(_progress: Progress) -> None:
    return


ORDERS = [
    pytest.param({"A": "SPX/NPS1", "B": "SPX/NPS1"}, {"A": "SPX/NPS1", "B": "SPX/NPS1"}, [], id="there already"),
    pytest.param(
        {"A": "SPX/NPS1", "B": "SPX/NPS1"},
        {"A": "CPX/NPS1", "B": "SPX/NPS1"},
        [f"SetComputeMode CPX on {A}"],
        id="compute of one gpu",
    ),
    pytest.param(
        {"A": "CPX/NPS4", "B": "CPX/NPS4"},
        {"A": "DPX/NPS2", "B": "DPX/NPS2"},
        ["SetMemoryMode NPS2", "ReloadDriver", f"SetComputeMode DPX on {A}", f"SetComputeMode DPX on {B}"],
        id="memory first, then reload, then compute",
    ),
    pytest.param(
        {"A": "CPX/NPS1", "B": "CPX/NPS1"},
        {"A": "CPX/NPS4", "B": "CPX/NPS4"},
        ["SetMemoryMode NPS4", "ReloadDriver", f"SetComputeMode CPX on {A}", f"SetComputeMode CPX on {B}"],
        id="compute again after a reload although it was right before",
    ),
]


@pytest.mark.parametrize(("current", "target", "want"), ORDERS)
def test_order_of_steps(current: dict[str, str], target: dict[str, str], want: list[str]) -> None:
    assert [str(step) for step in steps(modes(**current), modes(**target))] == want


@pytest.mark.parametrize(("current", "target", "want"), ORDERS)
def test_gpus_that_must_be_idle(current: dict[str, str], target: dict[str, str], want: list[str]) -> None:
    needed = touched(modes(**current), modes(**target))
    assert needed == ({A, B} if "ReloadDriver" in want else {bdf for bdf in (A, B) if bdf in str(want)})


@given(st.lists(st.sampled_from(MI300X_MODES), min_size=1, max_size=4), st.sampled_from(MI300X_MODES))
async def test_every_layout_reaches_every_mode(first: list[str], last: str) -> None:
    backend = RecordedBackend(first[0], gpus=2)
    for mode in [*first, last]:
        await ROCmPartitioner(backend).apply(modes(A=mode, B=mode), ignore)
        assert await backend.modes() == {A: mode, B: mode}


async def test_a_reload_comes_before_any_compute_change() -> None:
    backend = RecordedBackend("CPX/NPS4")
    await ROCmPartitioner(backend).apply(modes(A="SPX/NPS1", B="DPX/NPS1"), ignore)
    assert backend.calls == ["memory NPS1", "reload", f"compute {B} DPX"]  # the reload left A at SPX


async def test_nothing_is_called_when_there_already() -> None:
    backend = RecordedBackend("CPX/NPS4")
    await ROCmPartitioner(backend).apply(modes(A="CPX/NPS4"), ignore)
    assert backend.calls == []


async def test_gpus_that_are_not_named_keep_their_compute_mode() -> None:
    backend = RecordedBackend("CPX/NPS1")
    await ROCmPartitioner(backend).apply(modes(A="QPX/NPS4"), ignore)
    assert await backend.modes() == {A: "QPX/NPS4", B: "CPX/NPS4"}


async def test_each_step_is_reported_before_it_acts() -> None:
    backend = RecordedBackend("SPX/NPS1")
    seen: list[tuple[str, int, int]] = []

    async def report(progress: Progress) -> None:
        seen.append((progress.step.kind, progress.percent, len(backend.calls)))

    await ROCmPartitioner(backend).apply(modes(A="CPX/NPS4", B="CPX/NPS4"), report)
    assert seen == [
        (StepKind.SET_MEMORY_MODE, 0, 0),
        (StepKind.RELOAD_DRIVER, 25, 1),
        (StepKind.SET_COMPUTE_MODE, 50, 2),
        (StepKind.SET_COMPUTE_MODE, 75, 3),
    ]


@pytest.mark.parametrize(
    ("asked", "want"),
    [
        pytest.param({"C": "SPX/NPS1"}, "GPU 0000:47:00.0: not on this node", id="unknown gpu"),
        pytest.param({"A": "TPX/NPS1"}, "mode TPX/NPS1 of GPU 0000:05:00.0", id="mode the product has not got"),
        pytest.param({"A": "DPX/NPS2", "B": "CPX/NPS4"}, "memory modes NPS2, NPS4", id="two memory modes"),
        pytest.param({"A": "CPX/NPS4"}, "mode SPX/NPS4 of GPU 0000:27:00.0", id="a gpu not named cannot follow"),
        pytest.param({}, "memory modes \\(none\\)", id="nothing asked"),
    ],
)
async def test_a_layout_that_cannot_be_touches_nothing(asked: dict[str, str], want: str) -> None:
    backend = RecordedBackend("SPX/NPS1")
    with pytest.raises(LayoutError, match=want):
        await ROCmPartitioner(backend).apply(modes(**asked), ignore)
    assert backend.calls == []


async def test_hardware_that_does_not_obey_is_told_apart() -> None:
    class Stubborn(RecordedBackend):
        async def set_compute_mode(self, bdf: str, mode: ComputeMode) -> None:
            self._call(f"compute {bdf} {mode}")

    backend = Stubborn("SPX/NPS1")
    with pytest.raises(ReadBackMismatch, match=f"GPU {A} is SPX/NPS1 and was asked to be CPX/NPS1"):
        await ROCmPartitioner(backend).apply(modes(A="CPX/NPS1"), ignore)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        pytest.param("memory", Busy("in use", frozenset({A})), id="memory busy"),
        pytest.param("reload", RestartFailed("handles"), id="reload fails"),
        pytest.param("compute", Busy("in use", frozenset({A})), id="compute busy"),
    ],
)
async def test_a_failed_step_can_be_tried_again(call: str, error: Busy | RestartFailed) -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.fail = {call: error}
    target = modes(A="QPX/NPS4", B="CPX/NPS4")
    with pytest.raises(type(error)):
        await ROCmPartitioner(backend).apply(target, ignore)
    backend.fail = {}
    assert (await ROCmPartitioner(backend).apply(target, ignore)).modes == target


def test_modes_compare_whole() -> None:
    assert touched({A: Mode.parse("SPX/NPS1")}, {A: Mode.parse("SPX/NPS1")}) == frozenset()


class Told(RecordedBackend):
    """A node whose readings the test changes: `tell` gets each one, and how many changes were called before it."""

    def __init__(self, mode: str, tell: Callable[[NodeHardware, int], NodeHardware]) -> None:
        super().__init__(mode)
        self._tell = tell

    async def read(self) -> NodeHardware:
        return self._tell(await super().read(), len(self.calls))


def unreadable(hardware: NodeHardware) -> NodeHardware:
    """The same with the mode of the first GPU not told."""
    return replace(hardware, gpus=(replace(hardware.gpus[0], mode=None), *hardware.gpus[1:]))


def without_last(hardware: NodeHardware) -> NodeHardware:
    return replace(hardware, gpus=hardware.gpus[:-1])


async def test_a_backend_that_only_reads_is_refused_before_anything() -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.writable = False
    backend.fail = {"read": DriverGone("not to be asked")}
    with pytest.raises(NotSupported, match="backend simulated: it reads GPUs and changes none"):
        await ROCmPartitioner(backend).apply(modes(A="CPX/NPS1"), ignore)


@pytest.mark.parametrize("asked", [{"A": "CPX/NPS1"}, {"B": "CPX/NPS1"}, {"A": "CPX/NPS4", "B": "CPX/NPS4"}])
async def test_a_mode_that_cannot_be_read_forbids_every_layout(asked: dict[str, str]) -> None:
    backend = Told("SPX/NPS1", lambda hardware, _: unreadable(hardware))
    with pytest.raises(LayoutError, match=f"GPU {A}: its mode cannot be read"):
        await ROCmPartitioner(backend).apply(modes(**asked), ignore)
    assert backend.calls == []


async def test_a_mode_that_cannot_be_read_afterwards_is_no_success() -> None:
    backend = Told("SPX/NPS1", lambda hardware, calls: unreadable(hardware) if calls else hardware)
    with pytest.raises(
        ReadBackMismatch, match=f"GPU {A} is in a mode that cannot be read and was asked to be CPX/NPS1"
    ):
        await ROCmPartitioner(backend).apply(modes(A="CPX/NPS1"), ignore)


@pytest.mark.parametrize(
    ("asked", "user", "want"),
    [
        pytest.param({"A": "CPX/NPS1"}, A, f"SetComputeMode CPX on {A}", id="compute, that gpu"),
        pytest.param({"A": "CPX/NPS4", "B": "CPX/NPS4"}, B, "SetMemoryMode NPS4", id="memory, any gpu"),
    ],
)
async def test_no_change_while_a_process_has_the_gpu_open(asked: dict[str, str], user: str, want: str) -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.foreign = {user: (GpuProcess(4711, "exporter"), GpuProcess(4712))}
    with pytest.raises(Busy) as refusal:
        await ROCmPartitioner(backend).apply(modes(**asked), ignore)
    assert refusal.value.gpus == {user}
    assert f"{want}: processes have GPUs open (GPU {user}: exporter 4711, process 4712)" in str(refusal.value)
    assert backend.calls == []


async def test_a_process_on_another_gpu_forbids_no_compute_mode() -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.foreign = {B: (GpuProcess(4711),)}
    await ROCmPartitioner(backend).apply(modes(A="CPX/NPS1"), ignore)
    assert backend.calls == [f"compute {A} CPX"]


async def test_a_process_that_comes_during_the_change_stops_it_there() -> None:
    class Attracts(RecordedBackend):
        async def reload_driver(self) -> None:
            await super().reload_driver()
            self.foreign = {B: (GpuProcess(4711),)}

    backend = Attracts("SPX/NPS1")
    with pytest.raises(Busy, match=f"SetComputeMode CPX on {B}"):
        await ROCmPartitioner(backend).apply(modes(A="CPX/NPS4", B="CPX/NPS4"), ignore)
    assert backend.calls == ["memory NPS4", "reload", f"compute {A} CPX"]


async def test_processes_that_nobody_tells_of_are_none() -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.fail = {"processes": NotSupported("not told here")}
    await ROCmPartitioner(backend).apply(modes(A="CPX/NPS1"), ignore)
    assert await backend.modes() == {A: "CPX/NPS1", B: "SPX/NPS1"}


async def test_a_list_of_processes_that_cannot_be_read_is_not_an_empty_one() -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.fail = {"processes": DriverGone("no driver")}
    with pytest.raises(DriverGone):
        await ROCmPartitioner(backend).apply(modes(A="CPX/NPS1"), ignore)
    assert backend.calls == []


async def test_setting_the_memory_mode_may_reload_by_itself() -> None:
    """As it did before ROCm 7.0."""

    class Old(RecordedBackend):
        async def set_memory_mode(self, mode: MemoryMode) -> None:
            await super().set_memory_mode(mode)
            await self.node.reload_driver()

    backend = Old("SPX/NPS1")
    await ROCmPartitioner(backend).apply(modes(A="CPX/NPS4", B="CPX/NPS4"), ignore)
    assert backend.calls == ["memory NPS4", f"compute {A} CPX", f"compute {B} CPX"]


class Late(RecordedBackend):
    """A reload that is given up, after which the node is `gone`, or has been reloaded or not."""

    reloaded = False
    gone = False

    async def reload_driver(self) -> None:
        self._call("reload")
        if self.reloaded:
            await self.node.reload_driver()
        if self.gone:
            self.fail = {"read": DriverGone("no driver")}
        raise ReloadTimeout("not back in time")


async def test_a_reload_that_came_to_its_end_late_is_believed_by_what_is_read() -> None:
    backend = Late("SPX/NPS1")
    backend.reloaded = True
    after = await ROCmPartitioner(backend).apply(modes(A="CPX/NPS4", B="CPX/NPS4"), ignore)
    assert after.modes == modes(A="CPX/NPS4", B="CPX/NPS4")


@pytest.mark.parametrize("gone", [True, False], ids=["no driver answers", "the old mode is read"])
async def test_a_reload_that_hangs_ends_the_change(gone: bool) -> None:
    backend = Late("SPX/NPS1")
    backend.gone = gone
    with pytest.raises(ReloadTimeout, match="not back in time") as error:
        await ROCmPartitioner(backend).apply(modes(A="CPX/NPS4", B="CPX/NPS4"), ignore)
    assert isinstance(error.value.__cause__, DriverGone) is gone
    assert backend.calls == ["memory NPS4", "reload"]


async def test_a_gpu_lost_on_reload_is_named_and_nothing_more_is_changed() -> None:
    backend = Told("SPX/NPS1", lambda hardware, calls: without_last(hardware) if calls > 1 else hardware)
    with pytest.raises(GpuLost, match=f"GPU {B}: gone after ReloadDriver: read the kernel's log"):
        await ROCmPartitioner(backend).apply(modes(A="CPX/NPS4", B="CPX/NPS4"), ignore)
    assert backend.calls == ["memory NPS4", "reload"]


async def test_sources_that_disagree_afterwards_are_handed_on() -> None:
    backend = Told("SPX/NPS1", lambda hardware, _: replace(hardware, disagreements=("KFD shows seven",)))
    after = await ROCmPartitioner(backend).apply(modes(A="CPX/NPS1"), ignore)
    assert after.disagreements == ("KFD shows seven",)


def test_an_error_of_the_partitioner_is_the_backends() -> None:
    assert issubclass(GpuLost, BackendError)
