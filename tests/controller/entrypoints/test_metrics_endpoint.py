"""Every process can be told to send its metrics to a collector, and does so until its end, whoever else is there."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol

import aiohttp
import pytest

from controller.entrypoints.agent_options import AgentOptions, NodeOptions
from controller.entrypoints.exporter_options import ExporterOptions
from controller.entrypoints.gateway_options import GatewayOptions
from controller.entrypoints.metrics_endpoint import process_metrics
from controller.entrypoints.operator_options import OperatorOptions
from controller.entrypoints.run_agent import AgentProcess
from controller.entrypoints.run_exporter import ExporterProcess
from controller.entrypoints.run_gateway import GatewayProcess
from controller.entrypoints.run_operator import Operator
from controller.gpu.mode import mode
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration, ConfigurationError
from controller.runtime.clock import RealClock
from controller.telemetry.catalogue import PROCESSES
from controller.telemetry.metrics import Metrics
from tests.exported_metrics import difference
from tests.fakes.otlp_collector import serving_collector
from tests.fakes.plugin_kubelet import until

NOBODY = ClientConfiguration(server="http://127.0.0.1:1")
"""An API server that is not there."""


class Process(Protocol):
    async def run(self, stop: asyncio.Event) -> None: ...


Make = Callable[[Path, Client, aiohttp.ClientSession, Metrics], Process]


def agent(folder: Path, client: Client, _session: aiohttp.ClientSession, metrics: Metrics) -> Process:
    (folder / "token").write_text("t")
    node = NodeOptions("a", folder / "token", mode("SPX/NPS1"), 1)
    options = AgentOptions((node,), NOBODY, host="127.0.0.1", health_port=0, metrics_port=0, metrics_plain=True)
    return AgentProcess(options, client, metrics, RealClock())


def exporter(_: Path, client: Client, session: aiohttp.ClientSession, metrics: Metrics) -> Process:
    options = ExporterOptions(bind_host="127.0.0.1", health_port=0, metrics_port=0, metrics_plain=True)
    return ExporterProcess(options, client, client, session, RealClock(), metrics=metrics)


def gateway(_: Path, client: Client, session: aiohttp.ClientSession, metrics: Metrics) -> Process:
    options = GatewayOptions(
        bind_host="127.0.0.1", port=0, health_port=0, metrics_port=0, metrics_plain=True, shards=True, peer_port=0
    )
    return GatewayProcess(options, client, client, session, RealClock(), metrics=metrics)


def operator(_: Path, client: Client, _session: aiohttp.ClientSession, metrics: Metrics) -> Process:
    options = OperatorOptions(bind_host="127.0.0.1", webhook_port=0, health_port=0, metrics_port=0, metrics_plain=True)
    return Operator(options, NOBODY, client, RealClock(), metrics=metrics, reviews=client)


@pytest.mark.parametrize("make", [agent, exporter, gateway, operator])
async def test_a_process_sends_its_metrics_and_once_more_at_its_end(make: Make, tmp_path: Path) -> None:
    name = make.__name__
    with serving_collector() as collector, closing(process_metrics(name, collector.url)) as metrics:
        assert metrics.push is not None
        metrics.push._interval = 0.05
        stop = asyncio.Event()
        async with (
            Client(NOBODY) as client,
            aiohttp.ClientSession() as session,
            asyncio.timeout(30),
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(make(tmp_path, client, session, metrics).run(stop))
            await until(lambda: len(collector.received) >= 2)
            metrics.push._interval = 3600.0
            await asyncio.sleep(0.2)
            before = len(collector.received)
            stop.set()
        assert len(collector.received) > before
    for _, request in collector.received:
        (resource,) = request.resource_metrics
        told = {one.key: one.value.string_value for one in resource.resource.attributes}
        assert told["service.name"] == f"aim-gpu-{name}"
        assert "aim_build_info" in {metric.name for metric in resource.scope_metrics[0].metrics}


LATER = {
    "operator": {
        # of the leader, who counts them from 0
        *("aim_scheduler_operations_total", "aim_scheduler_evictions_total", "storage_migration_pending"),
        # of what was done
        *("controller_runtime_reconcile_time_seconds", "controller_runtime_webhook_latency_seconds"),
        *("workqueue_queue_duration_seconds", "workqueue_work_duration_seconds"),
    },
}
"""What is told when it has happened, and not in the first second of a process that finds no API server."""


@pytest.mark.parametrize("make", [agent, exporter, gateway, operator])
async def test_a_process_tells_what_it_is_declared_to_tell(make: Make, tmp_path: Path) -> None:
    name = make.__name__
    with closing(process_metrics(name, None)) as metrics:
        stop = asyncio.Event()
        async with (
            Client(NOBODY, meter=metrics.meter) as client,
            aiohttp.ClientSession() as session,
            asyncio.timeout(30),
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(make(tmp_path, client, session, metrics).run(stop))
            async with asyncio.timeout(20):
                while b"rest_client_request_duration_seconds_count" not in (page := await metrics.exposition()):  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.05)
            stop.set()
    found = difference(name, [page.decode()])
    assert found.missing == LATER.get(name, set())
    assert found.undeclared == set()
    assert found.wrong == ()


@pytest.mark.parametrize("process", PROCESSES)
def test_without_a_collector_there_is_nothing_to_run(process: str) -> None:
    with closing(process_metrics(process, None)) as metrics:
        assert metrics.push is None


@pytest.mark.parametrize("process", PROCESSES)
def test_what_is_no_url_is_refused_by_the_options_name(process: str) -> None:
    with pytest.raises(ConfigurationError, match="--otlp-metrics-endpoint: endpoint 'collector': give a URL such as"):
        process_metrics(process, "collector")
