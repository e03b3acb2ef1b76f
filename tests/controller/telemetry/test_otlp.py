"""All that Prometheus may read reaches a collector too, with the traces of what was traced."""

import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any, ClassVar

import pytest
from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from structlog.testing import capture_logs

from controller.runtime.instrument import Instrument
from controller.telemetry.endpoint import OtlpError
from controller.telemetry.families import Family, Traced
from controller.telemetry.histograms import Merged
from controller.telemetry.instruments import (
    CLAIMS,
    MODEL_QUEUE_WAIT,
    MODEL_QUEUED,
    MODEL_REQUEST_LATENCY,
    MODEL_REQUESTS,
    SCHEDULER_EVICTIONS,
    SCHEDULER_OPERATION_SECONDS,
)
from controller.telemetry.metrics import Metrics
from controller.telemetry.otlp import JITTER, OtlpPush
from controller.telemetry.points import ROWS_A_TURN, points
from tests.fakes.clock import START, FakeClock
from tests.fakes.otlp_collector import Collector, serving_collector
from tests.fakes.plugin_kubelet import until

OF = ("team-a", "chat", "Qwen/Qwen3-8B", "standard")


@pytest.fixture
def collector() -> Iterator[Collector]:
    with serving_collector() as made:
        yield made


async def pushed(push: OtlpPush | None) -> None:
    """Send once: what is asked to end while it rests sends what there is by then."""
    assert push is not None
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(push.run())
        await asyncio.sleep(0)
        push.stop()


def received(collector: Collector) -> dict[str, Any]:
    """Every metric by its name."""
    found: dict[str, Any] = {}
    for _, request in collector.received:
        (resource,) = request.resource_metrics
        (scope,) = resource.scope_metrics
        assert scope.scope.name == "aim-gpu-sharing"
        found |= {metric.name: metric for metric in scope.metrics}
    return found


def attributes(point: Any) -> dict[str, str]:
    return {one.key: one.value.string_value for one in point.attributes}


def nanoseconds(when: datetime) -> int:
    return int(when.timestamp()) * 1_000_000_000


async def test_what_the_sdk_recorded_and_what_tables_know_come_together(collector: Collector) -> None:
    clock = FakeClock()
    metrics = Metrics("operator", otlp_endpoint=collector.url, clock=clock)
    metrics.counter(SCHEDULER_EVICTIONS).add(3, {"reason": "Rollout"})
    metrics.observe(CLAIMS, lambda: [(("Bound",), 2)])
    clock.tick(60)
    await pushed(metrics.push)
    metrics.close()
    ((path, request),) = collector.received
    assert path == "/v1/metrics"
    resource = {one.key: one.value.string_value for one in request.resource_metrics[0].resource.attributes}
    assert resource["service.name"] == "aim-gpu-operator"
    found = received(collector)
    assert set(found) == {"aim_scheduler_evictions", "aim_claims", "aim_build_info"}
    (evicted,) = found["aim_scheduler_evictions"].sum.data_points
    assert (attributes(evicted), evicted.as_int) == ({"reason": "Rollout"}, 3)
    claims = found["aim_claims"]
    assert (claims.description, claims.unit) == (CLAIMS.description, "{1}")
    (bound,) = claims.gauge.data_points
    assert (attributes(bound), bound.as_double, bound.time_unix_nano) == (
        {"phase": "Bound"},
        2.0,
        nanoseconds(START) + 60_000_000_000,
    )


async def test_counters_and_histograms_of_tables_add_up_since_the_start(collector: Collector) -> None:
    clock = FakeClock()
    metrics = Metrics("gateway", otlp_endpoint=collector.url, clock=clock)
    metrics.observe(MODEL_REQUESTS, lambda: [((*OF, "200", ""), 7)])
    metrics.observe_histograms(MODEL_REQUEST_LATENCY, lambda: [((*OF, "success"), Merged((0.5, 1.0), (1, 2, 4), 9.5))])
    clock.tick(60)
    await pushed(metrics.push)
    metrics.close()
    requests, latency = (received(collector)[one.name] for one in (MODEL_REQUESTS, MODEL_REQUEST_LATENCY))
    (point,) = requests.sum.data_points
    assert requests.sum.is_monotonic
    assert requests.sum.aggregation_temporality == latency.histogram.aggregation_temporality == 2  # cumulative
    assert (point.as_double, point.start_time_unix_nano) == (7.0, nanoseconds(START))
    assert attributes(point) == dict(zip(MODEL_REQUESTS.labels, (*OF, "200", ""), strict=True))
    (series,) = latency.histogram.data_points
    assert (series.count, series.sum, series.start_time_unix_nano) == (7, 9.5, nanoseconds(START))
    assert (list(series.explicit_bounds), list(series.bucket_counts)) == ([0.5, 1.0], [1, 2, 4])
    assert not series.HasField("min")
    assert not series.HasField("max")


