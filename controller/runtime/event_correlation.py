"""Which occurrences are one Event, and when the API server may be told of it. Pure: given `now`, no I/O.

    occurrence -> known note of its group -> that series, one more
               -> new note, fewer than ten lately -> a series of its own (takes a token of its object)
               -> new note, ten lately            -> the group's combined series

A group is the same type, reason and action about the same object; a series is one Event object in the API. Figures
are client-go's: 25 Events about an object at once and then one in five minutes, ten notes in ten minutes.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Final, Literal, TypeAlias

EventKind = Literal["Normal", "Warning"]

WINDOW_SECONDS: Final = 600.0
"""A series that was not seen for so long has ended: the same again is a new Event."""
NOTES: Final = 10
"""Notes of one group that get an Event of their own within the window."""
BURST: Final = 25
"""Writes about one object that need no wait, when there were none for long."""
REFILL_SECONDS: Final = 300.0
"""Until one more write about an object is allowed."""
TELL_SECONDS: Final = 300.0
"""Between two writes of a series' count; the first repetition is told at once."""
COMBINED: Final = "(combined from similar events): "

# Counts of what is known already never use up what a new Event would need.
_RESERVED = 5
_REMEMBERED = 4096
_ROUNDING = 1e-6
_NOT_IN_NAMES = re.compile(r"[^a-z0-9.-]")
_NAME_CHARACTERS = 200

_Identity: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something happened to the object that `regarding` (an ObjectReference) names."""

    regarding: Mapping[str, str]
    type: EventKind
    reason: str
    action: str
    note: str

    @property
    def about(self) -> _Identity:
        """The object's identity; its resourceVersion is none of it."""
        return tuple(self.regarding.get(name, "") for name in ("apiVersion", "kind", "namespace", "name", "uid"))

    @property
    def group(self) -> _Identity:
        """What it shares with occurrences that differ in their note only."""
        return (*self.about, self.type, self.reason, self.action)


@dataclass(slots=True, eq=False)
class Series:
    """One Event of the API: `count` occurrences, of which the server knows `told` (0: it has no object yet).

    `held`: somebody has it in hand (queued, being written, or waiting for its time), so nobody else may take it.
    `seen`, `told_at`: seconds, of the last occurrence and the last write.
    """

    occurrence: Occurrence
    note: str
    name: str
    first: datetime
    last: datetime
    seen: float
    count: int = 1
    told: int = 0
    told_at: float = 0.0
    attempts: int = 0
    held: bool = False


@dataclass(slots=True)
class _Bucket:
    """Tokens of one object: a write takes one, `REFILL_SECONDS` bring one back."""

    tokens: float
    at: float

    def take(self, now: float, keep: int = 0) -> bool:
        self.tokens = min(self.tokens + (now - self.at) / REFILL_SECONDS, float(BURST))
        self.at = now
        # After exactly the time that `wait` named, a sum of floats may be short by its last bit.
        if self.tokens < 1 + keep - _ROUNDING:
            return False
        self.tokens -= 1
        return True

    def wait(self, keep: int) -> float:
        """Seconds from the last `take` until one with `keep` succeeds."""
        return max(1 + keep - self.tokens, 0.0) * REFILL_SECONDS


_Group = OrderedDict[str, Series]


@dataclass(frozen=True, slots=True)
class CorrelatorStatistics:
    """What is remembered: groups (of the last ten minutes), objects with a token count, series that wait."""

    groups: int
    objects: int
    waiting: int


class EventCorrelator:
    """Holds the series of the last ten minutes, of 4,096 groups at most."""

    def __init__(self) -> None:
        self._groups: OrderedDict[_Identity, _Group] = OrderedDict()
        self._buckets: OrderedDict[_Identity, _Bucket] = OrderedDict()
        self._waiting: list[tuple[float, int, Series]] = []
        self._order = count()

    def observe(self, occurrence: Occurrence, now: float, at: datetime) -> Series | None:
        """The series that `occurrence` belongs to, counted in; None when its object had too many Events.

        `now`: seconds of a monotonic clock; `at`: the same moment for people.
        """
        group = self._group(occurrence.group, now)
        own = len(group) - (COMBINED in group)
        key = occurrence.note if occurrence.note in group or own < NOTES else COMBINED
        series = group.get(key)
        if series is not None:
            series.count, series.last, series.seen = series.count + 1, at, now
            group.move_to_end(key)
            return series
        if not self._bucket(occurrence, now).take(now):
            return None
        note = occurrence.note if key is not COMBINED else f"{COMBINED}{occurrence.note}"
        group[key] = Series(occurrence, note, self._name(occurrence, at), at, at, now)
        return group[key]

    def may_be_told(self, series: Series, now: float) -> bool:
        """Whether `series` may be written now; if not it waits here until `due` gives it out."""
        # The token of a new Event was taken when it began.
        if series.told == 0:
            return True
        due = series.told_at + TELL_SECONDS if series.told > 1 else now
        bucket = self._bucket(series.occurrence, now)
        if due <= now and bucket.take(now, _RESERVED):
            return True
        heappush(self._waiting, (max(due, now + bucket.wait(_RESERVED)), next(self._order), series))
        return False

    def told(self, series: Series, total: int, now: float) -> None:
        """The server has `series` with `total` occurrences."""
        series.told, series.told_at, series.attempts = total, now, 0

    def forget(self, series: Series) -> None:
        """`series` cannot be written: the same again is a new Event."""
        group = self._groups.get(series.occurrence.group, _Group())
        for key in [key for key, known in group.items() if known is series]:
            del group[key]

    def due(self, now: float) -> list[Series]:
        """The waiting series whose time has come, taken out."""
        found: list[Series] = []
        while self._waiting and self._waiting[0][0] <= now:
            _, _, series = heappop(self._waiting)
            if self.may_be_told(series, now):
                found.append(series)
        return found

    def next_due(self) -> float | None:
        """When (seconds, as `now`) the first of the waiting series is due; None without any."""
        return self._waiting[0][0] if self._waiting else None

    def take_waiting(self) -> list[Series]:
        """All waiting series, due or not, taken out: for the end of the process."""
        found = [series for _, _, series in sorted(self._waiting)]
        self._waiting.clear()
        return found

    def statistics(self) -> CorrelatorStatistics:
        """The figures of this moment."""
        return CorrelatorStatistics(len(self._groups), len(self._buckets), len(self._waiting))

    def _group(self, key: _Identity, now: float) -> _Group:
        while self._groups and _ended(next(iter(self._groups.values())), now):
            self._groups.popitem(last=False)
        group = self._groups.setdefault(key, OrderedDict())
        self._groups.move_to_end(key)
        if len(self._groups) > _REMEMBERED:
            self._groups.popitem(last=False)
        while group and now - next(iter(group.values())).seen >= WINDOW_SECONDS:
            group.popitem(last=False)
        return group

    def _bucket(self, occurrence: Occurrence, now: float) -> _Bucket:
        bucket = self._buckets.setdefault(occurrence.about, _Bucket(float(BURST), now))
        self._buckets.move_to_end(occurrence.about)
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        return bucket

    def _name(self, occurrence: Occurrence, at: datetime) -> str:
        # Chosen here and not by the server, so that a write whose answer was lost can be repeated.
        base = _NOT_IN_NAMES.sub("-", occurrence.regarding["name"].lower())[:_NAME_CHARACTERS].strip(".-")
        return f"{base}.{int(at.timestamp() * 1_000_000):x}.{next(self._order):x}"


def _ended(group: _Group, now: float) -> bool:
    return not group or now - next(reversed(group.values())).seen >= WINDOW_SECONDS
