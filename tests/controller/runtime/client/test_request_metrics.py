"""Requests and their durations under the names that dashboards know, as Prometheus reads them."""

from collections.abc import Iterator

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import NODES, PODS
from controller.runtime.client.errors import NotFound
from controller.runtime.client.request_metrics import RequestMetrics
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer


class Exposition:
    """A meter, and the samples of what it measured."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        reader = PrometheusMetricReader(scope_info_enabled=False, registry=self._registry)
        self.provider = MeterProvider(metric_readers=[reader])
        self.meter: Meter = self.provider.get_meter("test")

    def samples(self) -> dict[str, float]:
        lines = generate_latest(self._registry).decode().splitlines()
        found = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in found if name.startswith("rest_client")}


@pytest.fixture
def exposition() -> Iterator[Exposition]:
    made = Exposition()
    yield made
    made.provider.shutdown()


def test_the_names_are_those_of_client_go_and_carry_no_suffix_twice(exposition: Exposition) -> None:
    metrics = RequestMetrics(exposition.meter, "https://me:secret@10.0.0.1:6443/prefix")
    metrics.observe("GET", 200, 0.003)
    metrics.observe("GET", 0, 3.0)
    samples = exposition.samples()
    assert samples['rest_client_requests_total{code="200",host="10.0.0.1:6443",method="GET"}'] == 1
    assert samples['rest_client_requests_total{code="<error>",host="10.0.0.1:6443",method="GET"}'] == 1
    assert samples['rest_client_request_duration_seconds_count{host="10.0.0.1:6443",verb="GET"}'] == 2
    assert samples['rest_client_request_duration_seconds_bucket{host="10.0.0.1:6443",le="0.005",verb="GET"}'] == 1
    names = {name.partition("{")[0] for name in samples}
    assert names == {
        "rest_client_requests_total",
        "rest_client_request_duration_seconds_bucket",
        "rest_client_request_duration_seconds_count",
        "rest_client_request_duration_seconds_sum",
    }


def test_two_clients_of_one_meter_are_added_up(exposition: Exposition) -> None:
    for count in (1, 2):
        metrics = RequestMetrics(exposition.meter, "https://a")
        for _ in range(count):
            metrics.observe("PUT", 200, 0.1)
    assert exposition.samples()['rest_client_requests_total{code="200",host="a",method="PUT"}'] == 3


def test_without_a_meter_nothing_is_measured() -> None:
    RequestMetrics(None, "https://a").observe("GET", 200, 0.1)


async def test_a_client_counts_what_it_sends(exposition: Exposition, api: FakeApiServer) -> None:
    async with Client(ClientConfiguration(server=api.url), meter=exposition.meter) as client:
        await client.create(PODS, {"metadata": {"namespace": "default", "name": "a"}})
        with pytest.raises(NotFound):
            await client.get(NODES, "none")
        api.play(faults.events(), on="watch")
        async for _ in client.watch(PODS, resource_version="1"):
            pass
    samples = {name: count for name, count in exposition.samples().items() if "requests_total" in name}
    host = api.url.removeprefix("http://")
    assert samples == {
        f'rest_client_requests_total{{code="201",host="{host}",method="POST"}}': 1,
        f'rest_client_requests_total{{code="404",host="{host}",method="GET"}}': 1,
        f'rest_client_requests_total{{code="200",host="{host}",method="GET"}}': 1,
    }
