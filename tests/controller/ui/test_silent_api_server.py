"""A map that lost its API server says so, and when it is of now again, by a clock that runs fast."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from controller.cli.live_cluster import needed, watched
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import NODES
from controller.runtime.client.errors import Unavailable
from controller.runtime.clock import RealClock
from controller.state.kinds import GPU_NODES
from controller.ui.live_map import LiveMap
from controller.ui.pulse import ALL, BEHIND_SECONDS, EVERY_SECONDS
from controller.ui.viewer import EVERYTHING
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.fakes.api_server import FakeApiServer

TIMES = 20.0
"""So many times sooner."""


class FastClock:
    """The machine's, so many times sooner."""

    def __init__(self) -> None:
        self._began, self._at = time.monotonic(), datetime.now(UTC)

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * TIMES

    def now(self) -> datetime:
        return self._at + timedelta(seconds=self.monotonic())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / TIMES)


@pytest.fixture
async def api() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as server:
        client = Client(ClientConfiguration(server.url))
        for informer in needed(watched(client, "aim-gpu-system", RealClock()).cluster):
            server.serve(informer.resource)
        server.put(NODES, node_object("worker-0"))
        server.put(GPU_NODES, gpu_node("worker-0", gpu(0)))
        yield server


async def until(look: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not look():  # noqa: ASYNC110 - the map tells nobody
            await asyncio.sleep(0.01)


async def test_a_map_whose_api_server_is_silent_says_since_when_until_all_of_it_is_of_now(api: FakeApiServer) -> None:
    clock = FastClock()
    async with Client(ClientConfiguration(api.url), clock=clock) as client, asyncio.TaskGroup() as group:
        shown = LiveMap(client, "aim-gpu-system", clock)
        running = group.create_task(shown.run())
        await shown.wait_filled()

        def state() -> Any:
            return orjson.loads(shown.feed.state(EVERYTHING).data)["state"]

        await asyncio.sleep((BEHIND_SECONDS + EVERY_SECONDS) / TIMES)
        assert (state()["behind"], list(state()["nodes"])) == ({}, ["worker-0"])
        assert max(shown.pulse.ages().values()) < BEHIND_SECONDS

        lost = clock.now()
        await api.stop()
        await until(lambda: state()["behind"].keys() == {ALL})
        since = datetime.fromisoformat(state()["behind"][ALL]["since"])
        assert lost - timedelta(seconds=EVERY_SECONDS + 2) <= since <= lost + timedelta(seconds=1)
        assert list(state()["nodes"]) == ["worker-0"], "what was known stays"

        api.put(GPU_NODES, gpu_node("worker-1", gpu(0)))
        await api.start()
        await until(lambda: state()["behind"] == {})
        assert sorted(state()["nodes"]) == ["worker-0", "worker-1"]
        assert max(shown.pulse.ages().values()) < BEHIND_SECONDS
        running.cancel()


@pytest.mark.parametrize("waits", [True, False])
async def test_an_api_server_that_is_not_there_yet_is_waited_for_where_that_was_asked_for(
    api: FakeApiServer, waits: bool
) -> None:
    clock = FastClock()
    await api.stop()
    async with Client(ClientConfiguration(api.url), clock=clock) as client:
        shown = LiveMap(client, "aim-gpu-system", clock, waits=waits)
        if not waits:
            with pytest.raises(Unavailable):
                await shown.run()
            return
        async with asyncio.TaskGroup() as group:
            running = group.create_task(shown.run())
            await asyncio.sleep(0.3)
            assert not shown.filled
            await api.start()
            async with asyncio.timeout(10):
                await shown.wait_filled()
            running.cancel()
