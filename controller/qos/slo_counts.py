"""Requests of one objective, counted by ever longer spans, in a form that is small enough for a status.

    ServiceCounts.take, each minute -> RequestCounts.add -> text -> status -> parse, merged -> error_budget

The last minutes are kept by the minute, what is longer ago by ever longer spans: `SPANS` has for each window of
`error_budget` spans that cover it. A window therefore reaches back by up to one of its spans further than it says,
never less far. Counts of several shards are added up (`RequestCounts.merged`), so none needs to know of the others.

Time is seconds since 1970, as wall clocks have it: counts outlive the process that made them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Self

SPANS: Final = {60: 6, 300: 13, 1800: 13, 10_800: 25, 86_400: 31}
"""Length of the spans in seconds, and how many are kept: enough for 5 minutes, an hour, 6 hours, 3 days, 30 days, the
one that is not over yet included."""
AHEAD_SECONDS: Final = 120
"""A span that begins so much later than now is some wrong clock's, and is not counted."""


class CountsError(ValueError):
    """A text is no counts; the message quotes it and says where it ends to be any."""


@dataclass(frozen=True, slots=True)
class Tally:
    """`requests` that were counted, and how many of them were beyond the threshold, or failed."""

    requests: int = 0
    slow: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.requests + other.requests, self.slow + other.slow)


class RequestCounts:
    """The requests of one objective by span. Grows by `add`; `text` leaves out what no window reaches any more."""

    def __init__(self) -> None:
        self._spans: dict[int, dict[int, Tally]] = {length: {} for length in SPANS}

    def add(self, now: float, tally: Tally) -> None:
        """Count requests of this moment. Raises ValueError where more were slow than there were."""
        if not 0 <= tally.slow <= tally.requests:
            raise ValueError(f"slow {tally.slow} of requests {tally.requests}: 0 to all of them can be slow")
        for length, spans in self._spans.items() if tally.requests else ():
            number = int(now // length)
            spans[number] = spans.get(number, Tally()) + tally
            if len(spans) > SPANS[length]:
                self._forget(length, now)

    def within(self, seconds: float, now: float) -> Tally:
        """The requests of the last `seconds`, and of up to a span before them. Raises ValueError beyond 30 days."""
        length = span_of(seconds)
        first, last = int((now - seconds) // length), (now + AHEAD_SECONDS) // length
        found = Tally()
        for number, tally in self._spans[length].items():
            if first <= number <= last:
                found += tally
        return found

    def text(self, now: float) -> str:
        """The counts as ``parse`` reads them; empty where there are none."""
        parts = []
        for length in SPANS:
            self._forget(length, now)
            spans = self._spans[length]
            if spans:
                latest = max(spans)
                backwards = (_written(spans.get(number)) for number in range(latest, min(spans) - 1, -1))
                parts.append(f"{length}@{latest}={','.join(backwards)}")
        return ";".join(parts)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The counts that were written as `text`; spans of lengths that nobody keeps any more are left out.

        Raises:
            CountsError: the text has another form.
        """
        counts = cls()
        for part in filter(None, text.split(";")):
            head, equals, body = part.partition("=")
            length, at, latest = head.partition("@")
            if not (equals and at and length.isdecimal() and latest.isdecimal()):
                raise CountsError(f"counts {part[:60]!r} do not begin with a span's length, @, its number and =")
            kept = counts._spans.get(int(length), {})
            for back, item in enumerate(body.split(",")):
                if item:
                    kept[int(latest) - back] = _read(item)
        return counts

    @classmethod
    def merged(cls, parts: Iterable["RequestCounts"]) -> Self:
        """All of their requests together."""
        sums = cls()
        for length, number, tally in (span for part in parts for span in part.spans()):
            into = sums._spans[length]
            into[number] = into.get(number, Tally()) + tally
        return sums

    def spans(self) -> Iterator[tuple[int, int, Tally]]:
        """Length in seconds, number since 1970 and requests of every span that has any."""
        for length, spans in self._spans.items():
            for number, tally in spans.items():
                yield length, number, tally

    def _forget(self, length: int, now: float) -> None:
        spans, oldest = self._spans[length], int(now // length) - SPANS[length] + 1
        for number in [number for number in spans if number < oldest or number * length > now + AHEAD_SECONDS]:
            del spans[number]


def span_of(seconds: float) -> int:
    """Length of the shortest spans that cover so many seconds. Raises ValueError where none do."""
    for length, kept in SPANS.items():
        if seconds <= length * (kept - 1):
            return length
    raise ValueError(f"a window of {seconds} s is longer than counts are kept: 30 days at most")


def _written(tally: Tally | None) -> str:
    if tally is None:
        return ""
    return f"{tally.requests}-{tally.slow}" if tally.slow else str(tally.requests)


def _read(item: str) -> Tally:
    requests, dash, slow = item.partition("-")
    slow = slow if dash else "0"
    if not (requests.isdecimal() and slow.isdecimal()) or int(slow) > int(requests):
        raise CountsError(f"counts {item[:60]!r} are no requests with, after a dash, those of them that were slow")
    return Tally(int(requests), int(slow))
