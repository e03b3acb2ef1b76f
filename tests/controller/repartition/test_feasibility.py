"""What makes a plan impossible, by the hardware and the policy, in a sentence with a remedy."""

from dataclasses import replace
from typing import Any

import pytest

from controller.repartition.feasibility import Bounds, Hardware, ReportedGpu, Why, problems, sentence
from tests.builders.gpu import bdf

ALLOWED = ("SPX/NPS1", "CPX/NPS1", "CPX/NPS4")
WHOLE = {bdf(number): "SPX/NPS1" for number in range(2)}


def reported(number: int = 0, **fields: Any) -> ReportedGpu:
    facts = {"mode": "SPX/NPS1", "allowed": ALLOWED, "validated": frozenset({"SPX/NPS1", "CPX/NPS4"})}
    return ReportedGpu(bdf(number), "MI300X", **facts | fields)


def hardware(*gpus: ReportedGpu, **fields: Any) -> Hardware:
    return Hardware("worker-0", gpus or (reported(0), reported(1)), **fields)


def to(mode: str, *numbers: int) -> dict[str, str]:
    return {bdf(number): mode for number in numbers or (0,)}


def spx(*numbers: int) -> dict[str, str]:
    return to("SPX/NPS1", *numbers)


@pytest.mark.parametrize(
    ("has", "before", "after", "why", "told"),
    [
        pytest.param(
            hardware(), spx(9), to("CPX/NPS1", 9), Why.UNKNOWN_GPU, f"worker-0 has no GPU {bdf(9)}", id="unknown GPU"
        ),
        pytest.param(
            hardware(lost=frozenset({bdf(9)})),
            spx(9),
            to("CPX/NPS1", 9),
            Why.UNKNOWN_GPU,
            f"worker-0 has lost {bdf(9)}",
            id="lost GPU",
        ),
        pytest.param(
            hardware(reported(0, mode=None, problem="ring timeout")),
            spx(),
            to("CPX/NPS1"),
            Why.UNREADABLE,
            f"the mode of {bdf(0)} cannot be read (ring timeout)",
            id="unreadable",
        ),
        pytest.param(
            hardware(reported(0), reported(1, mode=None)),
            spx(),
            to("CPX/NPS1"),
            Why.UNREADABLE,
            f"the mode of {bdf(1)} cannot be read;",
            id="one beside it is unreadable",
        ),
        pytest.param(
            hardware(reported(0, mode="CPX/NPS1")),
            spx(),
            to("QPX/NPS1"),
            Why.MODE_NOT_SUPPORTED,
            f"MI300X has no mode QPX/NPS1 ({bdf(0)}); {bdf(0)} reads CPX/NPS1, the plan starts from SPX/NPS1",
            id="not allowed, and another mode",
        ),
        pytest.param(
            hardware(reported(0, mode="CPX/NPS1")),
            spx(),
            to("CPX/NPS1"),
            Why.OTHER_MODE,
            f"{bdf(0)} reads CPX/NPS1, the plan starts from SPX/NPS1",
            id="another mode",
        ),
        pytest.param(
            hardware(reported(0, allowed=())),
            spx(),
            to("CPX/NPS1"),
            Why.MODE_NOT_SUPPORTED,
            "MI300X has no mode",
            id="none",
        ),
        pytest.param(
            hardware(),
            spx(),
            to("CPX/NPS4"),
            Why.NODE_WIDE,
            "the memory mode (NPS) is the whole node's, and the plan names 1 of the 2 GPUs",
            id="one GPU of a memory mode",
        ),
        pytest.param(
            hardware(),
            WHOLE,
            to("CPX/NPS4", 0) | to("CPX/NPS1", 1),
            Why.TWO_MEMORY_MODES,
            "NPS1 and NPS4 are asked for side by side",
            id="two memory modes",
        ),
        pytest.param(
            hardware(reported(0, quarantined=(0,)), reported(1)),
            spx(),
            to("CPX/NPS1"),
            Why.QUARANTINED,
            f"{bdf(0)} has partition 0 in quarantine",
            id="in quarantine",
        ),
        pytest.param(
            hardware(disagreement="AMD SMI tells CPX, KFD SPX"),
            spx(),
            to("CPX/NPS1"),
            Why.SOURCES_DISAGREE,
            "contradicts itself: AMD SMI tells CPX, KFD SPX",
            id="sources disagree",
        ),
        pytest.param(
            hardware(writable=False),
            spx(),
            to("CPX/NPS1"),
            Why.READ_ONLY,
            "changes no mode",
            id="an agent that only reads",
        ),
    ],
)
def test_what_the_hardware_cannot_do_is_told_with_a_remedy(
    has: Hardware, before: dict[str, str], after: dict[str, str], why: Why, told: str
) -> None:
    found = problems(has, before, after, None)
    text = sentence(found)
    assert (found[0].why, "None" in text, "; nothing was changed. To help it: " in text) == (why, False, True)
    assert told in text
    assert all(problem.remedy in text for problem in found)


