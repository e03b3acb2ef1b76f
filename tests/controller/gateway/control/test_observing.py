import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from controller.gateway.configuration import Endpoint
from controller.gateway.control.objects import Claim
from controller.gateway.control.observing import EACH_SECONDS, MOST_BYTES, HttpMetricsReader, Observing
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.objects.conversion import typed
from controller.state.kinds import MODEL_PROFILES
from e2e.engine.memory import Memory
from e2e.engine.server import serving
from e2e.engine.settings import EngineSettings
from tests.builders.model_profile import MODEL, model_profile
from tests.fakes.clock import START, FakeClock
from tests.fakes.store import FakeStore
from tests.fakes.store_transport import StoreTransport

PARTITION = 24 * 2**30
TOKEN = 147_456
BESIDE = int(0.9 * PARTITION)
PINNED = 'kv_cache_memory_bytes="1"'


def page(blocks: int, filled: float = 0.0, pinned: str = 'kv_cache_memory_bytes="None"') -> str:
    config = f'block_size="16",gpu_memory_utilization="0.9",{pinned},num_gpu_blocks="{blocks}"'
    return f"vllm:cache_config_info{{{config}}} 1.0\nvllm:kv_cache_usage_perc{{}} {filled}\n"


def taken(blocks: int, filled: float = 0.0) -> int:
    return BESIDE - blocks * 16 * TOKEN + int(filled * blocks * 16 * TOKEN)


def endpoint(uid: str, port: int = 1) -> Endpoint:
    return Endpoint(uid, "127.0.0.1", port, f"node-0/0000:05:00.0/{uid}", 8)


def claim_of(uid: str) -> Claim:
    device = {"bdf": "0000:05:00.0", "partition": 1, "bytes": PARTITION}
    made: dict[str, Any] = {
        "metadata": {"name": f"aim-{uid}", "namespace": "team", "uid": f"uid-{uid}", "resourceVersion": "1"},
        "spec": {"podRef": {"name": uid, "uid": uid}, "model": {"id": MODEL, "precision": "fp8"}},
        "status": {"phase": "Allocated", "allocation": {"node": "node-0", "devices": [device]}},
    }
    return typed(made, Claim)


@dataclass
class Gateway:
    """What observes: engines by their pages, a store with one ModelProfile."""

    store: FakeStore
    client: Client
    clock: FakeClock
    pages: dict[str, str | None] = field(default_factory=dict)

    async def read(self, endpoint: Endpoint) -> str | None:
        return self.pages[endpoint.uid]

    def observing(self) -> Observing:
        def endpoints() -> list[Endpoint]:
            return [endpoint(uid) for uid in self.pages]

        return Observing(self.client, self.clock, endpoints=endpoints, claim_of=claim_of, reader=self)

    async def see(self, observing: Observing, pages: Mapping[str, str | None]) -> None:
        """One look at engines with these pages, with what the store has."""
        self.pages = dict(pages)
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(observing.profiles.run())
            await observing.profiles.wait_synced(5)
            version = self.store.version
            await observing.look()
            assert self.store.version - version in (0, 1)
            following.cancel()

    def observed(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.store.get(MODEL_PROFILES, "chat-8b")["status"].get("observed")
        return found


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    clock = FakeClock()
    store = FakeStore(clock, [MODEL_PROFILES])
    async with Client(ClientConfiguration("http://store"), transport=StoreTransport(store, "gateway")) as client:
        created = await client.create(MODEL_PROFILES, model_profile(precisions=["fp8"]))
        status = {"sizes": [{"precision": "fp8", "totalBytes": 20 << 30, "kvBytesPerToken": TOKEN}]}
        await client.replace(MODEL_PROFILES, created | {"status": status}, subresource="status")
        yield Gateway(store, client, clock)


async def test_the_largest_use_of_all_engines_is_written_beside_the_sizes(gateway: Gateway) -> None:
    await gateway.see(
        gateway.observing(), {"a": page(3000), "b": page(2000, 0.5), "c": None, "d": page(9, pinned=PINNED)}
    )
    assert gateway.observed() == {
        "peakBytes": max(taken(3000), taken(2000, 0.5)),
        "samples": 2,
        "lastSeen": START.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    assert gateway.store.get(MODEL_PROFILES, "chat-8b")["status"]["sizes"][0]["totalBytes"] == 20 << 30


async def test_what_is_known_is_not_written_again(gateway: Gateway) -> None:
    observing = gateway.observing()
    await gateway.see(observing, {"a": page(3000)})
    version = gateway.store.version
    await gateway.see(observing, {"a": page(3000)})
    assert gateway.store.version == version
    await gateway.see(observing, {"a": page(3000, 0.5)})
    assert (gateway.observed() or {})["peakBytes"] == taken(3000, 0.5)


async def test_a_gateway_that_starts_anew_takes_nothing_back(gateway: Gateway) -> None:
    await gateway.see(gateway.observing(), {"a": page(3000, 0.5), "b": page(3000)})
    await gateway.see(gateway.observing(), {"a": page(3000)})
    observed = gateway.observed() or {}
    assert (observed["peakBytes"], observed["samples"]) == (taken(3000, 0.5), 2)


async def test_without_an_engine_that_tells_nothing_is_written(gateway: Gateway) -> None:
    await gateway.see(gateway.observing(), {"a": "no metrics", "b": None})
    assert gateway.observed() is None


async def test_it_looks_each_minute(gateway: Gateway) -> None:
    observing = gateway.observing()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(observing.run())
        for looks in range(3):
            await gateway.clock.advance(EACH_SECONDS)
            assert gateway.clock.sleepers == 1, looks
        running.cancel()


# --- how a page is read


@asynccontextmanager
async def engine(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[int]:
    application = web.Application()
    application.router.add_get("/metrics", answer)
    async with TestServer(application, host="127.0.0.1") as server:
        assert server.port is not None
        yield server.port


async def read(port: int) -> str | None:
    async with aiohttp.ClientSession() as session:
        return await HttpMetricsReader(session).read(endpoint("a", port))


async def test_a_simulated_engine_is_read_by_http() -> None:
    memory = Memory(fixed=10 << 30, pool=11 << 30, token=TOKEN)
    async with serving(EngineSettings(model=MODEL, memory=memory)) as served:
        found = await read(served.port)
    assert found is not None
    assert "vllm:cache_config_info" in found


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda: web.Response(status=404), id="no such page"),
        pytest.param(lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), id="elsewhere"),
        pytest.param(lambda: web.Response(body=b"#" * (MOST_BYTES + 1)), id="a page without an end"),
    ],
)
async def test_what_is_no_page_of_metrics(answer: Callable[[], web.Response]) -> None:
    async def handle(_: web.Request) -> web.Response:
        return answer()

    async with engine(handle) as port:
        assert await read(port) is None


async def test_an_engine_that_is_gone_has_no_page() -> None:
    assert await read(1) is None
