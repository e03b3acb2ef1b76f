"""Judges by the engines' records whether ever more was in flight than may be. Pure.

A caller that hangs up frees its place at once for whoever dispatches; the engine learns of it a moment later, and may
have begun the next request by then. So a request that ended as "gone" counts until `grace_seconds` before its line.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from e2e.engine.record import Entry

GRACE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Excess:
    """More in flight than may be: of what (a partition, an engine, a model), how many at most, how many may be."""

    of: str
    most: int
    allowed: int

    def __str__(self) -> str:
        return f"{self.of} had {self.most} requests in flight, {self.allowed} may be"


def most_in_flight(
    entries: Iterable[Entry], by: Callable[[Entry], str], *, grace_seconds: float = GRACE_SECONDS
) -> dict[str, int]:
    """The most that was ever in flight at once, of each thing that `by` names; of what begins with the first entry."""
    current: dict[str, int] = defaultdict(int)
    most: dict[str, int] = defaultdict(int)
    for _, change, entry in sorted(_changes(entries, grace_seconds), key=lambda found: found[:2]):
        current[by(entry)] += change
        most[by(entry)] = max(most[by(entry)], current[by(entry)])
    return dict(most)


def excesses(
    entries: Iterable[Entry],
    by: Callable[[Entry], str],
    allowed: Mapping[str, int],
    *,
    grace_seconds: float = GRACE_SECONDS,
) -> list[Excess]:
    """Everything that had more in flight than `allowed` says, by name; what it does not name may have any number."""
    found = most_in_flight(entries, by, grace_seconds=grace_seconds)
    return [
        Excess(name, most, allowed[name])
        for name, most in sorted(found.items())
        if name in allowed and most > allowed[name]
    ]


def seats_of(entries: Iterable[Entry]) -> dict[str, int]:
    """How many requests each engine serves at once, by what it says itself."""
    return {entry.engine: entry.seats for entry in entries}


def _changes(entries: Iterable[Entry], grace_seconds: float) -> Iterator[tuple[float, int, Entry]]:
    """(time, sequences more or fewer, entry); at one moment ends come before beginnings."""
    begun: dict[tuple[str, str], list[float]] = defaultdict(list)
    for entry in entries:
        key = entry.engine, entry.request
        if entry.event == "begin":
            begun[key].append(entry.at)
            yield entry.at, entry.sequences, entry
            continue
        if not begun[key]:
            continue  # it began before what was given
        started = begun[key].pop(0)
        at = entry.at if entry.event == "end" else max(started, entry.at - grace_seconds)
        yield at, -entry.sequences, entry
