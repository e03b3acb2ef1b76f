from pathlib import Path

import pytest

from tests.benchmarks.agent.footprint import MEMORY_LIMIT_MB, footprint, idle_agent
from tests.stubs.amdsmi.library import compiler

pytestmark = pytest.mark.alone


async def test_an_agent_of_64_partitions_that_asks_a_kubelet_takes_less_memory_than_it_may(tmp_path: Path) -> None:
    async with idle_agent(tmp_path, asks_kubelet=True) as process:
        found = await footprint(process, 0.5)
    assert 20 < found.resident_mb < MEMORY_LIMIT_MB, found


@pytest.mark.needs_cc
async def test_so_does_one_that_reads_amd_smi(tmp_path: Path) -> None:
    if compiler() is None:
        pytest.skip("needs_cc: no C compiler on PATH to build the stub of libamd_smi.so: install gcc or clang")
    for folder in ("first", "measured"):
        (tmp_path / folder).mkdir()
    async with idle_agent(tmp_path / "first", asks_kubelet=True, backend="amdsmi"):
        pass  # it compiles what it imports, in a new checkout, and holds the compiler's memory
    async with idle_agent(tmp_path / "measured", asks_kubelet=True, backend="amdsmi") as process:
        found = await footprint(process, 0.5)
    assert 20 < found.resident_mb < MEMORY_LIMIT_MB, found
