"""Durations: what is understood, what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.duration import DURATION_PATTERN, DurationError, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "want_seconds"),
    [("250ms", 0.25), ("10s", 10.0), ("1.5s", 1.5), ("10m", 600.0), ("1h30m", 5400.0), ("0s", 0.0), ("1m1ms", 60.001)],
)
def test_a_duration_is_understood(text: str, want_seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(want_seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 s", "1d", "5s\n", "5sec"])
def test_another_form_is_refused_by_name_with_a_remedy(text: str) -> None:
    with pytest.raises(DurationError, match="such as 250ms") as refused:
        parse_duration(text)
    assert repr(text) in str(refused.value)


@given(st.integers(min_value=0, max_value=10**12))
def test_formatting_is_exact_to_the_millisecond(milliseconds: int) -> None:
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds


@given(st.from_regex(DURATION_PATTERN[:-1] + r"\Z"))
def test_whatever_the_schema_lets_through_is_understood(text: str) -> None:
    assert parse_duration(text) >= 0


def test_a_negative_duration_is_refused() -> None:
    with pytest.raises(DurationError, match="-1"):
        format_duration(-1)
