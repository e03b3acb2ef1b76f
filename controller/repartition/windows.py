"""Maintenance windows: may a change begin at this moment, and when may the next one?

A window is open whenever the clock on the wall of its time zone shows a time between start and end. So it shifts with
summer time as people do: an hour that the clock skips opens nothing, one that it repeats opens twice.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAYS_AHEAD: Final = 15
"""A window of one day a week may be skipped once by summer time; it comes in the week after."""


@dataclass(frozen=True, slots=True)
class Window:
    """A time of the week: `days` of WEEKDAYS on which it opens, empty for every day; `end` before `start` is next day.

    One whose start and end are the same never opens.
    """

    start: time
    end: time
    days: frozenset[str] = frozenset()
    timezone: str = "UTC"

    def shows(self, wall: datetime) -> bool:
        """Whether it is open while the clock on the wall shows `wall` (no time zone)."""
        shown, today = wall.time(), wall.date()
        if self.start < self.end:
            return self.start <= shown < self.end and self._opens_on(today)
        if self.start == self.end:
            return False
        since_yesterday = shown < self.end and self._opens_on(today - timedelta(days=1))
        return since_yesterday or (shown >= self.start and self._opens_on(today))

    def _opens_on(self, day: date) -> bool:
        return not self.days or WEEKDAYS[day.weekday()] in self.days


@dataclass(frozen=True, slots=True)
class Openness:
    """Whether changes may begin; if not, when (`next_opening`, UTC, None: not within two weeks) and a sentence."""

    is_open: bool
    next_opening: datetime | None = None
    sentence: str = ""


OPEN: Final = Openness(is_open=True)


def open_at(windows: Collection[Window], now: datetime) -> Openness:
    """Whether one of the windows is open at `now`, which has a time zone; none at all means at any time.

    A window whose time zone nobody knows never opens, and the sentence names it.
    """
    if not windows:
        return OPEN
    known = [(window, zone) for window in windows if (zone := _zone(window.timezone)) is not None]
    if any(window.shows(_wall(now, zone)) for window, zone in known):
        return OPEN
    openings = [(opening, zone) for window, zone in known for opening in _openings(window, zone, now)]
    sentences = [f"no time zone is called {name}: correct repartition.windows" for name in unknown_zones(windows)]
    if not openings:
        return Openness(is_open=False, sentence="; ".join(sentences) or "no window opens within two weeks")
    opening, zone = min(openings, key=lambda found: found[0])
    local = opening.astimezone(zone)
    sentences.insert(0, f"the next window opens on {local:%a} {local:%Y-%m-%d %H:%M} {local.tzname()}")
    return Openness(is_open=False, next_opening=opening, sentence="; ".join(sentences))


def unknown_zones(windows: Collection[Window]) -> list[str]:
    """The time zones of windows that never open because nobody knows them, sorted."""
    return sorted({window.timezone for window in windows if _zone(window.timezone) is None})


def _zone(name: str) -> tzinfo | None:
    if name == "UTC":
        return UTC  # also where the system has no time zone database
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # not there, no name of a zone, or a directory of the database
        return None


def _wall(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _openings(window: Window, zone: tzinfo, now: datetime) -> list[datetime]:
    """Moments after `now` at which the window may open, its next opening among them; none within two weeks: empty."""
    today = _wall(now, zone).date()
    for ahead in range(-1, _DAYS_AHEAD):
        start = datetime.combine(today + timedelta(days=ahead), window.start)
        moments = (*_moments(start, zone), *_changes_of_the_clock(start, zone))
        found = [moment for moment in moments if moment > now and window.shows(_wall(moment, zone))]
        if found:
            return found
    return []


def _moments(wall: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Both moments at which the clock may show `wall`; the same one twice on most days."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first, second


def _changes_of_the_clock(wall: datetime, zone: tzinfo) -> Iterator[datetime]:
    """The moment within a day after `wall` at which the clock is put forward or back, if there is one."""
    early = wall.replace(tzinfo=zone).astimezone(UTC) - timedelta(days=1)
    late = early + timedelta(days=2)
    offset = early.astimezone(zone).utcoffset()
    if late.astimezone(zone).utcoffset() == offset:
        return
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            early = middle
        else:
            late = middle
    yield late.replace(microsecond=0)
