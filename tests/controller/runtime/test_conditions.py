"""Conditions as dicts; where they overlap with `api.condition`, both are held to the same rows."""

from copy import deepcopy
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from api.condition import set_condition as set_typed
from api.object import Condition, dump
from controller.runtime.conditions import Conditions, Observation, find_condition, is_true, set_condition
from tests.fakes.clock import START

LATER = START + timedelta(minutes=5, microseconds=7)
READY = {
    "type": "Ready",
    "status": "True",
    "observedGeneration": 3,
    "lastTransitionTime": "2026-01-01T00:00:00Z",
    "reason": "Works",
    "message": "all is well",
}
OTHER = READY | {"type": "Other"}


def observed(**fields: Any) -> Observation:
    given: dict[str, Any] = {
        "type": "Ready",
        "status": "True",
        "reason": "Works",
        "message": "all is well",
        "observed_generation": 3,
    }
    return Observation(**(given | fields))


ROWS = [
    pytest.param(observed(), READY, id="nothing differs"),
    pytest.param(observed(message="m"), READY | {"message": "m"}, id="another message moves no time"),
    pytest.param(observed(reason="S"), READY | {"reason": "S"}, id="another reason moves no time"),
    pytest.param(observed(observed_generation=4), READY | {"observedGeneration": 4}, id="another generation neither"),
    pytest.param(
        observed(status="False"),
        READY | {"status": "False", "lastTransitionTime": "2026-01-01T00:05:00Z"},
        id="a flip moves the time, cut to the second",
    ),
    pytest.param(
        observed(status="Unknown", reason="Gone"),
        READY | {"status": "Unknown", "reason": "Gone", "lastTransitionTime": "2026-01-01T00:05:00Z"},
        id="to Unknown is a flip",
    ),
    pytest.param(
        observed(type="New"),
        READY | {"type": "New", "lastTransitionTime": "2026-01-01T00:05:00Z"},
        id="a new type comes last",
    ),
]


@pytest.mark.parametrize(("observation", "want"), ROWS)
def test_set(observation: Observation, want: dict[str, Any]) -> None:
    before: Conditions = [deepcopy(READY), deepcopy(OTHER)]
    after = set_condition(before, observation, LATER)
    assert before == [READY, OTHER], "what was given is not changed"
    assert after == ([want, OTHER] if want["type"] == "Ready" else [READY, OTHER, want])
    assert (after is before) is (want == READY)


@pytest.mark.parametrize(("observation", "want"), ROWS)
def test_the_typed_conditions_of_our_kinds_agree(observation: Observation, want: dict[str, Any]) -> None:
    before = [Condition.model_validate(READY), Condition.model_validate(OTHER)]
    named = (observation.type, observation.status, observation.reason, observation.message)
    after = set_typed(before, *named, observation.observed_generation, LATER)
    assert [dump(condition) for condition in after] == set_condition([READY, OTHER], observation, LATER)


def test_into_an_empty_list() -> None:
    (made,) = set_condition([], observed(observed_generation=None), LATER)
    assert "observedGeneration" not in made
    assert made["lastTransitionTime"] == "2026-01-01T00:05:00Z"


def test_fields_of_others_stay_and_unknown_generations_go() -> None:
    before = [READY | {"lastHeartbeatTime": "x"}]
    (after,) = set_condition(before, observed(observed_generation=None), LATER)
    assert after["lastHeartbeatTime"] == "x"
    assert "observedGeneration" not in after


def test_times_are_utc() -> None:
    there = datetime(2026, 1, 1, 2, 5, tzinfo=timezone(timedelta(hours=2)))
    (made,) = set_condition([], observed(), there)
    assert made["lastTransitionTime"] == "2026-01-01T00:05:00Z"


def test_find() -> None:
    assert find_condition([READY, OTHER], "Other") == OTHER
    assert find_condition([READY], "Other") is None
    assert is_true([READY], "Ready")
    assert not is_true([READY | {"status": "False"}], "Ready")
    assert not is_true([], "Ready")
