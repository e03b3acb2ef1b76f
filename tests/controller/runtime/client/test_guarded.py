"""A guarded client: each attempt of a write is checked when nothing but its bytes is left to do."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import NODES, PODS
from controller.runtime.client.errors import NotFound, Timeout, Unavailable
from tests.controller.runtime.conftest import Eventually
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer

POD = {"metadata": {"namespace": "default", "name": "a"}}


class Fence:
    """Counts its calls; from the call number `shut_from` on it raises `error`."""

    def __init__(self, shut_from: int = 1_000, error: Exception | None = None) -> None:
        self.calls = 0
        self._shut_from = shut_from
        self.error = error or RuntimeError("not the leader")

    def __call__(self) -> None:
        self.calls += 1
        if self.calls >= self._shut_from:
            raise self.error


Write = Callable[[Client], Awaitable[object]]
WRITES = [
    pytest.param(lambda c: c.create(PODS, POD), id="create"),
    pytest.param(lambda c: c.replace(PODS, POD), id="replace"),
    pytest.param(lambda c: c.delete(PODS, "a", "default"), id="delete"),
    pytest.param(lambda c: c.evict("a", "default"), id="evict"),
    pytest.param(lambda c: c.merge_patch(PODS, "a", {}, "default"), id="merge patch"),
    pytest.param(lambda c: c.json_patch(PODS, "a", [], "default"), id="JSON patch"),
    pytest.param(lambda c: c.apply(PODS, POD, field_manager="us"), id="apply"),
    pytest.param(lambda c: c.create(PODS, POD, dry_run=True), id="a dry run as well"),
    pytest.param(lambda c: c.request("POST", "/api/v1/pods", body={}), id="any other request"),
]


@pytest.mark.parametrize("write", WRITES)
async def test_a_write_that_fails_its_check_is_not_sent(client: Client, api: FakeApiServer, write: Write) -> None:
    fence = Fence(shut_from=1)
    with pytest.raises(RuntimeError, match="not the leader"):
        await write(client.guarded(fence))
    assert (fence.calls, api.seen) == (1, [])


async def test_reads_are_not_checked(client: Client, api: FakeApiServer) -> None:
    fence = Fence(shut_from=1)
    guarded = client.guarded(fence)
    api.play(faults.events(("ADDED", POD)), on="watch")
    await guarded.list(NODES)
    assert [kind async for kind, _ in guarded.watch(PODS, resource_version="1")] == ["ADDED"]
    assert await guarded.request("GET", NODES.path())
    with pytest.raises(NotFound):
        await guarded.get(NODES, "n")
    assert fence.calls == 0


async def test_the_client_it_came_from_stays_free(client: Client, api: FakeApiServer) -> None:
    client.guarded(Fence(shut_from=1))
    await client.create(PODS, POD)
    assert api.count("POST") == 1


@pytest.mark.parametrize("error", [TimeoutError("late"), OSError("closed"), ValueError("no")])
async def test_what_the_check_raises_arrives_as_it_is(client: Client, api: FakeApiServer, error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        await client.guarded(Fence(1, error)).create(PODS, POD)
    assert caught.value is error
    assert api.seen == []


async def test_each_repetition_is_checked(client: Client, api: FakeApiServer) -> None:
    api.play(faults.refusal(429, "TooManyRequests"), faults.refusal(429, "TooManyRequests"), on="POST")
    fence = Fence(shut_from=3)
    with pytest.raises(RuntimeError, match="not the leader"):
        await client.guarded(fence).create(PODS, POD)
    assert (fence.calls, api.count("POST")) == (3, 2)


async def test_the_repetition_with_another_token_is_checked(api: FakeApiServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    api.play(faults.refusal(401, "Unauthorized"), on="POST")
    fence = Fence(shut_from=2)
    async with Client(ClientConfiguration(server=api.url, token_file=tmp_path / "token")) as opened:
        with pytest.raises(RuntimeError, match="not the leader"):
            await opened.guarded(fence).create(PODS, POD)
    assert (fence.calls, api.count("POST")) == (2, 1)


async def test_a_write_is_not_repeated_on_another_connection(client: Client, api: FakeApiServer) -> None:
    api.put(PODS, POD)
    api.play(faults.cut(), on="DELETE")  # a kept connection that is closed under a DELETE
    await client.list(NODES)
    fence = Fence()
    with pytest.raises(Unavailable):
        await client.guarded(fence).delete(PODS, "a", "default")
    assert (fence.calls, api.count("DELETE")) == (1, 1)


async def test_the_check_comes_after_the_wait_for_a_slot(api: FakeApiServer, eventually: Eventually) -> None:
    api.play(faults.silence(), on="GET")
    fence = Fence()
    async with (
        Client(ClientConfiguration(server=api.url), max_connections=1) as small,
        asyncio.TaskGroup() as tasks,
    ):
        blocking = tasks.create_task(small.get(NODES, "n"))
        await eventually(lambda: api.count("GET"))
        tasks.create_task(small.guarded(fence).create(PODS, POD))
        await asyncio.sleep(0.05)
        assert fence.calls == 0
        blocking.cancel()
        await eventually(lambda: api.count("POST"))
        assert fence.calls == 1


async def test_the_check_comes_after_the_wait_for_a_connection() -> None:
    fence = Fence()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, and never shakes hands
        server = f"https://127.0.0.1:{silent.getsockname()[1]}"
        async with Client(ClientConfiguration(server=server)) as client:
            with pytest.raises(Timeout):
                await client.guarded(fence).request("POST", "/", body={}, timeout=0.2)
    assert fence.calls == 0


async def test_a_check_of_a_check_calls_both(client: Client, api: FakeApiServer) -> None:
    outer, inner = Fence(), Fence(shut_from=2)
    guarded = client.guarded(outer).guarded(inner)
    await guarded.create(PODS, POD)
    with pytest.raises(RuntimeError, match="not the leader"):
        await guarded.delete(PODS, "a", "default")
    assert (outer.calls, inner.calls, api.count("DELETE")) == (2, 2, 0)


async def test_only_the_client_itself_is_entered(client: Client) -> None:
    with pytest.raises(RuntimeError, match="enter that one"):
        async with client.guarded(Fence()):
            pass