async def test_a_span_that_is_sampled_is_named_by_what_was_recorded_in_it(collector: Collector) -> None:
    metrics = Metrics("operator", otlp_endpoint=collector.url)
    histogram = metrics.histogram(SCHEDULER_OPERATION_SECONDS)
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with tracer.start_as_current_span("cycle") as span:
        histogram.record(0.02, {"operation": "cycle"})
    histogram.record(0.2, {"operation": "cycle"})
    await pushed(metrics.push)
    metrics.close()
    (series,) = received(collector)[SCHEDULER_OPERATION_SECONDS.name].histogram.data_points
    (exemplar,) = series.exemplars
    assert exemplar.as_double == 0.02
    assert int.from_bytes(exemplar.trace_id) == span.get_span_context().trace_id
    assert int.from_bytes(exemplar.span_id) == span.get_span_context().span_id


async def test_a_trace_that_a_table_kept_is_named(collector: Collector) -> None:
    class Kept(Merged):
        traced: ClassVar = {0: Traced(0.25, datetime(2026, 11, 27, 12, tzinfo=UTC), 0xABC, 0xDEF)}

    metrics = Metrics("gateway", otlp_endpoint=collector.url)
    metrics.observe_histograms(MODEL_REQUEST_LATENCY, lambda: [((*OF, "success"), Kept((0.5,), (1, 0), 0.25))])
    await pushed(metrics.push)
    metrics.close()
    (series,) = received(collector)[MODEL_REQUEST_LATENCY.name].histogram.data_points
    (exemplar,) = series.exemplars
    assert (exemplar.as_double, int.from_bytes(exemplar.trace_id), int.from_bytes(exemplar.span_id)) == (
        0.25,
        0xABC,
        0xDEF,
    )
    assert exemplar.time_unix_nano == nanoseconds(datetime(2026, 11, 27, 12, tzinfo=UTC))


async def test_many_rows_come_in_several_requests_none_twice(collector: Collector) -> None:
    metrics = Metrics("gateway", otlp_endpoint=collector.url)
    metrics.observe(MODEL_QUEUED, lambda: [(("team", str(number), "", "batch"), 1.0) for number in range(5000)])
    await pushed(metrics.push)
    metrics.close()
    assert len(collector.received) == 3
    points = [
        attributes(point)["service"]
        for _, request in collector.received
        for metric in request.resource_metrics[0].scope_metrics[0].metrics
        if metric.name == MODEL_QUEUED.name
        for point in metric.gauge.data_points
    ]
    assert sorted(points, key=int) == [str(number) for number in range(5000)]


@pytest.mark.parametrize("instrument", [MODEL_QUEUED, MODEL_QUEUE_WAIT], ids=["figures", "histograms"])
async def test_the_event_loop_gets_its_turn_while_points_are_made(instrument: Instrument) -> None:
    turns = 0
    rows = 20 * ROWS_A_TURN
    if instrument.buckets:
        family = Family(instrument, histograms=[(OF, Merged((), (1,), 1.0))] * rows)
    else:
        family = Family(instrument, figures=[(OF, 1.0)] * rows)

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        beside = tasks.create_task(others())
        made = await points(family, START, START)
        beside.cancel()
    assert len(made.data.data_points) == rows
    assert turns >= 20


async def test_prometheus_reads_the_same_beside_it(collector: Collector) -> None:
    metrics = Metrics("operator", otlp_endpoint=collector.url)
    metrics.counter(SCHEDULER_EVICTIONS).add(3, {"reason": "Rollout"})
    await pushed(metrics.push)
    text = await metrics.exposition()
    metrics.close()
    assert b'aim_scheduler_evictions_total{reason="Rollout"} 3.0\n' in text


