"""What the gateway counted, as it is told: rows of the instruments' table, made when somebody collects.

The data path counts into arrays (`latency`) by service and class. A service's labels are its own: namespace, name and
the model that its engines know, "" where annotated pods name several.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from controller.gateway.configuration import ServiceRoute
from controller.gateway.control.watching import WatchStatistics
from controller.gateway.gateway import GatewayStatistics
from controller.gateway.latency import Histogram, LatencyTable
from controller.qos.statistics import ModelStatistics, PartitionStatistics
from controller.telemetry.bounds import merged_histograms, service_labels, summed
from controller.telemetry.families import HistogramRow, Labels
from controller.telemetry.instruments import (
    GATEWAY_CONNECTIONS,
    GATEWAY_ENGINE_FAILURES,
    GATEWAY_REJECTED,
    GATEWAY_RELOADS,
    GATEWAY_TURNED_AWAY,
    GATEWAY_UNREACHABLE,
    GATEWAY_UNROUTED,
    MODEL_QUEUE_LENGTH,
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
)
from controller.telemetry.metrics import Metrics

Tables = Mapping[tuple[str, str], LatencyTable]
Row = tuple[Labels, float]

SEATS: Final[dict[str, Callable[[ModelStatistics], int]]] = {
    "in_flight": lambda one: one.in_flight,
    "minimum": lambda one: one.minimum,
    "lent": lambda one: one.lent,
    "borrowed": lambda one: one.borrowed,
}
PARTITION_STATES: Final[dict[str, Callable[[PartitionStatistics], int]]] = {
    "total": lambda one: one.seats,
    "limit": lambda one: one.limit,
    "in_flight": lambda one: one.in_flight,
}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one collection tells: the figures of one moment, and whose they are."""

    statistics: GatewayStatistics
    watched: WatchStatistics
    routes: Sequence[ServiceRoute]
    labels: Callable[[str], Labels]
    measured: Sequence[tuple[Labels, LatencyTable]]


