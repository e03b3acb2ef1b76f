from pathlib import Path

from tests.benchmarks.agent.footprint import MEMORY_LIMIT_MB, footprint, idle_agent


async def test_an_agent_of_64_partitions_that_asks_a_kubelet_takes_less_memory_than_it_may(tmp_path: Path) -> None:
    async with idle_agent(tmp_path, asks_kubelet=True) as process:
        found = await footprint(process, 0.5)
    assert 20 < found.resident_mb < MEMORY_LIMIT_MB, found
