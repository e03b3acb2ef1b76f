"""Histograms that we keep ourselves, of what happens so seldom that its zeros matter: rates see the first one."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.runtime.instrument import Instrument
from controller.telemetry.families import Labels


@dataclass(slots=True)
class _Row:
    """A `HistogramRow`."""

    edges: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    sum: float = 0.0


class Recorded:
    """The observations of one histogram of the table, by label values. `declared` are told before there is any."""

    def __init__(self, instrument: Instrument, declared: Iterable[Labels] = ()) -> None:
        self._edges = instrument.buckets
        self._rows = {labels: self._empty() for labels in declared}

    def record(self, amount: float, *labels: str) -> None:
        """Count one observation, in the instrument's unit."""
        row = self._rows.setdefault(labels, self._empty())
        row.counts[bisect_left(self._edges, amount)] += 1
        row.sum += amount

    def rows(self) -> list[tuple[Labels, _Row]]:
        """What was counted since the process began, for `Metrics.observe_histograms`."""
        return list(self._rows.items())

    def _empty(self) -> _Row:
        return _Row(self._edges, [0] * (len(self._edges) + 1))
