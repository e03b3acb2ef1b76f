from typing import Any

import pytest

from api.v1beta1 import RepartitionPlan
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Pod
from controller.state.durations import change_seconds, start_seconds
from tests.builders.plan import plan
from tests.builders.pod import pod


def started(*conditions: tuple[str, str, str]) -> Pod:
    made = pod()
    made["status"]["conditions"] = [
        {"type": type_, "status": status, "lastTransitionTime": f"2026-01-01T{when}Z"}
        for type_, status, when in conditions
    ]
    return typed(made, Pod)


@pytest.mark.parametrize(
    ("conditions", "want"),
    [
        pytest.param([("PodScheduled", "True", "00:00:10"), ("Ready", "True", "00:02:00")], 110.0, id="ready"),
        pytest.param([("PodScheduled", "True", "00:00:10"), ("Ready", "False", "00:02:00")], None, id="not ready"),
        pytest.param([("Ready", "True", "00:02:00")], None, id="nobody told when it was scheduled"),
    ],
)
def test_a_start_lasts_from_the_node_to_being_ready(conditions: list[tuple[str, str, str]], want: float | None) -> None:
    assert start_seconds(started(*conditions)) == want


def change(minutes: int, *, phase: str = "Succeeded", steps: tuple[str, str] = ("Quiescing", "Applying")) -> Any:
    made = plan(phase=phase)
    first = {"name": steps[0], "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T00:00:10Z"}
    last = {"name": steps[1], "startTime": "2026-01-01T00:00:10Z", "endTime": f"2026-01-01T00:{minutes:02}:00Z"}
    made["status"]["steps"] = [first, last]
    return RepartitionPlan.model_validate(made)


def test_a_change_is_as_long_as_the_middle_one_of_those_that_succeeded() -> None:
    plans = [change(1), change(2), change(9), change(30, phase="Failed")]
    assert change_seconds(plans, reload=False) == 120.0


def test_what_was_never_done_here_is_not_known() -> None:
    moved = change(9, steps=("Draining", "Closing"))
    assert change_seconds([moved], reload=False) is None
    assert change_seconds([change(1)], reload=True) is None
