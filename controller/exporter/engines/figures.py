"""One engine's page of metrics as figures in our words and buckets. Pure.

Engines have buckets of their own, and ours differ. An observation is counted in the first of our buckets that is sure
to hold it: what an engine counted between 0.3 and 0.5 s is one of 0.5 s with us. So nothing is told as faster than it
was, series of engines and of the gateway can be added up, and there are as many as we declare, whatever a page has.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from controller.exporter.engines.vocabulary import (
    FILLED,
    FINISHED,
    HISTOGRAMS,
    STARTED,
    TOKENS,
    WAITING,
    Measure,
    status_of,
)
from controller.runtime.metrics_text import Sample, samples

Edges = Mapping[Measure, tuple[float, ...]]
"""Our buckets' upper bounds, ascending, without the infinite one."""

MOST: Final = float(2**53)
"""Beyond it a float has no ones; no engine counts so far."""

_WANTED: Final = frozenset(
    (
        *(f"{name}_{part}" for names in HISTOGRAMS.values() for name in names for part in ("bucket", "sum", "count")),
        *(name for names in TOKENS.values() for name in names),
        *WAITING,
        *FILLED,
        *FINISHED,
        STARTED,
    )
)
_OF_ANY_PROCESS: Final = frozenset((STARTED,))


@dataclass(frozen=True, slots=True)
class Observations:
    """A histogram: `upto[i]` are those up to edge i, the last one all of them; `sum` in seconds."""

    upto: tuple[int, ...]
    sum: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What an engine counted since it `started`, and how it is now. What it does not tell is absent, or None.

    `requests` by status, `tokens` by direction. `waiting` requests, `filled` share of its KV cache, 0 to 1.
    """

    started: float | None = None
    requests: Mapping[str, int] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    histograms: Mapping[Measure, Observations] = field(default_factory=dict)
    waiting: int | None = None
    filled: float | None = None


def figures_of(page: str, edges: Edges) -> Figures | None:
    """The figures of a page; None where it is no engine's that we know."""
    found: dict[str, list[Sample]] = {}
    for sample in samples(page, _WANTED):
        found.setdefault(sample.name, []).append(sample)
    if not found.keys() - _OF_ANY_PROCESS:
        return None
    filled = _of_first(found, FILLED, max)
    waiting = _of_first(found, WAITING, sum)
    return Figures(
        started=_of_first(found, (STARTED,), max),
        requests=_requests(found),
        tokens={
            direction: int(count)
            for direction, names in TOKENS.items()
            if (count := _of_first(found, names, sum)) is not None
        },
        histograms={
            measure: observed
            for measure, names in HISTOGRAMS.items()
            if (observed := _observations(found, names, edges[measure])) is not None
        },
        waiting=None if waiting is None else int(waiting),
        filled=filled if filled is not None and filled <= 1 else None,
    )


def _requests(found: Mapping[str, list[Sample]]) -> dict[str, int]:
    counted: dict[str, float] = {}
    for name in FINISHED:
        for sample in found.get(name, ()):
            status = status_of(name, sample.labels)
            if status is not None:
                counted[status] = counted.get(status, 0.0) + sample.value
    return {status: int(count) for status, count in counted.items() if _is_count(count)}


def _of_first(
    found: Mapping[str, list[Sample]], names: Iterable[str], together: Callable[[list[float]], float]
) -> float | None:
    """The first name that the page has, its samples (of ranks, of replicas within) taken together; None without one."""
    name = next((name for name in names if name in found), None)
    value = together([sample.value for sample in found[name]]) if name is not None else math.nan
    return value if _is_count(value) else None


def _observations(
    found: Mapping[str, list[Sample]], names: Iterable[str], edges: tuple[float, ...]
) -> Observations | None:
    name = next((name for name in names if f"{name}_bucket" in found), None)
    if name is None:
        return None
    total = _of_first(found, (f"{name}_sum",), sum)
    upto: dict[float, float] = {}
    for sample in found[f"{name}_bucket"]:
        edge = _number(sample.labels.get("le", ""))
        upto[edge] = upto.get(edge, 0.0) + sample.value
    rising = [upto[edge] for edge in sorted(upto)]
    sound = math.inf in upto and not any(map(math.isnan, upto)) and rising == sorted(rising)
    if total is None or not sound or not all(map(_is_count, rising)):
        return None
    return Observations(tuple(_rounded_up(upto, edges)), total)


def _rounded_up(upto: Mapping[float, float], edges: tuple[float, ...]) -> Iterable[int]:
    theirs = sorted(upto)
    at, known = 0, 0.0
    for edge in (*edges, math.inf):
        while at < len(theirs) and theirs[at] <= edge:
            known = upto[theirs[at]]
            at += 1
        yield int(known)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _is_count(value: float) -> bool:
    return 0 <= value <= MOST  # false for NaN, too
