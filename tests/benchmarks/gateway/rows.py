"""What was measured, by metric and subject, and how it becomes rows. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from tests.benchmarks.gateway.settings import PEERS, RUST_ROUTERS
from tests.benchmarks.report import Row, row
from tests.benchmarks.thresholds import Threshold

OURS: Final = "ours"
FASTEST_ROUTER: Final = "fastest Rust router"
BEST: Final = "best"
DIRECT: Final = "direct"
"""The engine without anything before it: no peer, but what limits all."""


_AGAINST: Final[Mapping[str, Sequence[str]]] = {FASTEST_ROUTER: RUST_ROUTERS, BEST: PEERS}
"""Who of the peers stands for a name that a threshold has, by the largest median."""


class Measured:
    """Samples by metric and subject, in the order in which they were measured."""

    def __init__(self) -> None:
        self._samples: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._units: dict[str, str] = {}

    def add(self, metric: str, unit: str, subject: str, value: float) -> None:
        """One run's value."""
        self._units[metric] = unit
        self._samples[metric][subject].append(value)

    def samples(self, metric: str, subject: str) -> Sequence[float]:
        """What was added; empty when nothing was."""
        return tuple(self._samples[metric][subject])

    def median(self, metric: str, subject: str) -> float:
        """The middle of what was added. KeyError when nothing was."""
        found = self._samples[metric].get(subject)
        if not found:
            raise KeyError(f"{metric} of {subject} was not measured")
        return median(found)

    def rows(self, thresholds: Mapping[str, Threshold]) -> list[Row]:
        """A row for each metric and peer, and one against the best of several where the metric's threshold says so."""
        return [found for metric in self._samples for found in self._rows(metric, thresholds)]

    def _rows(self, metric: str, thresholds: Mapping[str, Threshold]) -> list[Row]:
        mine, unit = self._samples[metric].get(OURS), self._units[metric]
        peers = {name: values for name, values in self._samples[metric].items() if name != OURS and values}
        if not mine:
            return []
        if not peers:
            return [row(metric, unit, mine)]
        found = [
            row(metric, unit, mine, name, values, _bound(thresholds, metric, name)) for name, values in peers.items()
        ]
        asked = thresholds.get(metric)
        against = _AGAINST.get(asked.peer, ()) if asked is not None else ()
        among = [name for name in peers if name in against]
        if asked is not None and among:
            best = max(among, key=lambda name: median(peers[name]))
            found.insert(0, row(metric, unit, mine, asked.peer, peers[best], asked))
        return found


def _bound(thresholds: Mapping[str, Threshold], metric: str, peer: str) -> Threshold | None:
    """The metric's bound, or one against this peer alone, under the metric's name and the peer's."""
    return thresholds.get(f"{metric}_{peer}") or thresholds.get(metric)
