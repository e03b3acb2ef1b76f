"""Invariant 7: a maximum is never exceeded, a guaranteed minimum is met within so many completions, no class starves.

Judged by the engines' record. Minimum and starvation are asked for only where nobody on a request's way was disturbed:
what was in flight may be lost then.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate

from e2e.engine.judge import excesses, seats_of
from e2e.engine.record import Entry
from tests.chaos.checks.violation import Violation
from tests.chaos.history import Asked, History, Traffic

STARVED_SECONDS = 30.0
"""Within it every class gets an answer, where anybody of its partition does."""
_ARRIVED_SECONDS = 0.5  # from a client to the gateway's queue, on a busy machine


def check(history: History) -> Iterator[Violation]:
    """Excesses whenever, the rest in calm times."""
    traffic, at = history.traffic, history.ended
    for text in (*_exceeded(traffic), *_starved(traffic), *_unmet(traffic)):
        yield Violation(7, at, (), text)


def _exceeded(traffic: Traffic) -> Iterator[str]:
    entries = traffic.entries
    service_of = {engine: name for name, one in traffic.served.items() for engine in one.engines}
    maxima = {name: one.maximum for name, one in traffic.served.items() if one.maximum is not None}
    yield from map(str, excesses(entries, lambda entry: entry.engine, seats_of(entries)))
    yield from map(str, excesses(entries, lambda entry: service_of.get(entry.engine, ""), maxima))


def _starved(traffic: Traffic) -> Iterator[str]:
    """Classes of which a request waited in vain, or for long, in calm times."""
    for one in traffic.asked:
        in_vain, long = one.ended != "200", one.seconds > STARVED_SECONDS
        if (in_vain or long) and _calm(traffic, one):
            ended = f", and ended with {one.ended}" if in_vain else ""
            yield f"{one.request} of {one.service} (class {one.qos}) waited {one.seconds:.1f} s{ended}"


def _unmet(traffic: Traffic) -> Iterator[str]:
    """Requests below their service's minimum that saw more completions pass by than the minimum is."""
    begun: dict[str, Entry] = {}
    ends: dict[str, list[float]] = defaultdict(list)
    for entry in traffic.entries:
        if entry.event == "begin":
            # the gateway numbers its tries
            begun.setdefault(entry.request.rpartition("/")[0] or entry.request, entry)
        else:
            ends[entry.partition].append(entry.at)
    sorted_ends = {partition: sorted(times) for partition, times in ends.items()}
    levels = {name: _Level(traffic, name) for name, promised in traffic.served.items() if promised.minimum}
    for one in traffic.asked:
        promised, first, arrived = traffic.served.get(one.service), begun.get(one.request), one.at + _ARRIVED_SECONDS
        if promised is None or not promised.minimum or first is None or first.at <= arrived:
            continue
        if not _calm(traffic, one) or levels[one.service].at(arrived) >= promised.minimum:
            continue
        times = sorted_ends.get(first.partition, [])
        passed = bisect_left(times, first.at) - bisect_right(times, arrived)
        if passed > promised.minimum:
            yield (
                f"{one.request} of {one.service} waited for {passed} completions below its minimum of {promised.minimum}"
            )


class _Level:
    """How many requests of a service are in flight at any time."""

    def __init__(self, traffic: Traffic, service: str) -> None:
        engines = traffic.served[service].engines
        own = sorted(
            (entry.at, 1 if entry.event == "begin" else -1) for entry in traffic.entries if entry.engine in engines
        )
        self._times = [at for at, _ in own]
        self._counts = list(accumulate(change for _, change in own))

    def at(self, moment: float) -> int:
        """What is in flight then, what begins or ends just then included."""
        number = bisect_right(self._times, moment)
        return self._counts[number - 1] if number else 0


def _calm(traffic: Traffic, one: Asked) -> bool:
    return not any(begun <= one.at + one.seconds and one.at <= ended for begun, ended in traffic.disturbed)
