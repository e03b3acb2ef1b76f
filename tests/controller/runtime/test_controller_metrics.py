"""The names that dashboards know, as Prometheus reads them, with the values of what happened."""

import asyncio
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from controller.runtime.controller import Controller
from controller.runtime.reconcile import Request, Result, TerminalError
from controller.telemetry.metrics import Metrics
from tests.fakes.clock import LoopClock

pytestmark = pytest.mark.looptime

NAMES = {
    "workqueue_depth": "gauge",
    "workqueue_adds_total": "counter",
    "workqueue_queue_duration_seconds": "histogram",
    "workqueue_work_duration_seconds": "histogram",
    "workqueue_unfinished_work_seconds": "gauge",
    "workqueue_longest_running_processor_seconds": "gauge",
    "workqueue_retries_total": "counter",
    "controller_runtime_reconcile_total": "counter",
    "controller_runtime_reconcile_errors_total": "counter",
    "controller_runtime_terminal_reconcile_errors_total": "counter",
    "controller_runtime_reconcile_panics_total": "counter",
    "controller_runtime_reconcile_time_seconds": "histogram",
    "controller_runtime_max_concurrent_reconciles": "gauge",
    "controller_runtime_active_workers": "gauge",
}


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    made = Metrics("test")
    yield made
    made.close()


async def samples(metrics: Metrics) -> dict[str, float]:
    """Sample with its labels -> value."""
    lines = (await metrics.exposition()).decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if name[:1] != "#"}


async def reconcile(request: Request) -> Result:
    """What `request` is named for."""
    match request.name:
        case "bug":
            raise KeyError("spec")
        case "bad":
            raise OSError("no route")
        case "terminal":
            raise TerminalError("no such model")
        case "slow":
            await asyncio.sleep(10)
        case "later":
            return Result(requeue_after=100)
        case "again":
            return Result(requeue=True)
    return Result()


def controller(metrics: Metrics, name: str = "pods", workers: int = 1) -> Controller:
    return Controller(
        name, reconcile, workers=workers, clock=LoopClock(), meter=metrics.meter, longest_delay=1000.0, ids=lambda: "x"
    )


async def after(seconds: float, metrics: Metrics, *names: str, workers: int = 1) -> dict[str, float]:
    """The samples `seconds` after a controller was given requests of these names."""
    made = controller(metrics, workers=workers)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(made.run())
        for name in names:
            made.enqueue(Request("", name))
        await asyncio.sleep(seconds)
        found = await samples(metrics)
        made.stop()
    return found


async def test_every_name_is_there_with_its_kind(metrics: Metrics) -> None:
    await after(0.001, metrics, "good")
    types = [
        line.split()[2:] for line in (await metrics.exposition()).decode().splitlines() if line.startswith("# TYPE")
    ]
    assert {name: kind for name, kind in types if name != "aim_build_info"} == NAMES


async def test_results(metrics: Metrics) -> None:
    found = await after(0.001, metrics, "good", "good2", "later", "again", "bad", "terminal", "bug")
    result = 'controller_runtime_reconcile_total{controller="pods",result="%s"}'
    want = {"success": 2, "requeue_after": 1, "requeue": 1, "error": 3}
    assert {name: found[result % name] for name in want} == want
    for kind, number in (("reconcile_errors", 3), ("terminal_reconcile_errors", 1), ("reconcile_panics", 1)):
        assert found[f'controller_runtime_{kind}_total{{controller="pods"}}'] == number
    assert found['workqueue_adds_total{name="pods"}'] == 7
    assert found['workqueue_retries_total{name="pods"}'] == 3


async def test_work_under_way(metrics: Metrics) -> None:
    found = await after(4, metrics, "slow", "good", workers=2)
    assert found['controller_runtime_max_concurrent_reconciles{controller="pods"}'] == 2
    assert found['controller_runtime_active_workers{controller="pods"}'] == 1
    assert found['workqueue_unfinished_work_seconds{name="pods"}'] == pytest.approx(4)
    assert found['workqueue_longest_running_processor_seconds{name="pods"}'] == pytest.approx(4)


async def test_durations_fall_into_buckets_from_a_millisecond_to_a_minute(metrics: Metrics) -> None:
    found = await after(30, metrics, "slow", "good")
    series = {
        "workqueue_queue_duration_seconds": '{le="%s",name="pods"}',
        "workqueue_work_duration_seconds": '{le="%s",name="pods"}',
        "controller_runtime_reconcile_time_seconds": '{controller="pods",le="%s"}',
    }
    for name, labels in series.items():
        buckets = [found[f"{name}_bucket{labels % bound}"] for bound in ("0.001", "5.0", "15.0", "60.0", "+Inf")]
        assert buckets == [1, 1, 2, 2, 2]
    label = 'name="pods"'
    assert found[f"workqueue_queue_duration_seconds_count{{{label}}}"] == 2
    assert found[f"workqueue_work_duration_seconds_sum{{{label}}}"] == pytest.approx(10)


async def test_depth_is_told_by_priority(metrics: Metrics) -> None:
    made = controller(metrics)
    assert (await samples(metrics))['workqueue_depth{name="pods",priority="0"}'] == 0
    for number in range(5):
        made.enqueue(Request("", f"good{number}"), -100 if number else 0)
    found = await samples(metrics)
    assert [found[f'workqueue_depth{{name="pods",priority="{priority}"}}'] for priority in (0, -100)] == [1, 4]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(made.run())
        await asyncio.sleep(0.001)
        found = await samples(metrics)
        made.stop()
    assert [found[f'workqueue_depth{{name="pods",priority="{priority}"}}'] for priority in (0, -100)] == [0, 0]


async def test_two_controllers_on_one_meter_are_told_apart(metrics: Metrics) -> None:
    one, two = controller(metrics, "one"), controller(metrics, "two", workers=3)
    one.enqueue(Request("", "a"))
    two.enqueue(Request("", "a"))
    two.enqueue(Request("", "b"))
    found = await samples(metrics)
    assert [found[f'workqueue_adds_total{{name="{name}"}}'] for name in ("one", "two")] == [1, 2]
    workers = 'controller_runtime_max_concurrent_reconciles{controller="%s"}'
    assert [found[workers % name] for name in ("one", "two")] == [1, 3]


async def test_a_bucket_leads_to_the_trace_of_a_reconcile_in_it() -> None:
    reader, spans = InMemoryMetricReader(), InMemorySpanExporter()
    tracing = TracerProvider(shutdown_on_exit=False)
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("test")
    made = Controller(
        "pods", reconcile, clock=LoopClock(), meter=meter, tracer=tracing.get_tracer("test"), ids=lambda: "x"
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(made.run())
        made.enqueue(Request("", "good"))
        await asyncio.sleep(1)
        made.stop()
    (span,) = spans.get_finished_spans()
    data = reader.get_metrics_data()
    assert data is not None
    told = {
        metric.name: exemplar.trace_id
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
        for exemplar in point.exemplars
    }
    trace = span.get_span_context()
    assert trace is not None
    names = {
        "controller_runtime_reconcile_time_seconds",
        "workqueue_queue_duration_seconds",
        "workqueue_work_duration_seconds",
    }
    assert told == dict.fromkeys(names, trace.trace_id)
