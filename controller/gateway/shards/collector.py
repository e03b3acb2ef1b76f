"""What a replica counts of its shards, as Prometheus reads it."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from controller.gateway.shards.ownership import ShardStatistics
from controller.telemetry.instruments import (
    GATEWAY_FOREIGN_SEATS,
    GATEWAY_REPLICAS,
    GATEWAY_SHARD_TERMS,
    GATEWAY_SHARDS,
)


class ShardCollector:
    """Reads `statistics` at each scrape."""

    def __init__(self, statistics: Callable[[], ShardStatistics]) -> None:
        self._statistics = statistics

    def collect(self) -> Iterator[Metric]:
        """Every family, as they are now."""
        found = self._statistics()
        shards = GaugeMetricFamily(GATEWAY_SHARDS.name, GATEWAY_SHARDS.description, labels=("state",))
        shards.add_metric(("held",), found.held)
        shards.add_metric(("claimed",), found.claiming)
        yield shards
        yield CounterMetricFamily(GATEWAY_SHARD_TERMS.name, GATEWAY_SHARD_TERMS.description, value=found.terms)
        yield GaugeMetricFamily(GATEWAY_REPLICAS.name, GATEWAY_REPLICAS.description, value=found.members)
        yield GaugeMetricFamily(GATEWAY_FOREIGN_SEATS.name, GATEWAY_FOREIGN_SEATS.description, value=found.residents)
