"""An API server that is away, slow, or asks to be left alone. Nobody hurries, nothing is asked twice in vain."""

import asyncio

import pytest

from controller.runtime.client.core import NODES
from controller.runtime.client.errors import Unavailable
from controller.runtime.manifest import Manifest
from tests.controller.runtime.faults.world import gaps, versions, world
from tests.fakes import faults
from tests.fakes.api_server import Answer, FakeApiServer

pytestmark = pytest.mark.looptime


def busy(seconds: int) -> Answer:
    return faults.refusal(429, "TooManyRequests", headers={"Retry-After": str(seconds)})


async def test_429_with_retry_after() -> None:
    async with world() as w:
        before = len(w.asked())
        w.api.play(busy(7), busy(7), on="watch")
        w.api.hang_up(NODES)
        w.put("c")
        await w.until_agreed()
        sent = w.asked(after=before)
        assert [7.0 <= gap <= 8.0 for gap in gaps(sent)] == [True, True], "never earlier than asked"
        assert len(set(versions(sent))) == 1, "and the version is as good as before"
        w.api.play(busy(2), on="PATCH")
        await w.client.merge_patch(NODES, "a", {"spec": {"size": 2}})
        assert [2.0 <= gap <= 3.0 for gap in gaps(w.asked("PATCH"))] == [True], "a refused write is sent again"
        await w.until_agreed()


async def test_connection_refused_for_30_s() -> None:
    async with world() as w:
        before, failures = len(w.asked()), w.informer.statistics().reflection.failures
        await w.api.stop()
        await asyncio.sleep(15.0)
        with pytest.raises(Unavailable, match="Connect"):
            await w.client.merge_patch(NODES, "a", {"spec": {"size": 2}})
        await asyncio.sleep(15.0)
        tries = w.informer.statistics().reflection.failures - failures
        assert 3 <= tries <= 6, "0.8 s, then twice as long each time"
        w.put("c")
        await w.api.start()
        await w.until_agreed(limit=31.0)
        (sent,) = w.asked(after=before)
        assert sent.occasion == "watch"
        assert not sent.was("stream"), "the version is as good as before"


async def test_5_s_a_request() -> None:
    api = FakeApiServer()
    api.latency = 5.0
    async with world(api) as w:
        before, started = len(w.asked()), w.clock.monotonic()

        async def write_once(obj: Manifest) -> None:
            if "status" not in obj:
                name = obj["metadata"]["name"]
                await w.client.get(NODES, name)
                await w.client.merge_patch(NODES, name, {"status": {"seen": True}}, subresource="status")

        w.work = write_once
        for number in range(8):
            w.put(f"n-{number}")
        await w.until_agreed()
        took = w.clock.monotonic() - started
        assert 40.0 <= took <= 45.0, "8 objects, two requests each, two workers"
        assert sorted(seen.method for seen in w.asked(after=before)) == ["GET"] * 8 + ["PATCH"] * 8, "each once"
        assert w.informer.statistics().reflection.failures == 0
