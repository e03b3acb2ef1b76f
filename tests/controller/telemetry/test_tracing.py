"""Spans leave the process where a collector is named, in batches, and nowhere else."""

import sys
import threading
import time
from collections.abc import Iterator

import pytest

from controller.telemetry.endpoint import OtlpError
from controller.telemetry.tracing import Tracing
from tests.fakes.otlp_collector import Collector, serving_collector


@pytest.fixture
def collector(request: pytest.FixtureRequest) -> Iterator[Collector]:
    with serving_collector(hangs=getattr(request, "param", False)) as made:
        yield made


def spans(tracing: Tracing, number: int) -> None:
    assert tracing.tracer is not None
    for index in range(number):
        with tracing.tracer.start_as_current_span("reconcile", attributes={"name": f"a{index}"}):
            pass


def test_spans_reach_the_collector_in_one_request(collector: Collector) -> None:
    tracing = Tracing("operator", collector.url)
    spans(tracing, 100)
    tracing.close()
    ((path, request),) = collector.received
    (resource,) = request.resource_spans
    assert path == "/v1/traces"
    names = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
    assert names["service.name"] == "aim-gpu-operator"
    told = [span.attributes[0].value.string_value for span in resource.scope_spans[0].spans]
    assert told == [f"a{index}" for index in range(100)]


def test_a_path_is_taken_as_it_is(collector: Collector) -> None:
    tracing = Tracing("operator", f"{collector.url}/other/traces")
    spans(tracing, 1)
    tracing.close()
    assert [path for path, _ in collector.received] == ["/other/traces"]


@pytest.mark.parametrize("collector", [True], indirect=True)
def test_a_collector_that_hangs_does_not_hold_up_the_end(collector: Collector) -> None:
    tracing = Tracing("operator", collector.url, timeout=1.0)
    spans(tracing, 2000)
    started = time.monotonic()
    tracing.close()
    assert time.monotonic() - started < 3.0  # one limit; left alone the SDK needs five here, one for each batch
    assert len(collector.received) >= 1
    for thread in [one for one in threading.enumerate() if one.name in ("last spans", "OtelBatchSpanRecordProcessor")]:
        thread.join(3.0)
        assert not thread.is_alive(), thread.name


def test_off_there_is_no_tracer_and_no_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    tracing = Tracing("operator", None)
    tracing.close()
    assert tracing.tracer is None


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector:4317", "http://", ""])
def test_an_endpoint_that_is_no_url_is_refused(endpoint: str) -> None:
    with pytest.raises(OtlpError, match=r"give a URL such as http://collector:4318"):
        Tracing("operator", endpoint)


def test_without_the_extra_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(OtlpError, match=r"pip install 'aim-gpu-sharing\[otlp\]'"):
        Tracing("operator", "http://collector:4318")
