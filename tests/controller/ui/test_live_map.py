"""The command and what is behind it, on an API server in this process: followed live, ended in order, refused in words."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import orjson
import pytest

from controller.cli.live_cluster import needed, watched
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import LEASES, NAMESPACES, NODES, POD_DISRUPTION_BUDGETS, PODS, PRIORITY_CLASSES
from controller.runtime.clock import RealClock
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from tests.builders.claim import bound_claim
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node, lease
from tests.builders.node import node_object
from tests.builders.pod import pod
from tests.controller.cli.conftest import KUBECONFIG
from tests.controller.ui.fleet import namespace_object
from tests.controller.ui.test_server import events
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer

AIM_GPU = Path(sys.executable).with_name("aim-gpu")


@pytest.fixture
async def api() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as server:
        client = Client(ClientConfiguration(server.url))
        for informer in needed(watched(client, "aim-gpu-system", RealClock()).cluster):
            server.serve(informer.resource)
        server.serve(PRIORITY_CLASSES)
        server.serve(POD_DISRUPTION_BUDGETS)
        server.put(NAMESPACES, namespace_object("team-a"))
        server.put(NODES, node_object("worker-0"))
        server.put(GPU_NODES, gpu_node("worker-0", gpu(0)))
        renewed = lease("worker-0")
        renewed["spec"]["renewTime"] = RealClock().now().isoformat().replace("+00:00", "Z")
        server.put(LEASES, renewed)
        yield server


@asynccontextmanager
async def command(api: FakeApiServer, folder: Path, *more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`aim-gpu ui` as it is installed; interrupted at the end if it still runs."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG.format(current="fake", url=api.url))
    arguments = ["ui", "--no-browser", "--kubeconfig", str(kubeconfig), *more]
    process = await asyncio.create_subprocess_exec(str(AIM_GPU), *arguments, stderr=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            await process.wait()


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async with asyncio.timeout(40):
        return (await process.stderr.readline()).decode().strip()


async def test_it_follows_the_cluster_until_it_is_interrupted(api: FakeApiServer, tmp_path: Path) -> None:
    async with command(api, tmp_path) as process:
        url, _, token = (await line(process)).removeprefix("the map is at ").partition("#token=")
        assert url.startswith("http://127.0.0.1:")
        bearer = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(base_url=url, headers=bearer) as http, http.get("api/events") as answer:
            stream = events(answer)
            _, first = await anext(stream)
            node = first["state"]["nodes"]["worker-0"]
            assert (node["ready"], node["fresh"], len(node["gpus"][0]["partitions"])) == (True, True, 8)
            api.put(PODS, pod(claim="aim-a", gates=(), node="worker-0", phase="Running"))
            api.put(GPU_PARTITION_CLAIMS, bound_claim("aim-a"))
            async with asyncio.timeout(30):
                claims: list[str | None] = []
                while "team-a/aim-a" not in claims:
                    _, told = await anext(stream)
                    rows = told["change"].get("nodes", {}).values()
                    claims += [one["claim"] for row in rows for one in row["gpus"][0]["partitions"]]
    assert process.returncode == 0
    assert {seen.method for seen in api.seen} == {"GET"}


async def test_a_question_is_answered_on_what_is_followed(api: FakeApiServer, tmp_path: Path) -> None:
    async with command(api, tmp_path) as process:
        url, _, token = (await line(process)).removeprefix("the map is at ").partition("#token=")
        async with (
            aiohttp.ClientSession(base_url=url, headers={"Authorization": f"Bearer {token}"}) as http,
            http.get("api/what-if", params={"model": "Qwen/Qwen3-4B", "namespace": "team-a"}) as answer,
        ):
            (row,) = orjson.loads(await answer.read())["services"][0]["replicas"]
    assert (row["placed"], row["node"]) == (True, "worker-0")


async def test_an_api_server_that_fails_meanwhile_is_told_as_such(api: FakeApiServer, tmp_path: Path) -> None:
    async with command(api, tmp_path) as process:
        url, _, token = (await line(process)).removeprefix("the map is at ").partition("#token=")
        api.play(*[faults.refusal(400, "BadRequest", "no such thing")] * 2, on="list")
        async with (
            aiohttp.ClientSession(base_url=url, headers={"Authorization": f"Bearer {token}"}) as http,
            http.get("api/what-if", params={"model": "Qwen/Qwen3-4B", "namespace": "team-a"}) as answer,
        ):
            assert (answer.status, await answer.text()) == (502, "the API server did not answer: no such thing\n")


async def test_a_right_that_is_missing_is_named(api: FakeApiServer, tmp_path: Path) -> None:
    api.play(*[faults.refusal(403, "Forbidden")] * 40, on="list")
    async with command(api, tmp_path) as process:
        told = await line(process)
        await process.wait()
    assert process.returncode == 1
    assert told.startswith("error: cannot show the map: the right to list gpunodes.aim.amd.com, ")


async def test_a_port_that_is_taken_is_named(api: FakeApiServer, tmp_path: Path) -> None:
    async with command(api, tmp_path, "--port", str(api.port)) as process:
        told = await line(process)
        await process.wait()
    assert process.returncode == 1
    assert told.startswith(f"error: --port {api.port}: cannot listen on 127.0.0.1 (")
