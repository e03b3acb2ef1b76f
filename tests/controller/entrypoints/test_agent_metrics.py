"""The agent's metrics as they are collected: every family of the table, measured once, gone with what it is of."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.v1beta1.gpu_node import OperationPhase
from controller.entrypoints.agent_metrics import AgentMetrics, NodeLedger
from controller.exporter.use_for_charging import KEPT_SECONDS
from controller.gpu.figures import GpuFigures, Holding, NodeFigures, PartitionFigures
from controller.runtime.instrument import Instrument
from controller.telemetry import instruments
from controller.telemetry.instruments import AGENT, AGENT_OPERATIONS
from controller.telemetry.metrics import Metrics
from tests.fakes.clock import FakeClock

A = "0000:05:00.0"
GPU = GpuFigures(
    "node-0",
    A,
    "MI300X",
    "SPX/NPS1",
    missing_partitions=0,
    processes=1,
    power_watts=412.0,
    temperatures={"hotspot": 61.0},
    errors={"correctable": 3},
)
HELD = PartitionFigures(
    "node-0", A, 0, "SPX/NPS1", "team", "aim-1", "chat-0", "chat", "m", 100, 70, 60, busy=0.5, healthy=True
)
FREE = replace(HELD, namespace="", claim="", pod="", service="", model="", allocated_bytes=0, used_bytes=0, busy=0.0)
NODE = NodeFigures("node-0", "simulated", True, "6.12.12", True, (GPU,), (HELD,))
DECLARED = {
    one.exported_name: one
    for one in vars(instruments).values()
    if isinstance(one, Instrument) and AGENT in one.processes
}


class Node:
    """A node that tells what it is given, and counts who asked."""

    def __init__(self, told: NodeFigures | None = NODE) -> None:
        self.told = told
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def measure(self) -> NodeFigures | None:
        self.asked += 1
        await self.gate.wait()
        return self.told


class Process:
    """What an agent's process tells of its nodes."""

    def __init__(self, *nodes: Node) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics("agent")
        self.nodes = nodes or (Node(),)
        operations = self.metrics.counter(AGENT_OPERATIONS)
        self.ledgers = [NodeLedger(f"node-{number}", operations, self.clock) for number in range(len(self.nodes))]
        self.told = AgentMetrics(self.metrics, self.nodes, self.ledgers)

    def close(self) -> None:
        self.metrics.close()

    async def series(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """Labels and figures by family of the table."""
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families((await self.metrics.exposition()).decode()):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            if name in DECLARED:
                found[name] = [(sample.labels, sample.value) for sample in family.samples]
        return found


@pytest.fixture
def process() -> Iterator[Process]:
    with closing(Process()) as made:
        yield made


async def test_every_family_of_the_table_is_told_with_all_its_labels(process: Process) -> None:
    process.ledgers[0].hold([Holding("team", "chat", "m", 100)])
    told = await process.series()
    assert told.keys() == DECLARED.keys()
    for name, series in told.items():
        assert series, name
        assert all(labels.keys() == set(DECLARED[name].labels) for labels, _ in series), name


async def test_every_collection_measures_anew(process: Process) -> None:
    await process.series()
    (node,) = process.nodes
    node.told = replace(NODE, partitions=(replace(HELD, busy=0.75),))
    ((_, busy),) = (await process.series())["aim_gpu_partition_utilization"]
    assert (busy, node.asked) == (0.75, 2)


async def test_a_collection_tells_all_it_measured_while_another_one_begins(process: Process) -> None:
    first = process.metrics.pieces()
    begun = await anext(first)
    process.nodes[0].gate.clear()
    async with asyncio.TaskGroup() as tasks:
        second = tasks.create_task(process.series())
        while process.nodes[0].asked < 2:  # noqa: ASYNC110 - the node has nobody to tell
            await asyncio.sleep(0)
        text = b"".join([begun, *[piece async for piece in first]])
        process.nodes[0].gate.set()
    assert text.count(b"\naim_gpu_info{") == 1
    assert len(second.result()["aim_gpu_info"]) == 1


async def test_a_gone_holder_leaves_no_series_behind(process: Process) -> None:
    await process.series()
    process.nodes[0].told = replace(NODE, partitions=(FREE,))
    told = await process.series()
    assert {labels["claim"] for labels, _ in told["aim_gpu_partition_memory_bytes"]} == {""}
    assert [figure for _, figure in told["aim_gpu_partition_memory_bytes"]] == [100, 0, 0]


async def test_a_node_without_an_agent_tells_nothing_of_its_hardware(process: Process) -> None:
    await process.series()
    process.nodes[0].told = None
    told = await process.series()
    kept = {"aim_build_info", "aim_agent_operations_total"}
    assert {name for name, series in told.items() if series} == kept


async def test_a_measurement_that_is_cut_off_repeats_nothing(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.telemetry.metrics.READING_SECONDS", 0.05)
    await process.series()
    process.nodes[0].gate.clear()
    told = await process.series()
    assert told["aim_gpu_partition_utilization"] == told["aim_gpu_info"] == told["aim_agent_info"] == []
    process.nodes[0].gate.set()
    assert len((await process.series())["aim_gpu_info"]) == 1


def two() -> tuple[Node, Node]:
    second = replace(NODE, node="node-1", gpus=(replace(GPU, node="node-1"),), partitions=())
    return Node(), Node(second)


def nodes_in(told: dict[str, list[tuple[dict[str, str], float]]], family: str) -> list[str]:
    return sorted({labels["node"] for labels, _ in told[family]})


async def test_all_nodes_of_the_process_are_told_together() -> None:
    with closing(Process(*two())) as process:
        for ledger in process.ledgers:
            ledger.hold([Holding("team", "chat", "m", 100)])
        told = await process.series()
        for family in ("aim_gpu_info", "aim_agent_operations_total", "aim_usage_partition_seconds_total"):
            assert nodes_in(told, family) == ["node-0", "node-1"], family


async def test_a_node_that_hangs_takes_nothing_from_those_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.telemetry.metrics.READING_SECONDS", 0.05)
    with closing(Process(*two())) as process:
        process.ledgers[1].hold([Holding("team", "chat", "m", 100)])
        await process.series()
        process.nodes[1].gate.clear()
        process.clock.tick(30)
        told = await process.series()
        assert nodes_in(told, "aim_gpu_info") == ["node-0"]
        assert [figure for _, figure in told["aim_usage_partition_seconds_total"]] == [30.0], (
            "what is held still counts"
        )


async def test_the_event_loop_has_its_turn_between_two_nodes() -> None:
    with closing(Process(*two())) as process:
        asked: list[int] = []
        async with asyncio.TaskGroup() as tasks:
            measuring = tasks.create_task(process.told.measure())
            while not measuring.done():
                asked.append(sum(node.asked for node in process.nodes))
                await asyncio.sleep(0)
        assert 1 in asked


async def test_operations_are_told_before_the_first_one_ends(process: Process) -> None:
    def results(told: dict[str, list[tuple[dict[str, str], float]]]) -> dict[str, float]:
        return {labels["result"]: figure for labels, figure in told["aim_agent_operations_total"]}

    assert results(await process.series()) == {"Failed": 0.0, "Succeeded": 0.0}
    process.ledgers[0].operation_ended(OperationPhase.FAILED)
    assert results(await process.series()) == {"Failed": 1.0, "Succeeded": 0.0}


async def test_use_is_charged_up_to_the_collection_and_ends_a_while_after_its_service(process: Process) -> None:
    ledger = process.ledgers[0]

    async def seconds() -> list[float]:
        return [figure for _, figure in (await process.series())["aim_usage_partition_seconds_total"]]

    ledger.hold([Holding("team", "chat", "m", 100)] * 2)
    process.clock.tick(4)
    assert await seconds() == [0.0], "a series begins with nothing, so that its growth is all there is"
    process.clock.tick(16)
    told = await process.series()
    assert told["aim_usage_partition_seconds_total"] == [
        ({"node": "node-0", "namespace": "team", "service": "chat", "model": "m"}, 40.0)
    ]
    assert [figure for _, figure in told["aim_usage_memory_byte_seconds_total"]] == [4000.0]
    ledger.hold([])
    process.clock.tick(KEPT_SECONDS - 1)
    assert await seconds() == [40.0]
    process.clock.tick(1)
    assert await seconds() == []