async def test_it_sends_again_and_again_and_once_more_at_the_end(collector: Collector) -> None:
    collected = 0

    async def collect() -> MetricsData:
        nonlocal collected
        collected += 1
        if collected == 3:
            push.stop()  # what comes to be from here on is in no sending that is under way
        return await one_metric()

    push = OtlpPush(collect, f"{collector.url}/other/metrics", interval=0.01)
    await push.run()
    assert [path for path, _ in collector.received] == ["/other/metrics"] * 4


async def test_a_collector_that_takes_nothing_at_the_end_is_not_asked_twice(collector: Collector) -> None:
    collector.status = 400

    async def collect() -> MetricsData:
        push.stop()
        return await one_metric()

    push = OtlpPush(collect, collector.url, interval=0.01)
    with capture_logs():
        await push.run()
    assert len(collector.received) == 1


async def one_metric() -> MetricsData:
    family = Family(CLAIMS, figures=[(("Bound",), 1.0)])
    metric = await points(family, START, START)
    scope = ScopeMetrics(InstrumentationScope("aim-gpu-sharing"), [metric], "")
    return MetricsData([ResourceMetrics(Resource.create(), [scope], "")])


async def test_a_collector_that_takes_nothing_is_told_of_once_and_when_it_takes_again(collector: Collector) -> None:
    collector.status = 400
    push = OtlpPush(one_metric, collector.url, interval=0.001)
    with capture_logs() as said:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(push.run())
            await until(lambda: len(collector.received) >= 4)
            collector.status = 200
            await until(lambda: len(said) >= 2)
            push.stop()
    assert [entry["event"] for entry in said] == [
        "metrics not taken by the collector; Prometheus is told as before",
        "metrics taken by the collector again",
    ]


async def test_a_collector_that_hangs_holds_up_neither_the_loop_nor_the_end() -> None:
    with serving_collector(hangs=True) as collector:
        push = OtlpPush(one_metric, collector.url, timeout=0.3)
        began = asyncio.get_running_loop().time()
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.005)

        async with asyncio.TaskGroup() as tasks:
            beside = tasks.create_task(others())
            await pushed(push)
            beside.cancel()
        assert asyncio.get_running_loop().time() - began < 3
        assert turns > 20


async def test_what_cannot_be_collected_ends_nothing(collector: Collector) -> None:
    asked = 0

    async def collect() -> MetricsData:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise RuntimeError("a bug")
        return await one_metric()

    push = OtlpPush(collect, collector.url, interval=0.001)
    with capture_logs() as said:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(push.run())
            await until(lambda: collector.received)
            push.stop()
    assert [entry["event"] for entry in said][:1] == ["metrics not sent"]


@pytest.mark.looptime
async def test_who_does_not_take_it_is_asked_later_and_later() -> None:
    asked: list[float] = []
    ended: list[float] = []
    loop = asyncio.get_running_loop()

    class Refusing:
        def export(self, _: MetricsData) -> None:
            return None

        def shutdown(self) -> None:
            ended.append(loop.time())

    async def collect() -> MetricsData:
        asked.append(loop.time())
        if len(asked) == 8:
            push.stop()
        return MetricsData([])

    push = OtlpPush(collect, "http://127.0.0.1:1", interval=15.0, rng=Random(1))
    push._exporter = Refusing()  # type: ignore[assignment]
    await push.run()
    assert ended == asked[-1:], "what the exporter holds is given back"
    waits = [after - before for before, after in zip([0.0, *asked], asked, strict=False)]
    for wait, want in zip(waits, (15, 30, 60, 120, 240, 240, 240, 240), strict=True):
        assert want * (1 - JITTER) <= wait <= want * (1 + JITTER)
    assert len({round(wait / want, 6) for wait, want in zip(waits[4:], [240] * 4, strict=True)}) == 4


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector:4317", "http://", ""])
def test_an_endpoint_that_is_no_url_is_refused(endpoint: str) -> None:
    with pytest.raises(OtlpError, match=r"give a URL such as http://collector:4318"):
        Metrics("operator", otlp_endpoint=endpoint)


def test_without_the_extra_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.metric_exporter", None)
    with pytest.raises(OtlpError, match=r"pip install 'aim-gpu-sharing\[otlp\]'"):
        Metrics("operator", otlp_endpoint="http://collector:4318")


def test_off_there_is_nothing_to_run_and_no_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.metric_exporter", None)
    metrics = Metrics("operator")
    assert metrics.push is None
    metrics.close()
