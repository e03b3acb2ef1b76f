import asyncio
from collections.abc import Iterator
from importlib.metadata import version

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from controller.telemetry.instruments import (
    AGENT_UP,
    CLAIMS,
    MODEL_QUEUE_WAIT,
    PARTITION_UTILIZATION,
    PLANS,
    SCHEDULER_EVICTIONS,
    SCHEDULER_OPERATION_SECONDS,
)
from controller.telemetry.metrics import QUIET_SECONDS, READING_SECONDS, Metrics
from controller.telemetry.text import ROWS_A_PIECE
from tests.fakes.clock import FakeClock


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    made = Metrics("operator")
    yield made
    made.close()


@pytest.fixture
def log() -> Iterator[list[EventDict]]:
    with capture_logs() as said:
        yield said


async def samples(metrics: Metrics, name: str) -> dict[str, float]:
    lines = (await metrics.exposition()).decode().splitlines()
    found = (line.rpartition(" ") for line in lines if line.startswith(f"{name}{{"))
    return {labels.removeprefix(name): float(value) for labels, _, value in found}


async def test_events_are_counted_by_label(metrics: Metrics) -> None:
    counter = metrics.counter(SCHEDULER_EVICTIONS)
    counter.add(0, {"reason": "Rollout"})
    counter.add(2, {"reason": "Unhealthy"})
    assert await samples(metrics, "aim_scheduler_evictions_total") == {
        '{reason="Rollout"}': 0.0,
        '{reason="Unhealthy"}': 2.0,
    }


async def test_durations_fall_into_the_tables_buckets(metrics: Metrics) -> None:
    metrics.histogram(SCHEDULER_OPERATION_SECONDS).record(0.3, {"operation": "cycle"})
    found = await samples(metrics, "aim_scheduler_operation_duration_seconds_bucket")
    edges = SCHEDULER_OPERATION_SECONDS.buckets
    assert [found[f'{{le="{edge}",operation="cycle"}}'] for edge in edges] == [float(edge >= 0.3) for edge in edges]


async def test_tables_are_read_at_each_collection_and_what_is_gone_is_not_told(metrics: Metrics) -> None:
    rows = [(("Bound",), 2.0), (("Pending",), 1.0)]
    metrics.observe(CLAIMS, lambda: list(rows))
    assert await samples(metrics, "aim_claims") == {'{phase="Bound"}': 2.0, '{phase="Pending"}': 1.0}
    rows[:] = [(("Bound",), 3.0)]
    assert await samples(metrics, "aim_claims") == {'{phase="Bound"}': 3.0}
    rows.clear()
    assert b"# TYPE aim_claims gauge\n" in await metrics.exposition()


def test_an_instrument_of_another_kind_or_process_is_refused(metrics: Metrics) -> None:
    with pytest.raises(ValueError, match="aim_claims: it is a gauge, not a counter"):
        metrics.counter(CLAIMS)
    with pytest.raises(ValueError, match="the table gives it to gateway, exporter, not to operator"):
        metrics.observe_histograms(MODEL_QUEUE_WAIT, list)
    with pytest.raises(ValueError, match="not to operator; change"):
        metrics.observe(PARTITION_UTILIZATION, list)
    metrics.observe(CLAIMS, list)
    with pytest.raises(ValueError, match="observed already"):
        metrics.observe(CLAIMS, list)


async def test_two_processes_of_one_test_do_not_share_figures(metrics: Metrics) -> None:
    other = Metrics("operator")
    other.counter(SCHEDULER_EVICTIONS).add(5, {"reason": "Rollout"})
    assert await samples(metrics, "aim_scheduler_evictions_total") == {}
    other.close()


async def test_what_cannot_be_read_is_absent_and_the_rest_is_told(metrics: Metrics, log: list[EventDict]) -> None:
    def broken() -> list[tuple[tuple[str, ...], float]]:
        raise KeyError("node-0")

    metrics.observe(CLAIMS, broken)
    metrics.observe(PLANS, lambda: [(("Ready", "too", "many"), 1.0)])
    metrics.observe(AGENT_UP, lambda: [(("node-0",), 1.0)])
    for _ in range(3):
        text = await metrics.exposition()
    assert b"aim_claims" not in text
    assert b"aim_repartition_plans" not in text
    assert b'aim_node_agent_up{node="node-0"} 1.0\n' in text
    said = [(entry["metric"], entry["problem"]) for entry in log]
    assert said[0] == ("aim_claims", "KeyError('node-0')")
    assert said[1][0] == "aim_repartition_plans"
    assert "give one for each of phase" in said[1][1]
    assert len(said) == 2, "each once in ten minutes, however often somebody collects"


async def test_it_is_said_again_after_a_while(log: list[EventDict]) -> None:
    clock = FakeClock()
    metrics = Metrics("operator", clock=clock)
    metrics.observe(CLAIMS, lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    for wait, said in ((0.0, 1), (QUIET_SECONDS - 1, 1), (1.0, 2)):
        clock.tick(wait)
        await metrics.exposition()
        assert len(log) == said
    metrics.close()


async def test_who_samples_on_demand_is_awaited_before_anything_is_read(metrics: Metrics) -> None:
    figure = 1.0

    async def sample() -> None:
        nonlocal figure
        await asyncio.sleep(0)
        figure += 1

    metrics.observe(CLAIMS, lambda: [(("Bound",), figure)])
    metrics.before_collection(sample)
    assert await samples(metrics, "aim_claims") == {'{phase="Bound"}': 2.0}
    assert await samples(metrics, "aim_claims") == {'{phase="Bound"}': 3.0}


@pytest.mark.looptime
async def test_who_samples_for_too_long_or_fails_holds_up_nobody(metrics: Metrics, log: list[EventDict]) -> None:
    async def slow() -> None:
        await asyncio.sleep(60)

    async def failing() -> None:
        raise OSError("no such device")

    metrics.observe(CLAIMS, lambda: [(("Bound",), 1.0)])
    metrics.before_collection(slow)
    metrics.before_collection(failing)
    began = asyncio.get_running_loop().time()
    assert await samples(metrics, "aim_claims") == {'{phase="Bound"}': 1.0}
    assert asyncio.get_running_loop().time() - began == pytest.approx(READING_SECONDS)
    assert [entry["problem"] for entry in log] == ["TimeoutError()", "OSError('no such device')"]


async def test_two_collections_at_once_sample_one_after_the_other(metrics: Metrics) -> None:
    under_way = most = 0

    async def sample() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1

    metrics.before_collection(sample)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(metrics.exposition())
    assert most == 1


async def test_the_event_loop_gets_its_turn_between_pieces(metrics: Metrics) -> None:
    turns = 0
    metrics.observe(CLAIMS, lambda: [((str(number),), 1.0) for number in range(100 * ROWS_A_PIECE)])

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        beside = tasks.create_task(others())
        await metrics.exposition()
        beside.cancel()
    assert turns >= 100


async def test_each_process_tells_its_version(metrics: Metrics) -> None:
    found = await samples(metrics, "aim_build_info")
    assert found == {f'{{process="operator",version="{version("aim-gpu-sharing")}"}}': 1.0}