@pytest.mark.parametrize("mode", ["CPX/NPS1", "CPX/NPS4"])
def test_a_change_that_can_be_made_has_no_problem(mode: str) -> None:
    assert problems(hardware(), WHOLE, to(mode, 0, 1), Bounds("shared")) == ()
    assert sentence(()) == ""


@pytest.mark.parametrize(
    ("bounds", "mode", "want"),
    [
        pytest.param(None, "CPX/NPS1", None, id="no policy"),
        pytest.param(Bounds("shared", frozenset({"CPX/NPS4"})), "CPX/NPS1", Why.NOT_ALLOWED, id="another mode"),
        pytest.param(Bounds("shared", frozenset({"CPX/NPS1"})), "CPX/NPS1", None, id="an allowed one"),
        pytest.param(Bounds("shared", validated_only=True), "CPX/NPS1", Why.NOT_VALIDATED, id="not validated"),
        pytest.param(Bounds("shared", validated_only=True), "CPX/NPS4", None, id="validated"),
    ],
)
def test_a_policy_bounds_the_modes(bounds: Bounds | None, mode: str, want: Why | None) -> None:
    found = problems(hardware(), WHOLE, to(mode, 0, 1), bounds)
    assert [problem.why for problem in found] == ([want] if want else [])
    assert want is None or "policy shared" in sentence(found)


def test_a_gpu_that_keeps_its_mode_is_not_bound() -> None:
    bounds = Bounds("shared", frozenset({"CPX/NPS1"}))
    assert problems(hardware(), WHOLE, spx(0) | to("CPX/NPS1", 1), bounds) == ()


@pytest.mark.parametrize(("mode", "want"), [("CPX/NPS1", False), ("CPX/NPS4", True)])
def test_a_quarantine_beside_the_change_matters_when_the_driver_is_reloaded(mode: str, want: bool) -> None:
    has = hardware(reported(0), reported(1, quarantined=(0, 3)))
    found = problems(has, spx(), to(mode), None)
    assert any(problem.why is Why.QUARANTINED for problem in found) is want
    assert ("partitions 0, 3 in quarantine" in sentence(found)) is want


def test_gpus_with_the_same_problem_are_told_together_and_all_problems_once() -> None:
    gpus = [reported(number, mode="CPX/NPS1") for number in range(2)]
    text = sentence(problems(hardware(*gpus), WHOLE, to("QPX/NPS1", 0, 1), Bounds("shared", frozenset({"SPX/NPS1"}))))
    assert text.count("has no mode QPX/NPS1") == text.count("does not allow QPX/NPS1") == text.count("starts from") == 1
    assert f"{bdf(0)}, {bdf(1)} read CPX/NPS1" in text


@pytest.mark.parametrize(
    "has",
    [
        hardware(reported(0, mode="CPX/NPS1")),
        hardware(reported(0, mode=None)),
        hardware(disagreement="x"),
        hardware(reported(1), lost=frozenset({bdf(0)})),
    ],
    ids=["another mode", "unreadable", "disagreement", "lost"],
)
def test_what_a_change_under_way_may_explain_is_passing(has: Hardware) -> None:
    assert [problem.passing for problem in problems(has, spx(), to("CPX/NPS1"), None)] == [True]


def test_what_lasts_is_told_before_what_passes() -> None:
    has = replace(hardware(reported(0, mode=None, quarantined=(0,)), disagreement="x"), writable=False)
    found = problems(has, spx(), to("QPX/NPS4"), Bounds("shared", frozenset({"CPX/NPS1"})))
    assert [problem.passing for problem in found] == sorted(problem.passing for problem in found)
