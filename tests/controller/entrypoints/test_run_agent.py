import asyncio
import re
from contextlib import closing
from pathlib import Path

import pytest

from controller.entrypoints.agent_options import AgentOptions, NodeOptions
from controller.entrypoints.metrics_endpoint import reviewing_client
from controller.entrypoints.run_agent import AgentProcess
from controller.gpu.mode import mode
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.clock import RealClock
from controller.telemetry.metrics import Metrics
from tests.fakes.api_server import FakeApiServer


async def test_the_requests_of_all_nodes_are_counted_in_one_series(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nodes = tuple(NodeOptions(name, tmp_path / name, mode("CPX/NPS4"), 1) for name in ("a", "b"))
    for node in nodes:
        (tmp_path / node.name).write_text("t")
    async with FakeApiServer() as api, asyncio.TaskGroup() as tasks:
        connection = ClientConfiguration(server=api.url)
        options = AgentOptions(nodes, connection, host="127.0.0.1", health_port=0, metrics_port=0, metrics_plain=True)
        with closing(Metrics("agent")) as metrics:
            async with reviewing_client(options.configuration(nodes[0]), metrics, RealClock(), "test") as reviews:
                stop = asyncio.Event()
                running = tasks.create_task(AgentProcess(options, reviews, metrics, RealClock()).run(stop))
                async with asyncio.timeout(10):
                    while len(api.seen) < 4:  # noqa: ASYNC110 - the fake has nobody to tell
                        await asyncio.sleep(0.01)
                stop.set()
                await running
                text = metrics.exposition().decode()
    counted = re.findall(r"^rest_client_requests_total\{.*\} (\S+)$", text, re.MULTILINE)
    assert sum(map(float, counted)) >= 4
    assert "rest_client_request_duration_seconds_bucket" in text
    assert caplog.records == [], "an instrument that was registered twice"
