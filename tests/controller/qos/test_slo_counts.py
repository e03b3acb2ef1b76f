"""Counts by span: what a window holds, what is forgotten, what the text keeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.qos.slo_counts import AHEAD_SECONDS, SPANS, CountsError, RequestCounts, Tally, span_of

NOW = 1_800_000_000.0
MONTH = 30 * 86_400
WINDOWS = (300, 1800, 3600, 21_600, 259_200, MONTH)

history = st.lists(
    st.tuples(st.integers(0, 40 * 86_400), st.integers(0, 500), st.integers(0, 500)).map(
        lambda drawn: (NOW - drawn[0], Tally(drawn[1] + drawn[2], drawn[2]))
    ),
    max_size=40,
)


def counted(*events: tuple[float, Tally]) -> RequestCounts:
    counts = RequestCounts()
    for moment, tally in sorted(events, key=lambda event: event[0]):
        counts.add(moment, tally)
    return counts


@pytest.mark.parametrize("seconds", WINDOWS)
@given(events=history)
def test_a_window_has_what_happened_in_it_and_at_most_a_span_before(
    seconds: int, events: list[tuple[float, Tally]]
) -> None:
    def since(start: float) -> Tally:
        return sum((tally for moment, tally in events if moment >= start), Tally())

    found, surely = counted(*events).within(seconds, NOW), since(NOW - seconds)
    perhaps = since(NOW - seconds - span_of(seconds))
    assert surely.requests <= found.requests <= perhaps.requests
    assert surely.slow <= found.slow <= perhaps.slow


@pytest.mark.parametrize("seconds", WINDOWS)
def test_a_window_ends_a_span_before_it_begins_at_the_latest(seconds: int) -> None:
    length = span_of(seconds)
    now = NOW // length * length - 1  # at the end of a span most of what is before the window is in
    reach = [counted((now - seconds - more, Tally(1))).within(seconds, now).requests for more in (0, length + 1)]
    assert reach == [1, 0]


@given(events=history)
def test_the_text_says_the_same(events: list[tuple[float, Tally]]) -> None:
    counts = counted(*events)
    again = RequestCounts.parse(counts.text(NOW))
    assert [again.within(seconds, NOW) for seconds in WINDOWS] == [counts.within(seconds, NOW) for seconds in WINDOWS]
    assert again.text(NOW) == counts.text(NOW)


@given(events=history, shards=st.integers(1, 5))
def test_shards_add_up_to_what_one_would_have_counted(events: list[tuple[float, Tally]], shards: int) -> None:
    parts = [counted(*events[number::shards]) for number in range(shards)]
    assert RequestCounts.merged(parts).text(NOW) == counted(*events).text(NOW)


def test_a_month_of_every_minute_fits_into_a_status() -> None:
    counts = RequestCounts()
    for minute in range(MONTH // 60 + 1):
        counts.add(NOW - MONTH + 60 * minute, Tally(999_999, 99_999))
    text = counts.text(NOW)
    assert len(text) < 2048
    kept = {int(part.partition("@")[0]): part.count(",") + 1 for part in text.split(";")}
    assert kept == SPANS


def test_a_text_can_be_read() -> None:
    counts = RequestCounts()
    counts.add(120, Tally(7, 2))
    counts.add(240, Tally(5))
    assert counts.text(250).split(";")[0] == "60@4=5,,7-2"
    assert counts.text(250 + 2 * MONTH) == ""


@pytest.mark.parametrize(
    "text",
    ["x", "60=1", "60@=1", "60@a=1", "60@4=1-2", "60@4=-1", "60@4=1-", "60@4=1-a", "60@4=a", "60@4=1.5", "60@-4=1"],
)
def test_a_text_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(CountsError, match="counts '"):
        RequestCounts.parse(text)


def test_spans_of_another_release_are_left_out() -> None:
    assert RequestCounts.parse("17@4=9;60@4=5").within(300, 250) == Tally(5)


def test_what_a_wrong_clock_counted_is_left_out() -> None:
    counts = counted((NOW, Tally(1)), (NOW + AHEAD_SECONDS - 60, Tally(2)), (NOW + 86_400, Tally(100, 100)))
    assert counts.within(300, NOW) == Tally(3)
    assert RequestCounts.parse(counts.text(NOW)).within(MONTH, NOW + 2 * 86_400) == Tally(3)


def test_more_slow_ones_than_there_were_are_no_count() -> None:
    with pytest.raises(ValueError, match="slow 3 of requests 2"):
        RequestCounts().add(NOW, Tally(2, 3))


def test_no_window_is_longer_than_counts_are_kept() -> None:
    with pytest.raises(ValueError, match="30 days at most"):
        RequestCounts().within(MONTH + 1, NOW)
