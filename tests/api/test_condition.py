"""Conditions: when the transition time moves, and that nothing else is touched."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from api.condition import Condition, ConditionStatus, find_condition, is_true, set_condition

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = START + timedelta(minutes=1)


def ready(
    status: str, reason: str = "Because", now: datetime = START, known: list[Condition] | None = None
) -> Condition:
    conditions = set_condition(known or [], "Ready", status, reason, "A sentence.", 1, now)
    found = find_condition(conditions, "Ready")
    assert found is not None
    return found


def test_a_new_condition_has_the_present_as_its_transition() -> None:
    assert ready("False").last_transition_time == START


def test_the_transition_is_cut_to_the_second() -> None:
    assert ready("True", now=START.replace(microsecond=999_999)).last_transition_time == START


def test_another_reason_does_not_move_the_transition() -> None:
    after = ready("False", reason="Other", now=LATER, known=[ready("False")])
    assert (after.last_transition_time, after.reason) == (START, "Other")


@pytest.mark.parametrize(("before", "after"), [("False", "True"), ("True", "Unknown"), ("Unknown", "False")])
def test_a_flip_moves_the_transition(before: str, after: str) -> None:
    assert ready(after, now=LATER, known=[ready(before)]).last_transition_time == LATER


def test_order_and_the_others_stay() -> None:
    known = set_condition([], "Ready", "True", "A", "", None, START)
    known = set_condition(known, "Allocated", "True", "B", "", None, START)
    changed = set_condition(known, "Ready", "False", "C", "", 2, LATER)
    assert [condition.type for condition in changed] == ["Ready", "Allocated"]
    assert changed[1] == known[1]
    assert known[0].reason == "A", "the given list is left alone"


def test_a_bool_stands_for_true_and_false() -> None:
    conditions = set_condition([], "Ready", True, "A", "", None, START)
    assert is_true(conditions, "Ready")
    assert not is_true(set_condition(conditions, "Ready", False, "A", "", None, START), "Ready")


def test_an_absent_condition_is_not_true() -> None:
    assert not is_true([], "Ready")


def test_a_status_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="Maybe"):
        set_condition([], "Ready", "Maybe", "A", "", None, START)


def test_a_reason_that_is_a_sentence_is_refused() -> None:
    with pytest.raises(ValidationError, match="reason"):
        set_condition([], "Ready", ConditionStatus.TRUE, "because of this", "", None, START)
