"""What the gateway counted, as Prometheus reads it: a collector of the process's one registry.

The data path counts into arrays (`latency`); here they are read when somebody scrapes. Services beyond the first
`MOST_SERVICES` by name are told together as ``other``: whoever makes ten thousand services makes no million series.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from controller.gateway.control.watching import WatchStatistics
from controller.gateway.gateway import GatewayStatistics
from controller.gateway.latency import Histogram, LatencyTable
from controller.qos.statistics import QoSStatistics
from controller.telemetry.instruments import (
    GATEWAY_CONNECTIONS,
    GATEWAY_ENGINE_FAILURES,
    GATEWAY_REJECTED,
    GATEWAY_RELOADS,
    GATEWAY_TURNED_AWAY,
    GATEWAY_UNREACHABLE,
    GATEWAY_UNROUTED,
    MODEL_QUEUE_WAIT,
    MODEL_QUEUED,
    MODEL_REQUEST_LATENCY,
    MODEL_REQUESTS,
    MODEL_SEATS,
    MODEL_TIME_PER_TOKEN,
    MODEL_TIME_TO_FIRST_BYTE,
    MODEL_TOKENS,
    PARTITION_OVERLOADS,
    PARTITION_PROMOTIONS,
    PARTITION_SEATS,
    Instrument,
)

MOST_SERVICES: Final = 500
OTHER: Final = "other"

Tables = Mapping[tuple[str, str], LatencyTable]
Row = tuple[tuple[str, ...], float]
Observed = tuple[tuple[str, ...], Histogram]


class GatewayCollector:
    """Reads `tables` (by service and class), `statistics` and `watched` at each scrape."""

    def __init__(
        self,
        tables: Callable[[], Tables],
        statistics: Callable[[], GatewayStatistics],
        watched: Callable[[], WatchStatistics],
    ) -> None:
        self._tables, self._statistics, self._watched = tables, statistics, watched

    def collect(self) -> Iterator[Metric]:
        """Every family, as they are now."""
        statistics, watched = self._statistics(), self._watched()
        yield from requests_of(self._tables())
        yield from _seats(statistics.qos)
        yield from _partitions(statistics.qos)
        yield _gauge(GATEWAY_CONNECTIONS, (), [((), statistics.connections)])
        yield _counter(GATEWAY_TURNED_AWAY, (), [((), statistics.turned_away)])
        yield _counter(GATEWAY_UNROUTED, ("reason",), _by_name(statistics.unrouted))
        yield _counter(GATEWAY_ENGINE_FAILURES, ("reason",), _by_name(statistics.engine_failures))
        yield _gauge(GATEWAY_UNREACHABLE, (), [((), statistics.unreachable)])
        reloads = {"taken": watched.reloads, "refused": watched.refused}
        yield _counter(GATEWAY_RELOADS, ("result",), _by_name(reloads))
        yield _gauge(GATEWAY_REJECTED, ("reason",), _by_name(watched.rejected))


def requests_of(tables: Tables) -> Iterator[Metric]:
    """What requests took and how they ended, by service ("model") and class ("priority")."""
    shown = _shown({model for model, _ in tables})
    rows = [((shown(model), priority), table) for (model, priority), table in sorted(tables.items())]
    counted = [((*of, str(code), reason), n) for of, table in rows for (code, reason), n in table.outcomes.items()]
    yield _counter(MODEL_REQUESTS, ("model", "priority", "code", "reason"), counted)
    latency = [((*of, "success"), table.success) for of, table in rows]
    latency += [((*of, "failure"), table.failure) for of, table in rows]
    yield _histogram(MODEL_REQUEST_LATENCY, ("model", "priority", "outcome"), latency)
    labels = ("model", "priority")
    yield _histogram(MODEL_TIME_TO_FIRST_BYTE, labels, [(of, table.first_byte) for of, table in rows])
    yield _histogram(MODEL_TIME_PER_TOKEN, labels, [(of, table.token) for of, table in rows])
    yield _histogram(MODEL_QUEUE_WAIT, labels, [(of, table.queue_wait) for of, table in rows])
    tokens = [((*of, "input"), table.input_tokens) for of, table in rows]
    tokens += [((*of, "output"), table.output_tokens) for of, table in rows]
    yield _counter(MODEL_TOKENS, (*labels, "direction"), tokens)


def _seats(qos: QoSStatistics) -> Iterator[Metric]:
    shown = _shown(qos.models)
    models = [(shown(key), one) for key, one in sorted(qos.models.items())]
    queued = [((model, name), count) for model, one in models for name, count in one.queued.items()]
    yield _gauge(MODEL_QUEUED, ("model", "priority"), queued)
    states = ("in_flight", "minimum", "lent", "borrowed")
    seats = [((model, state), getattr(one, state)) for model, one in models for state in states]
    yield _gauge(MODEL_SEATS, ("model", "state"), seats)


def _partitions(qos: QoSStatistics) -> Iterator[Metric]:
    found = sorted(qos.partitions.items())
    seats = [((key, "total"), one.seats) for key, one in found]
    seats += [((key, "limit"), one.limit) for key, one in found]
    seats += [((key, "in_flight"), one.in_flight) for key, one in found]
    yield _gauge(PARTITION_SEATS, ("partition", "state"), seats)
    yield _counter(PARTITION_PROMOTIONS, ("partition",), [((key,), one.promotions) for key, one in found])
    yield _counter(PARTITION_OVERLOADS, ("partition",), [((key,), one.overloads) for key, one in found])


def _shown(models: Iterable[str]) -> Callable[[str], str]:
    kept = frozenset(sorted(models)[:MOST_SERVICES])
    return lambda model: model if model in kept else OTHER


def _by_name(counts: Mapping[str, int]) -> list[Row]:
    return [((name,), count) for name, count in sorted(counts.items())]


def _summed(rows: Iterable[Row]) -> dict[tuple[str, ...], float]:
    found: dict[tuple[str, ...], float] = {}
    for labels, value in rows:
        found[labels] = found.get(labels, 0.0) + value
    return found


def _gauge(instrument: Instrument, labels: tuple[str, ...], rows: Iterable[Row]) -> Metric:
    family = GaugeMetricFamily(_name(instrument), instrument.description, labels=labels)
    for values, value in _summed(rows).items():
        family.add_metric(values, value)
    return family


def _counter(instrument: Instrument, labels: tuple[str, ...], rows: Iterable[Row]) -> Metric:
    family = CounterMetricFamily(_name(instrument), instrument.description, labels=labels)
    for values, value in _summed(rows).items():
        family.add_metric(values, value)
    return family


def _histogram(instrument: Instrument, labels: tuple[str, ...], rows: Iterable[Observed]) -> Metric:
    """Services that are told together have their common edges alone: each service's objectives add edges of its own."""
    by_labels: dict[tuple[str, ...], list[Histogram]] = {}
    for values, histogram in rows:
        by_labels.setdefault(values, []).append(histogram)
    family = HistogramMetricFamily(_name(instrument), instrument.description, labels=labels)
    for values, histograms in by_labels.items():
        if any(histogram.count for histogram in histograms):
            family.add_metric(values, _buckets(histograms), sum(histogram.sum for histogram in histograms))
    return family


def _buckets(histograms: list[Histogram]) -> list[tuple[str, float]]:
    edges = set(histograms[0].edges).intersection(*(histogram.edges for histogram in histograms[1:]))
    sums = dict.fromkeys(sorted(edges), 0.0)
    for histogram in histograms:
        for edge, upto in zip(histogram.edges, accumulate(histogram.counts), strict=False):
            if edge in sums:
                sums[edge] += upto
    total = float(sum(histogram.count for histogram in histograms))
    return [(str(edge), count) for edge, count in sums.items()] + [("+Inf", total)]


def _name(instrument: Instrument) -> str:
    """With its unit at the end, as the exporter of the other metrics writes it."""
    return f"{instrument.name}_seconds" if instrument.unit == "s" else instrument.name