class GatewayCollector:
    """Looks once a collection. `routes`: the services there are; `tables`: what requests took, by service and class."""

    def __init__(
        self,
        routes: Callable[[], Iterable[ServiceRoute]],
        tables: Callable[[], Tables],
        statistics: Callable[[], GatewayStatistics],
        watched: Callable[[], WatchStatistics],
    ) -> None:
        self._routes, self._tables, self._statistics, self._watched = routes, tables, statistics, watched
        self._seen = self._look()

    def observed_by(self, metrics: Metrics) -> None:
        """Have `metrics` tell it all."""
        metrics.before_collection(self._look_again)
        self._tell_requests(metrics)
        self._tell_seats(metrics)
        self._tell_process(metrics)

    async def _look_again(self) -> None:
        self._seen = self._look()

    def _look(self) -> _Seen:
        routes = tuple(self._routes())
        labels = service_labels({route.key: route.engine_model or "" for route in routes})
        tables = sorted(self._tables().items(), key=itemgetter(0))
        return _Seen(
            self._statistics(),
            self._watched(),
            routes,
            labels,
            [((*labels(key), name), table) for (key, name), table in tables],
        )

    def _tell_requests(self, metrics: Metrics) -> None:
        metrics.observe(MODEL_REQUESTS, lambda: summed(self._outcomes()))
        metrics.observe(MODEL_TOKENS, lambda: summed(self._tokens()))
        metrics.observe_histograms(MODEL_REQUEST_LATENCY, lambda: merged_histograms(self._latencies()))
        metrics.observe_histograms(MODEL_TIME_TO_FIRST_BYTE, lambda: self._histograms(lambda table: table.first_byte))
        metrics.observe_histograms(MODEL_TIME_PER_TOKEN, lambda: self._histograms(lambda table: table.token))
        metrics.observe_histograms(MODEL_QUEUE_WAIT, lambda: self._histograms(lambda table: table.queue_wait))

    def _tell_seats(self, metrics: Metrics) -> None:
        metrics.observe(MODEL_QUEUED, lambda: summed(self._queued()))
        metrics.observe(MODEL_SEATS, lambda: summed(self._seats()))
        metrics.observe(MODEL_QUEUE_LENGTH, lambda: summed(self._queue_room()))
        metrics.observe(PARTITION_SEATS, self._partition_seats)
        metrics.observe(PARTITION_PROMOTIONS, lambda: [(of, one.promotions) for of, one in self._partitions()])
        metrics.observe(PARTITION_OVERLOADS, lambda: [(of, one.overloads) for of, one in self._partitions()])

    def _tell_process(self, metrics: Metrics) -> None:
        metrics.observe(GATEWAY_CONNECTIONS, lambda: [((), self._seen.statistics.connections)])
        metrics.observe(GATEWAY_TURNED_AWAY, lambda: [((), self._seen.statistics.turned_away)])
        metrics.observe(GATEWAY_UNROUTED, lambda: _by_name(self._seen.statistics.unrouted))
        metrics.observe(GATEWAY_ENGINE_FAILURES, lambda: _by_name(self._seen.statistics.engine_failures))
        metrics.observe(GATEWAY_UNREACHABLE, lambda: [((), self._seen.statistics.unreachable)])
        metrics.observe(GATEWAY_RELOADS, self._reloads)
        metrics.observe(GATEWAY_REJECTED, lambda: _by_name(self._seen.watched.rejected))

    # --- rows ---

    def _outcomes(self) -> Iterator[Row]:
        for of, table in self._seen.measured:
            for (code, reason), count in table.outcomes.items():
                yield (*of, str(code), reason), count

    def _tokens(self) -> Iterator[Row]:
        for of, table in self._seen.measured:
            yield (*of, "input"), table.input_tokens
            yield (*of, "output"), table.output_tokens

    def _latencies(self) -> Iterator[tuple[Labels, Histogram]]:
        for of, table in self._seen.measured:
            for outcome, found in (("success", table.success), ("failure", table.failure)):
                if found.count:
                    yield (*of, outcome), found

    def _histograms(self, read: Callable[[LatencyTable], Histogram]) -> Iterator[tuple[Labels, HistogramRow]]:
        return merged_histograms((of, found) for of, table in self._seen.measured if (found := read(table)).count)

    def _queued(self) -> Iterator[Row]:
        for key, one in self._seen.statistics.qos.models.items():
            of = self._seen.labels(key)
            yield from (((*of, name), count) for name, count in one.queued.items())

    def _seats(self) -> Iterator[Row]:
        for key, one in self._seen.statistics.qos.models.items():
            of = self._seen.labels(key)
            yield from (((*of, state), read(one)) for state, read in SEATS.items())

    def _queue_room(self) -> Iterator[Row]:
        """Of this replica, which has a part of a service's queue: those of all replicas together are the whole."""
        return ((self._seen.labels(key), one.room) for key, one in self._seen.statistics.qos.models.items())

    def _partitions(self) -> Iterator[tuple[Labels, PartitionStatistics]]:
        found = self._seen.statistics.qos.partitions
        return ((partition_labels(key), one) for key, one in found.items())

    def _partition_seats(self) -> Iterator[Row]:
        for of, one in self._partitions():
            yield from (((*of, state), read(one)) for state, read in PARTITION_STATES.items())

    def _reloads(self) -> list[Row]:
        watched = self._seen.watched
        return [(("taken",), watched.reloads), (("refused",), watched.refused)]


def partition_labels(key: str) -> Labels:
    """`node`, `gpu` and `partition` of a partition's key "node/bdf/function".

    A pod whose partition nobody knows has "node/pod/uid": its node, no GPU, and the pod's uid as partition.
    """
    node, gpu, partition = key.split("/")
    return node, "" if gpu == "pod" else gpu, partition


def _by_name(counts: Mapping[str, int]) -> list[Row]:
    return [((name,), count) for name, count in sorted(counts.items())]
