"""What services' engines counted, added up over engines that come and go, so that no total ever falls. Pure.

An engine's counters begin at 0 with its process and are lost with its pod; a service's are expected to grow as long as
the service is there. So what an engine counted between two readings is added to its service's total, and a counter that
has fallen, or a process that began anew, counts from 0.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

from controller.exporter.engines.figures import Edges, Figures, Observations
from controller.exporter.engines.vocabulary import Measure

NOTHING = Figures()


class ServiceKey(NamedTuple):
    """A service as metrics are labelled: `service` "" for pods that nothing names, `model` "" where none is said."""

    namespace: str
    service: str
    model: str


@dataclass(slots=True)
class HistogramTotal:
    """Observations: `counts[i]` of those up to `edges[i]`, the last of those beyond all edges; `sum` in seconds."""

    edges: tuple[float, ...]
    counts: list[int]
    sum: float = 0.0

    def add(self, more: Observations) -> None:
        """Add what was observed since."""
        for place, (before, upto) in enumerate(pairwise((0, *more.upto))):
            self.counts[place] += upto - before
        self.sum += more.sum


@dataclass(slots=True)
class ServiceTotals:
    """A service's totals since it is told. What none of its engines ever told is absent."""

    requests: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    histograms: dict[Measure, HistogramTotal] = field(default_factory=dict)

    def add(self, more: Figures, edges: Edges) -> None:
        """Add what an engine counted since its last reading."""
        for totals, counts in ((self.requests, more.requests), (self.tokens, more.tokens)):
            for name, count in counts.items():
                totals[name] = totals.get(name, 0) + count
        for measure, observed in more.histograms.items():
            if measure not in self.histograms:
                self.histograms[measure] = HistogramTotal(edges[measure], [0] * (len(edges[measure]) + 1))
            self.histograms[measure].add(observed)


class Totals:
    """The totals of all services, and every engine as it was read last.

    `keep_seconds`: a service is told so long after the last pod of it, which one that is rolled out may be without for
    a while.
    """

    def __init__(self, edges: Edges, keep_seconds: float) -> None:
        self._edges, self._keep_seconds = edges, keep_seconds
        self._services: dict[ServiceKey, ServiceTotals] = {}
        self._seen_at: dict[ServiceKey, float] = {}
        self._counted: dict[str, Figures] = {}
        self._answering: dict[str, ServiceKey] = {}

    def take(self, engine: str, service: ServiceKey, figures: Figures, *, whole: bool, told: bool) -> None:
        """An engine was read. At its first reading it counts from 0 when `whole`, else from what it shows by now.

        `told` False: somebody else tells the service's requests; then they are no part of its total here.
        """
        before = self._counted.get(engine)
        if before is None:
            before = NOTHING if whole else figures
        self._counted[engine] = _with_what_is_missing(figures, before)
        self._answering[engine] = service
        if told:
            self._services.setdefault(service, ServiceTotals()).add(since(before, figures), self._edges)

    def silent(self, engine: str) -> None:
        """An engine was not read this time: nothing is known of how it is now."""
        self._answering.pop(engine, None)

    def forget_all_but(self, engines: Collection[str]) -> None:
        """Pods other than these are gone; what their engines counted stays in their services' totals."""
        for engine in self._counted.keys() - engines:
            self.silent(engine)
            del self._counted[engine]

    def keep(self, present: Collection[ServiceKey], now: float) -> None:
        """Let those services go that have been without a pod for too long. `present`: those that have one now."""
        self._seen_at |= dict.fromkeys(present, now)
        for service, seen_at in list(self._seen_at.items()):
            if now - seen_at > self._keep_seconds:
                del self._seen_at[service]
                self.end(service)

    def end(self, service: ServiceKey) -> None:
        """The service's requests are not told any more; should they be again, they count from 0."""
        self._services.pop(service, None)

    @property
    def services(self) -> Mapping[ServiceKey, ServiceTotals]:
        """The totals by service."""
        return self._services

    @property
    def remembered(self) -> int:
        """Engines whose last figures are kept: those of pods that are there."""
        return len(self._counted)

    def now(self) -> Iterator[tuple[ServiceKey, Figures]]:
        """Every engine that answered the last time, with its service."""
        for engine, service in self._answering.items():
            yield service, self._counted[engine]


def since(before: Figures, now: Figures) -> Figures:
    """What was counted from one reading of an engine to another."""
    if _began_anew(before, now):
        before = NOTHING
    return Figures(
        requests={status: _grown(before.requests.get(status, 0), count) for status, count in now.requests.items()},
        tokens={direction: _grown(before.tokens.get(direction, 0), count) for direction, count in now.tokens.items()},
        histograms={
            measure: _observed(before.histograms.get(measure), observed) for measure, observed in now.histograms.items()
        },
    )


def _began_anew(before: Figures, now: Figures) -> bool:
    return before.started != now.started and None not in (before.started, now.started)


def _with_what_is_missing(now: Figures, before: Figures) -> Figures:
    """A counter that a page lacks once is not begun anew when it is back."""
    if _began_anew(before, now):
        return now
    return replace(
        now,
        started=now.started if now.started is not None else before.started,
        requests={**before.requests, **now.requests},
        tokens={**before.tokens, **now.tokens},
        histograms={**before.histograms, **now.histograms},
    )


def _grown(before: int, now: int) -> int:
    return now - before if now >= before else now


def _observed(before: Observations | None, now: Observations) -> Observations:
    if before is None:
        return now
    grown = tuple(later - earlier for earlier, later in zip(before.upto, now.upto, strict=True))
    rising = all(earlier <= later for earlier, later in pairwise((0, *grown)))
    if not rising or now.sum < before.sum:
        return now
    return Observations(grown, now.sum - before.sum)
