from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from controller.repartition.windows import OPEN, Window, open_at

HELSINKI, NEW_YORK = "Europe/Helsinki", "America/New_York"


def window(start: str, end: str, days: str = "", timezone: str = "UTC") -> Window:
    return Window(time.fromisoformat(start), time.fromisoformat(end), frozenset(days.split()), timezone)


def at(wall: str, zone: str = "UTC", *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone), fold=fold)


NIGHT = window("22:00", "04:00")
WEEKEND = window("22:00", "04:00", "Fri Sat")


@pytest.mark.parametrize(
    ("given", "now", "want"),
    [
        pytest.param(window("08:00", "10:00"), "2026-11-26T07:59:59", False, id="a second early"),
        pytest.param(window("08:00", "10:00"), "2026-11-26T08:00", True, id="the start counts"),
        pytest.param(window("08:00", "10:00"), "2026-11-26T10:00", False, id="the end does not"),
        pytest.param(NIGHT, "2026-11-26T23:00", True, id="before midnight"),
        pytest.param(NIGHT, "2026-11-26T03:59", True, id="after midnight"),
        pytest.param(NIGHT, "2026-11-26T12:00", False, id="neither"),
        pytest.param(window("22:00", "00:00"), "2026-11-26T23:59", True, id="until midnight"),
        pytest.param(window("22:00", "00:00"), "2026-11-26T00:00", False, id="at midnight it is over"),
        pytest.param(WEEKEND, "2026-11-27T22:00", True, id="Friday night"),
        pytest.param(WEEKEND, "2026-11-29T03:00", True, id="Saturday's night lasts into Sunday"),
        pytest.param(WEEKEND, "2026-11-27T03:00", False, id="Thursday's night is not Friday's"),
        pytest.param(WEEKEND, "2026-11-29T22:00", False, id="Sunday night"),
        pytest.param(window("08:00", "08:00"), "2026-11-26T08:00", False, id="a window of no length never opens"),
    ],
)
def test_when_a_window_is_open(given: Window, now: str, want: bool) -> None:
    assert open_at([given], at(now)).is_open is want


def test_the_clock_of_the_windows_own_zone_counts() -> None:
    morning = window("08:00", "09:00", "Mon", NEW_YORK)
    assert open_at([morning], at("2026-11-30T13:30")).is_open
    assert open_at([morning], at("2026-11-30T15:30", HELSINKI)).is_open
    assert not open_at([morning], at("2026-11-30T08:30")).is_open


def test_no_windows_are_any_time_and_any_of_several_will_do() -> None:
    assert open_at([], at("2026-11-26T12:00")) == OPEN
    assert open_at([window("01:00", "02:00"), NIGHT], at("2026-11-26T23:00")) == OPEN


@pytest.mark.parametrize(
    ("wall", "fold", "want"),
    [
        pytest.param("2026-03-29T02:59", 0, False, id="the last minute before the clock is put forward"),
        pytest.param("2026-03-29T04:00", 0, True, id="the skipped hour's window opens late"),
        pytest.param("2026-03-29T04:10", 0, False, id="and closes by the clock"),
        pytest.param("2026-10-25T03:45", 0, True, id="the repeated hour, first pass"),
        pytest.param("2026-10-25T03:15", 1, False, id="the clock was put back before the start"),
        pytest.param("2026-10-25T03:45", 1, True, id="the repeated hour, second pass"),
    ],
)
def test_windows_follow_the_clock_on_the_wall_when_summer_time_changes(wall: str, fold: int, want: bool) -> None:
    assert open_at([window("03:30", "04:10", "", HELSINKI)], at(wall, HELSINKI, fold=fold)).is_open is want


@pytest.mark.parametrize(
    ("given", "now", "want"),
    [
        pytest.param(NIGHT, at("2026-11-26T12:00"), "on Thu 2026-11-26 22:00 UTC", id="today"),
        pytest.param(WEEKEND, at("2026-11-29T12:00"), "on Fri 2026-12-04 22:00 UTC", id="on a day to come"),
        pytest.param(
            window("02:15", "02:45", "", NEW_YORK),
            at("2026-03-08T01:00", NEW_YORK),
            "on Mon 2026-03-09 02:15 EDT",
            id="a window that lies in a skipped hour",
        ),
        pytest.param(
            window("02:15", "02:45", "Sun", NEW_YORK),
            at("2026-03-08T01:00", NEW_YORK),
            "on Sun 2026-03-15 02:15 EDT",
            id="that opens once a week",
        ),
        pytest.param(
            window("02:15", "03:15", "", NEW_YORK),
            at("2026-03-08T01:00", NEW_YORK),
            "on Sun 2026-03-08 03:00 EDT",
            id="a window of which half is skipped",
        ),
        pytest.param(
            window("00:30", "01:30", "", NEW_YORK),
            at("2026-11-01T01:45", NEW_YORK),
            "on Sun 2026-11-01 01:00 EST",
            id="a clock put back into the window",
        ),
        pytest.param(
            window("01:15", "01:45", "", NEW_YORK),
            at("2026-11-01T01:50", NEW_YORK),
            "on Sun 2026-11-01 01:15 EST",
            id="a window in an hour that comes twice",
        ),
    ],
)
def test_the_sentence_says_when_the_next_one_opens(given: Window, now: datetime, want: str) -> None:
    found = open_at([given], now)
    assert found.sentence == f"the next window opens {want}"
    assert found.next_opening is not None
    assert found.next_opening.tzinfo is UTC


@pytest.mark.parametrize("name", ["Mars/Olympus", "Europe", "../../etc/passwd", "", "a\0b", "zone.tab"])
def test_an_unknown_time_zone_is_named_and_never_opens(name: str) -> None:
    found = open_at([window("00:00", "23:59", "", name)], at("2026-11-26T12:00"))
    assert (found.is_open, found.next_opening) == (False, None)
    assert found.sentence == f"no time zone is called {name}: correct repartition.windows"


def test_beside_an_unknown_time_zone_the_other_windows_hold() -> None:
    both = [window("00:00", "23:59", "", "Mars/Olympus"), NIGHT]
    assert open_at(both, at("2026-11-26T23:00")).is_open
    closed = open_at(both, at("2026-11-26T12:00"))
    assert closed.next_opening == at("2026-11-26T22:00")
    assert closed.sentence.endswith("22:00 UTC; no time zone is called Mars/Olympus: correct repartition.windows")


def test_a_window_without_length_has_no_opening_to_tell() -> None:
    found = open_at([window("08:00", "08:00")], at("2026-11-26T12:00") + timedelta(days=1))
    assert (found.next_opening, found.sentence) == (None, "no window opens within two weeks")
