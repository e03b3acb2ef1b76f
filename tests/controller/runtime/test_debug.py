"""The debug server: what it shows, and to whom."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from controller.runtime.controller import Controller
from controller.runtime.debug import DebugServer
from controller.runtime.reconcile import Request, Result


async def hangs(request: Request) -> Result:
    await asyncio.Event().wait()
    return Result()


@pytest.fixture
async def server() -> AsyncIterator[DebugServer]:
    """One that shows a controller with a reconcile that hangs, two items ready and one for later."""
    controller = Controller("pods", hangs)
    made = DebugServer([controller], 0)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(runnable.run()) for runnable in (controller, made)]
        controller.enqueue(Request("ns", "stuck"))
        await made.wait_started(30)
        controller.enqueue(Request("ns", "initial"), -100)
        controller.enqueue(Request("", "live"))
        controller.enqueue_after(Request("ns", "later"), 60)
        yield made
        for task in running:
            task.cancel()


async def get(server: DebugServer, path: str, host: str = "localhost") -> tuple[int, str]:
    url = f"http://{server.host}:{server.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url, headers={"Host": host}) as response:
        return response.status, await response.text()


async def test_tasks_tell_where_they_stand(server: DebugServer) -> None:
    status, text = await get(server, "/debug/tasks")
    stacks = {lines[0]: lines[1:] for lines in (block.splitlines() for block in text.split("\n\n"))}
    assert status == 200
    worker = stacks["pods worker 0"]
    assert [line.split()[0] for line in worker][-3:] == ["hangs", "Event.wait", "waits"]
    assert f"{__file__}:{hangs.__code__.co_firstlineno + 1}" in worker[-3]
    assert "pods delays" in stacks


async def test_the_queue_is_told_in_its_order(server: DebugServer) -> None:
    status, text = await get(server, "/debug/queue")
    found = json.loads(text)["pods"]
    assert (status, found["statistics"]["active"]) == (200, 1)
    assert found["statistics"]["queue"]["depths"] == {"0": 1, "-100": 1}
    assert [(item["item"], item["state"], item["priority"]) for item in found["items"]] == [
        ("ns/stuck", "processing", 0),
        ("live", "ready", 0),
        ("ns/initial", "ready", -100),
        ("ns/later", "waiting", 0),
    ]
    assert all(0 <= item["age"] < 60 for item in found["items"])
    assert 0 < found["items"][-1]["due_in"] <= 60


async def test_the_number_of_items_can_be_chosen(server: DebugServer) -> None:
    _, text = await get(server, "/debug/queue?limit=2")
    assert len(json.loads(text)["pods"]["items"]) == 2


@pytest.mark.parametrize("limit", ["many", "-1", "100001", "9" * 5000, ""], ids=lambda limit: limit[:8] or "nothing")
async def test_another_number_is_refused(server: DebugServer, limit: str) -> None:
    assert await get(server, f"/debug/queue?limit={limit}") == (
        400,
        f"limit {limit[:20]!r}: give a number of items, at most 100000\n",
    )


async def test_who_asks_by_another_name_is_refused(server: DebugServer) -> None:
    assert (await get(server, "/debug/tasks", host=f"127.0.0.1:{server.port}"))[0] == 200
    assert await get(server, "/debug/tasks", host="evil.example") == (
        403,
        "host 'evil.example': ask for 127.0.0.1 or localhost\n",
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "example.com", ""])
def test_other_addresses_are_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"no authentication; use 127.0.0.1"):
        DebugServer([], 0, host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_addresses_are_taken(host: str) -> None:
    assert DebugServer([], 0, host=host).host == host
