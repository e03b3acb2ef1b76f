import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.agent.backend import Busy, RestartFailed
from controller.agent.partitioner import (
    LayoutError,
    Progress,
    ReadBackMismatch,
    ROCmPartitioner,
    StepKind,
    steps,
    touched,
)
from controller.gpu.mode import ComputeMode, Mode
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
