"""What a replica counts of its shards, as it is told: rows of the instruments' table."""

from collections.abc import Callable

from controller.gateway.shards.ownership import ShardStatistics
from controller.telemetry.families import Labels
from controller.telemetry.instruments import (
    GATEWAY_FOREIGN_SEATS,
    GATEWAY_REPLICAS,
    GATEWAY_SHARD_TERMS,
    GATEWAY_SHARDS,
)
from controller.telemetry.metrics import Metrics


def observe_shards(metrics: Metrics, statistics: Callable[[], ShardStatistics]) -> None:
    """Have `metrics` read `statistics` at each collection."""

    def shards() -> list[tuple[Labels, float]]:
        found = statistics()
        return [(("held",), found.held), (("claimed",), found.claiming)]

    metrics.observe(GATEWAY_SHARDS, shards)
    metrics.observe(GATEWAY_SHARD_TERMS, lambda: [((), statistics().terms)])
    metrics.observe(GATEWAY_REPLICAS, lambda: [((), statistics().members)])
    metrics.observe(GATEWAY_FOREIGN_SEATS, lambda: [((), statistics().residents)])
