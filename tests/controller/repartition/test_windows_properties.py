"""The next opening against a clock that is looked at every five minutes: starts and changes fall on such ones."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.repartition.windows import WEEKDAYS, Window, open_at

MINUTE = timedelta(minutes=1)
ZONES = ["UTC", "Europe/Helsinki", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo"]
"""Lord Howe puts its clock by half an hour, Cairo at midnight."""

clock_times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
moments = st.sampled_from(["2025-12-28", "2026-03-06", "2026-03-27", "2026-04-23", "2026-10-23", "2026-10-30"]).flatmap(
    lambda day: st.integers(0, 4 * 24 * 60).map(lambda minutes: datetime.fromisoformat(day) + minutes * MINUTE)
)
"""Four days around the new year and the changes of the clocks, UTC without saying so."""


@st.composite
def windows(draw: st.DrawFn) -> Window:
    days = draw(st.frozensets(st.sampled_from(WEEKDAYS), max_size=3))
    return Window(draw(clock_times), draw(clock_times), days, draw(st.sampled_from(ZONES)))


def shown(window: Window, moment: datetime) -> bool:
    """The clock on the wall compared field by field, by no arithmetic of the product's."""
    wall = moment.astimezone(ZoneInfo(window.timezone))
    now, start, end = ((t.hour, t.minute) for t in (wall, window.start, window.end))
    before = (wall.replace(tzinfo=None) - timedelta(days=1)).strftime("%a")
    today = not window.days or wall.strftime("%a") in window.days
    yesterday = not window.days or before in window.days
    if start <= end:
        return today and start <= now < end
    return (today and now >= start) or (yesterday and now < end)


@settings(deadline=None, max_examples=100)
@given(st.lists(windows(), min_size=1, max_size=3), moments)
def test_the_next_opening_is_the_first_minute_that_shows_one(given_windows: list[Window], when: datetime) -> None:
    now = when.replace(minute=when.minute // 5 * 5, tzinfo=UTC)
    found = open_at(given_windows, now)
    assert found.is_open == any(shown(window, now) for window in given_windows)
    if found.is_open:
        assert (found.next_opening, found.sentence) == (None, "")
        return
    minute, last = now, found.next_opening or now + timedelta(days=14)
    while minute < last:
        assert not any(shown(window, minute) for window in given_windows)
        minute += 5 * MINUTE
    if found.next_opening is not None:
        assert open_at(given_windows, found.next_opening).is_open


@settings(deadline=None)
@given(st.lists(windows(), max_size=4), st.text(max_size=12), moments)
def test_no_name_of_a_time_zone_is_an_exception(known: list[Window], name: str, when: datetime) -> None:
    odd = Window(time(0), time(23), timezone=name)
    found = open_at([*known, odd], when.replace(tzinfo=UTC))
    assert found.is_open or found.sentence
