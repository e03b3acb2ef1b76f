from tests.benchmarks.telemetry.operator_scrapes import operator_scrapes


async def test_a_small_cluster_is_scraped_whole() -> None:
    found = await operator_scrapes(nodes=3, services=4, claims_a_node=2, scrapes=2)
    assert len(found.cpu) == len(found.wall) == 2
    assert 0 < found.longest_hold < 1_000
    # each service has 6 conditions, 2 figures of replicas, and of 2 objectives a budget, twice 6 windows and 3 limits
    assert found.series > 4 * (6 + 2 + 2 * (1 + 2 * 6 + 3))
    assert found.bytes > 50 * found.series
