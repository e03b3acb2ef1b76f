from typing import Any

import pytest

from api.v1beta1 import InferenceService
from controller.ui.service_row import service_row
from tests.controller.ui.fleet import service


def row_of(state: str) -> dict[str, Any]:
    return service_row(InferenceService.model_validate(service("chat", "team-a", "Qwen/Qwen3-8B", state)))


@pytest.mark.parametrize("state", ["kept", "burning", "missed", "unknown", "none"])
def test_the_state_is_that_of_the_worst_objective(state: str) -> None:
    assert row_of(state)["state"] == state


def test_an_objective_says_what_is_left_of_its_budget() -> None:
    (objective,) = row_of("burning")["objectives"]
    assert (objective["budgetLeft"], objective["burning"], objective["threshold"]) == ("32.5", "6", "500ms")
