from collections.abc import Iterator
from dataclasses import replace

import pytest

from controller.agent.usage import PartitionFigures
from controller.exporter.partition_metrics import memory_rows, utilization_rows
from controller.telemetry.metrics import Metrics

FREE = PartitionFigures(
    node="node-0",
    gpu="0000:05:00.0",
    partition=3,
    mode="CPX/NPS4",
    namespace="",
    claim="",
    model="",
    total_bytes=100,
    allocated_bytes=0,
    used_bytes=0,
    busy=0.0,
)
HELD = replace(
    FREE, namespace="team", claim="aim-1", model="Qwen/Qwen3-8B", allocated_bytes=70, used_bytes=60, busy=0.5
)


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    made = Metrics("agent")
    yield made
    made.close()


def test_three_memory_rows_by_type() -> None:
    assert {labels["type"]: value for value, labels in memory_rows([HELD])} == {
        "total": 100,
        "allocated": 70,
        "used": 60,
    }


def test_labels_say_where_and_who() -> None:
    ((value, labels),) = utilization_rows([HELD])
    assert value == 0.5
    assert labels == {
        "node": "node-0",
        "gpu": "0000:05:00.0",
        "partition": "3",
        "mode": "CPX/NPS4",
        "namespace": "team",
        "claim": "aim-1",
        "model": "Qwen/Qwen3-8B",
    }


def test_what_is_not_told_has_no_row() -> None:
    untold = replace(HELD, used_bytes=None, busy=None)
    assert [labels["type"] for _, labels in memory_rows([untold])] == ["total", "allocated"]
    assert list(utilization_rows([untold])) == []


def test_a_former_holder_leaves_no_row_behind(metrics: Metrics) -> None:
    partitions = [HELD]
    metrics.observe_partitions(lambda: memory_rows(partitions), lambda: utilization_rows(partitions))
    assert b'claim="aim-1"' in metrics.exposition()
    partitions[0] = FREE
    after = metrics.exposition().decode()
    assert 'claim="aim-1"' not in after
    rows = [line for line in after.splitlines() if line.startswith("aim_gpu_partition_memory_bytes{")]
    assert sorted(line.rsplit(" ", 1)[1] for line in rows) == ["0.0", "0.0", "100.0"]
    assert "aim_gpu_partition_utilization_ratio" in after or "aim_gpu_partition_utilization{" in after
