"""Traces are looked for where a collector is named that they can be sent to, and nowhere else."""

import asyncio
import ssl
from dataclasses import replace

import aiohttp
import pytest

from controller.entrypoints.gateway_options import GatewayOptions
from controller.entrypoints.gateway_serving import GatewayServing
from controller.gateway.control.callers import Callers
from controller.gateway.latency import LatencyTable
from controller.gateway.traced_table import TracedTable
from controller.runtime.clock import RealClock
from tests.builders.gateway_configuration import configuration, endpoint, route
from tests.fakes.engine import Engine


@pytest.mark.parametrize(
    ("collector", "want"), [("http://collector:4318", TracedTable), (None, LatencyTable)], ids=["named", "not named"]
)
async def test_tables_keep_traces_for_a_collector(collector: str | None, want: type[LatencyTable]) -> None:
    options = GatewayOptions(bind_host="127.0.0.1", port=0, drain_seconds=0.0, otlp_metrics_endpoint=collector)
    serving = GatewayServing(options, Callers(None), None, ssl.create_default_context(), RealClock())
    async with Engine() as engine, asyncio.TaskGroup() as tasks:
        given = replace(configuration(route(endpoint(engine.port))), open=True)
        serving.apply(given)
        tasks.create_task(serving.run())
        await asyncio.wait_for(serving.wait_listening(), 10)
        url = f"http://127.0.0.1:{serving.port}/v1/chat/completions"
        ask = {"model": "llama", "messages": [{"role": "user", "content": "x"}]}
        async with aiohttp.ClientSession() as session, session.post(url, json=ask) as answer:
            assert answer.status == 200
            await answer.read()
        (table,) = serving.tables().values()
        assert serving.routes() == given.services
        serving.stop()
    assert type(table) is want
