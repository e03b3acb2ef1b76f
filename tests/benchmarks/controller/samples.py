"""What was measured, and how it becomes rows. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tests.benchmarks.report import Row, row
from tests.benchmarks.thresholds import Threshold

UNITS: Mapping[str, str] = {
    "throughput": "objects/s",
    "cold_sync": "s",
    "event_to_reconcile": "ms",
    "cpu": "s",
    "requests_per_object": "requests",
    "rss": "MB",
}
"""Unit by the beginning of a metric's name."""


class Samples:
    """Values by metric and program, in the order in which they were measured."""

    def __init__(self) -> None:
        self._values: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, metric: str, program: str, value: float) -> None:
        """One run's value."""
        self._values[metric][program].append(value)

    def values(self, metric: str, program: str) -> Sequence[float]:
        """What was added; empty when nothing was."""
        return tuple(self._values[metric][program])

    def rows(self, ours: str, thresholds: Mapping[str, Threshold]) -> list[Row]:
        """A row for each metric and peer, in the order in which metrics were first measured.

        A metric that only we have gives one row without a peer; one that only peers have gives none.
        """
        return [found for metric in self._values for found in self._rows(metric, ours, thresholds)]

    def _rows(self, metric: str, ours: str, thresholds: Mapping[str, Threshold]) -> Iterable[Row]:
        mine = self._values[metric].get(ours)
        if not mine:
            return
        unit = unit_of(metric)
        peers = {name: values for name, values in self._values[metric].items() if name != ours and values}
        for peer, theirs in peers.items():
            yield row(metric, unit, mine, peer, theirs, thresholds.get(metric))
        if not peers:
            yield row(metric, unit, mine)


def unit_of(metric: str) -> str:
    """The unit of a metric. Raises KeyError for a name that begins like none."""
    for beginning, unit in UNITS.items():
        if metric.startswith(beginning):
            return unit
    raise KeyError(f"metric {metric!r}: begins with none of {sorted(UNITS)}")


def size_name(size: int) -> str:
    """1000 -> "1k"; what is no whole thousand stays a number."""
    return f"{size // 1000}k" if size % 1000 == 0 else str(size)
