from controller.gateway.shards.collector import observe_shards
from controller.gateway.shards.ownership import ShardStatistics
from controller.telemetry.metrics import Metrics


async def test_what_a_replica_counts_of_its_shards() -> None:
    metrics = Metrics("gateway")
    observe_shards(metrics, lambda: ShardStatistics(held=8, claiming=1, terms=20, members=2, residents=3))
    lines = (await metrics.exposition()).decode().splitlines()
    metrics.close()
    assert [line for line in lines if line.startswith("aim_gateway")] == [
        'aim_gateway_shards{state="held"} 8.0',
        'aim_gateway_shards{state="claimed"} 1.0',
        "aim_gateway_shard_terms_total 20.0",
        "aim_gateway_replicas 2.0",
        "aim_gateway_foreign_seats 3.0",
    ]
