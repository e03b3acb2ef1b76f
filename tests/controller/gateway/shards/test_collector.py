from prometheus_client import CollectorRegistry, generate_latest

from controller.gateway.shards.collector import ShardCollector
from controller.gateway.shards.ownership import ShardStatistics


def test_what_a_replica_counts_of_its_shards() -> None:
    registry = CollectorRegistry()
    registry.register(ShardCollector(lambda: ShardStatistics(held=8, claiming=1, terms=20, members=2, residents=3)))
    lines = generate_latest(registry).decode().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'aim_gateway_shards{state="held"} 8.0',
        'aim_gateway_shards{state="claimed"} 1.0',
        "aim_gateway_shard_terms_total 20.0",
        "aim_gateway_replicas 2.0",
        "aim_gateway_foreign_seats 3.0",
    ]
