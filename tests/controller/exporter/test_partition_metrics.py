from dataclasses import replace

from controller.exporter.partition_metrics import Row, health_rows, memory_rows, utilization_rows
from controller.gpu.figures import PartitionFigures
from controller.runtime.instrument import Instrument
from controller.telemetry.instruments import PARTITION_HEALTH, PARTITION_MEMORY, PARTITION_UTILIZATION

FREE = PartitionFigures(
    node="node-0",
    gpu="0000:05:00.0",
    partition=3,
    mode="CPX/NPS4",
    namespace="",
    claim="",
    pod="",
    service="",
    model="",
    total_bytes=100,
    allocated_bytes=0,
    used_bytes=0,
    busy=0.0,
    healthy=True,
)
HELD = replace(
    FREE,
    namespace="team",
    claim="aim-1",
    pod="chat-0",
    service="chat",
    model="Qwen/Qwen3-8B",
    allocated_bytes=70,
    used_bytes=60,
    busy=0.5,
)
LABELS = {
    "node": "node-0",
    "gpu": "0000:05:00.0",
    "partition": "3",
    "mode": "CPX/NPS4",
    "namespace": "team",
    "claim": "aim-1",
    "pod": "chat-0",
    "service": "chat",
    "model": "Qwen/Qwen3-8B",
}


def named(instrument: Instrument, row: Row) -> dict[str, str]:
    """A row's labels by the names that the instrument gives them."""
    return dict(zip(instrument.labels, row[0], strict=True))


def test_memory_has_a_row_by_type() -> None:
    rows = list(memory_rows([HELD]))
    assert [named(PARTITION_MEMORY, row) for row in rows] == [
        LABELS | {"type": kind} for kind in ("total", "allocated", "used")
    ]
    assert [figure for _, figure in rows] == [100, 70, 60]


def test_what_is_busy_and_healthy_says_where_and_who() -> None:
    (busy,), (health,) = utilization_rows([HELD]), health_rows([replace(HELD, healthy=False)])
    assert (named(PARTITION_UTILIZATION, busy), busy[1]) == (LABELS, 0.5)
    assert (named(PARTITION_HEALTH, health), health[1]) == (LABELS, 0.0)


def test_free_partitions_have_rows_without_a_holder() -> None:
    rows = list(memory_rows([FREE]))
    assert {named(PARTITION_MEMORY, row)["claim"] for row in rows} == {""}
    assert [figure for _, figure in rows] == [100, 0, 0]
    assert [figure for _, figure in (*utilization_rows([FREE]), *health_rows([FREE]))] == [0.0, 1.0]


def test_what_is_not_told_has_no_row() -> None:
    untold = replace(HELD, total_bytes=None, allocated_bytes=None, used_bytes=None, busy=None)
    assert list(memory_rows([untold])) == []
    assert list(utilization_rows([untold])) == []
    assert [labels[-1] for labels, _ in memory_rows([replace(HELD, used_bytes=None)])] == ["total", "allocated"]
