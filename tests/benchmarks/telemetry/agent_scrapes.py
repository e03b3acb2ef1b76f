"""What a scrape of an agent costs whose node has 64 partitions, each held: over HTTP, hardware (simulated) read anew."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import aiohttp

from controller.entrypoints.agent_options import AgentOptions, NodeOptions
from controller.entrypoints.metrics_endpoint import reviewing_client
from controller.entrypoints.run_agent import AgentProcess
from controller.gpu.mode import mode
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import LEASES, RESOURCE_CLAIMS, RESOURCE_SLICES
from controller.runtime.clock import RealClock
from controller.runtime.manifest import Manifest
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from controller.telemetry.metrics import Metrics
from tests.benchmarks.telemetry.scraping import Scrapes, scrapes
from tests.builders.claim import bound_claim
from tests.fakes.api_server import FakeApiServer

NODE: Final = "worker-0"
GPUS: Final = 8
PARTITIONS: Final = 64
_SETTLE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.2
_TOTALS: Final = b'type="total"}'


async def agent_scrapes(times: int) -> Scrapes:
    """Scrape an agent of 8 GPUs in CPX/NPS4, all of it held. Raises TimeoutError when it does not see its claims."""
    async with FakeApiServer() as api, _agent(api) as (url, session):

        async def read() -> bytes:
            async with session.get(url) as answer:
                return await answer.read()

        async with asyncio.timeout(_SETTLE_SECONDS):
            while len(found := _partitions(api)) < PARTITIONS:  # noqa: ASYNC110 - the fake has nobody to tell
                await asyncio.sleep(_LOOK_SECONDS)
            for number, device in enumerate(found):
                api.put(GPU_PARTITION_CLAIMS, _held(number, device))
            while _of_claims(await read()) < PARTITIONS:  # noqa: ASYNC110 - the same
                await asyncio.sleep(_LOOK_SECONDS)
        return await scrapes(read, times)


def _of_claims(text: bytes) -> int:
    """Partitions that are told as held."""
    return sum(1 for line in text.splitlines() if line.rpartition(b" ")[0].endswith(_TOTALS) and b'claim="aim-' in line)


def _partitions(api: FakeApiServer) -> list[dict[str, Any]]:
    """Every partition as the agent reports it and a claim would name it; none before it has."""
    return [
        {
            **{name: partition[name] for name in ("device", "renderIndex", "bytes")},
            "pool": NODE,
            "bdf": gpu["bdf"],
            "partition": partition["id"],
            "mode": gpu["mode"],
        }
        for node in api.objects(GPU_NODES).values()
        for gpu in node.get("status", {}).get("gpus", ())
        for partition in gpu["partitions"]
    ]


def _held(number: int, device: dict[str, Any]) -> Manifest:
    held = bound_claim(f"aim-{number}", NODE, phase="Allocated", pod=f"chat-{number}")
    held["metadata"]["labels"] = {"aim.amd.com/inference-service": f"chat-{number % GPUS}"}
    held["status"]["allocation"]["devices"] = [device]
    return held


@asynccontextmanager
async def _agent(api: FakeApiServer) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """Its page, and who gets it."""
    for resource in (GPU_NODES, GPU_PARTITION_CLAIMS, RESOURCE_CLAIMS, RESOURCE_SLICES, LEASES):
        api.serve(resource)
    api.put(GPU_NODES, {"metadata": {"name": NODE, "generation": 1}, "spec": {}})
    with TemporaryDirectory() as folder, closing(Metrics("agent")) as metrics:
        token = Path(folder) / "token"
        token.write_text("t", encoding="utf-8")
        options = AgentOptions(
            (NodeOptions(NODE, token, mode("CPX/NPS4"), GPUS),),
            ClientConfiguration(server=api.url),
            host="127.0.0.1",
            health_port=0,
            metrics_port=0,
            metrics_plain=True,
        )
        configuration = options.configuration(options.nodes[0])
        async with (
            reviewing_client(configuration, metrics, RealClock(), "benchmark") as reviews,
            aiohttp.ClientSession() as session,
            asyncio.TaskGroup() as tasks,
        ):
            stop, process = asyncio.Event(), AgentProcess(options, reviews, metrics, RealClock())
            tasks.create_task(process.run(stop))
            try:
                await process.metrics.wait_started(_SETTLE_SECONDS)
                yield f"http://127.0.0.1:{process.metrics.port}/metrics", session
            finally:
                stop.set()
