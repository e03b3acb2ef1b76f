import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import PODS
from controller.runtime.client.resource import Resource
from controller.runtime.clock import RealClock
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, MODEL_PROFILES
from e2e.engine.fleet.fleet import Fleet
from tests.e2e.engine.fleet.objects import MODEL, Object, claim, node, pod
from tests.fakes.store import FakeStore
from tests.fakes.store_transport import StoreTransport

KINDS = (PODS, GPU_PARTITION_CLAIMS, GPU_NODES, MODEL_PROFILES)


@dataclass
class World:
    """A store with a fleet that follows it."""

    store: FakeStore
    client: Client
    addresses: Path

    def listed(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.addresses.read_text()) if self.addresses.exists() else {}
        return found

    async def put(self, resource: Resource, obj: Object) -> None:
        """Create it and give it its status, which an API server takes separately."""
        created = await self.client.create(resource, obj)
        await self.client.replace(resource, created | {"status": obj["status"]}, subresource="status")

    async def until(self, condition: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        async with asyncio.timeout(60):
            while not condition(self.listed()):  # noqa: ASYNC110 - a file, as another process sees it
                await asyncio.sleep(0.01)
        return self.listed()


@asynccontextmanager
async def a_plane(tmp_path: Path) -> AsyncIterator[World]:
    store = FakeStore(RealClock(), KINDS)
    async with Client(ClientConfiguration("http://store"), transport=StoreTransport(store, "fleet")) as client:
        world = World(store, client, tmp_path / "addresses")
        with (tmp_path / "record").open("w") as record:
            async with asyncio.TaskGroup() as tasks:
                fleet = Fleet(client, tmp_path / "addresses", record, time_scale=0.01)
                running = tasks.create_task(fleet.run())
                await world.put(GPU_NODES, node())
                yield world
                running.cancel()


async def answers(address: str) -> bool:
    body = {"model": MODEL, "messages": ["hi"], "max_tokens": 2}
    try:
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"http://{address}/v1/chat/completions", json=body) as r,
        ):
            return r.status == 200
    except aiohttp.ClientError:
        return False


async def test_an_engine_comes_and_goes_with_its_pod(tmp_path: Path) -> None:
    async with a_plane(tmp_path) as found:
        assert await found.until(lambda listed: listed == {} and found.addresses.exists()) == {}
        await found.put(GPU_PARTITION_CLAIMS, claim("aim-a"))
        await found.put(PODS, pod("a"))
        (uid,) = listed = await found.until(lambda listed: len(listed) == 1)
        assert uid == found.store.get(PODS, "a", "team")["metadata"]["uid"]
        assert await answers(listed[uid])
        await found.client.delete(PODS, "a", "team", grace_period_seconds=0)
        await found.until(lambda now: now == {})
        assert not await answers(listed[uid])
    lines = [json.loads(line) for line in (tmp_path / "record").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["begin", "end"]
    assert {line["engine"] for line in lines} == {uid}


@pytest.mark.parametrize("count", [3])
async def test_every_pod_has_a_port_of_its_own(tmp_path: Path, count: int) -> None:
    async with a_plane(tmp_path) as found:
        for number in range(count):
            await found.put(GPU_PARTITION_CLAIMS, claim(f"aim-{number}", partition=number))
            await found.put(PODS, pod(str(number)))
        listed = await found.until(lambda listed: len(listed) == count)
        assert len(set(listed.values())) == count
        assert all([await answers(address) for address in listed.values()])
