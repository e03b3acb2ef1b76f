"""Of a sampled request its trace is kept by bucket; of all others nothing is, and nothing else changes."""

from functools import partial

import pytest

from controller.gateway.collector import GatewayCollector
from controller.gateway.control.watching import WatchStatistics
from controller.gateway.latency import LatencyTable
from controller.gateway.traced_table import TracedTable
from controller.telemetry.instruments import MODEL_REQUEST_LATENCY
from controller.telemetry.metrics import Metrics
from tests.builders.gateway_configuration import configuration, endpoint, route
from tests.controller.gateway.exchanging import request, serving
from tests.controller.gateway.test_latency import Timed
from tests.controller.telemetry.test_otlp import pushed, received
from tests.fakes.clock import START
from tests.fakes.engine import Engine
from tests.fakes.otlp_collector import serving_collector

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"accept: */*\r\ntraceparent: 00-{TRACE}-{SPAN}-01\r\ntracestate: a=b\r\n".encode()


def table() -> TracedTable:
    return TracedTable((0.7,), wall=lambda: START)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(f"traceparent: 00-{TRACE}-{SPAN}-01\r\n", id="sampled"),
        pytest.param(f"TraceParent:00-{TRACE}-{SPAN}-03\r\n", id="another bit of the flags too, another case"),
        pytest.param(f"a: b\r\ntraceparent: cc-{TRACE}-{SPAN}-09-what-will-be\r\n", id="a version to come"),
    ],
)
def test_a_sampled_requests_trace_is_kept(line: str) -> None:
    found = table()
    found.served(Timed(headers=line.encode()), 100.6, 10, 3)
    (kept,) = found.success.traced.values()
    assert (f"{kept.trace_id:032x}", f"{kept.span_id:016x}") == (TRACE, SPAN)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("", id="none"),
        pytest.param(f"traceparent: 00-{TRACE}-{SPAN}-00\r\n", id="not sampled"),
        pytest.param(f"traceparent: ff-{TRACE}-{SPAN}-01\r\n", id="a version that there cannot be"),
        pytest.param(f"traceparent: 00-{'0' * 32}-{SPAN}-01\r\n", id="no trace"),
        pytest.param(f"traceparent: 00-{TRACE}-{'0' * 16}-01\r\n", id="no span"),
        pytest.param(f"traceparent: 00-{TRACE[1:]}-{SPAN}-01\r\n", id="too short"),
        pytest.param(f"x-traceparent: 00-{TRACE}-{SPAN}-01\r\n", id="another header"),
        pytest.param(f"x: traceparent: 00-{TRACE}-{SPAN}-01\r\n", id="a header's value"),
    ],
)
def test_no_other_one_is(line: str) -> None:
    found = table()
    found.served(Timed(headers=line.encode()), 100.6, 10, 3)
    assert (found.success.traced, found.failure.traced, found.first_byte.traced) == ({}, {}, {})


def test_each_bucket_keeps_the_last() -> None:
    found = table()
    for ended in (100.6, 100.65, 102.0):
        found.served(Timed(headers=SAMPLED), ended, 10, 3)
    by_bucket = {found.success.edges[bucket]: kept.value for bucket, kept in found.success.traced.items()}
    assert by_bucket == {0.7: pytest.approx(0.65), 2.5: pytest.approx(2.0)}
    assert all(kept.at == START for kept in found.success.traced.values())
    (first,) = found.first_byte.traced.values()
    assert first.value == pytest.approx(0.5)


def test_a_failures_trace_is_kept_with_failures() -> None:
    found = table()
    found.served(Timed(status=500, headers=SAMPLED), 100.6, 0, 0)
    assert len(found.failure.traced) == 1
    assert (found.success.traced, found.first_byte.traced) == ({}, {})


def test_it_counts_as_a_table_without_traces_does() -> None:
    traced, plain = table(), LatencyTable((0.7,))
    for timed, ended in ((Timed(headers=SAMPLED), 100.6), (Timed(streamed=False), 109.0), (Timed(status=404), 101.0)):
        for one in (traced, plain):
            one.served(timed, ended, 10, 3)
    for name in ("success", "failure", "first_byte", "queue_wait", "token"):
        ours, theirs = getattr(traced, name), getattr(plain, name)
        assert (ours.edges, ours.counts, ours.sum) == (theirs.edges, theirs.counts, theirs.sum)
    assert traced.outcomes == plain.outcomes


async def test_a_clients_trace_reaches_the_collector_with_its_bucket() -> None:
    with serving_collector() as collector:
        metrics = Metrics("gateway", otlp_endpoint=collector.url)
        async with Engine() as engine:
            given = configuration(route(endpoint(engine.port)))
            async with serving(given, make_table=partial(TracedTable, wall=lambda: START)) as (gateway, dial):
                watched = WatchStatistics(1, 1, {}, (), 1, 0)
                GatewayCollector(
                    lambda: given.services, lambda: gateway.tables, gateway.statistics, lambda: watched
                ).observed_by(metrics)
                client = await dial()
                parent = f"traceparent: 00-{TRACE}-{SPAN}-01\r\n".encode()
                assert (await client.ask(request(headers=parent))).status == 200
                assert (await client.ask(request())).status == 200
                await pushed(metrics.push)
        metrics.close()
        (series,) = received(collector)[MODEL_REQUEST_LATENCY.name].histogram.data_points
    assert series.count == 2
    (exemplar,) = series.exemplars
    assert exemplar.trace_id.hex() == TRACE
    assert exemplar.span_id.hex() == SPAN


async def test_without_a_collector_nobody_looks_for_a_trace() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        parent = f"traceparent: 00-{TRACE}-{SPAN}-01\r\n".encode()
        assert (await (await dial()).ask(request(headers=parent))).status == 200
        (found,) = gateway.tables.values()
    assert not hasattr(found.success, "traced")
