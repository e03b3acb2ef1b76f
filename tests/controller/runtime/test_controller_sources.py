"""When a controller hears of events: from its run on, and first of all that is there by then."""

import asyncio
from typing import Any

import pytest

from controller.runtime.cache.informer import Informer
from controller.runtime.client.client import Client
from controller.runtime.client.core import PODS
from controller.runtime.controller import Controller
from controller.runtime.manager import Manager
from controller.runtime.reconcile import Request, Result
from tests.controller.runtime.conftest import Eventually
from tests.controller.runtime.test_manager_catch_up import Lease
from tests.fakes.api_server import FakeApiServer


def pod(name: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "ns", "name": name}}


class Noting:
    """A reconcile that notes the names."""

    def __init__(self) -> None:
        self.names: list[str] = []

    async def __call__(self, request: Request) -> Result:
        self.names.append(request.name)
        return Result()


async def test_a_standby_holds_no_backlog_and_begins_on_all_that_is_there(
    api: FakeApiServer, client: Client, eventually: Eventually
) -> None:
    lease, stop, noting = Lease(), asyncio.Event(), Noting()
    pods, manager = Informer(client, PODS), Manager(elector=lease)
    controller = Controller("pods", noting)
    controller.for_(pods)
    manager.add_informer(pods)
    manager.add_controller(controller)
    api.put(PODS, pod("stays"))
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(manager.run(stop))
        await pods.wait_synced(30)
        for number in range(100):
            api.put(PODS, pod(f"p{number}"))
        await eventually(lambda: len(pods.store.keys()) == 101)
        for number in range(100):
            api.remove(PODS, f"ns/p{number}")
        await eventually(lambda: pods.store.keys() == ["ns/stays"])
        assert controller.statistics().queue.depth == 0
        lease.given.set()
        await eventually(lambda: noting.names)
        api.put(PODS, pod("later"))
        await eventually(lambda: "later" in noting.names)
        stop.set()
    assert noting.names == ["stays", "later"]


async def test_objects_that_were_there_before_it_ran_come_at_low_priority(
    api: FakeApiServer, client: Client, eventually: Eventually
) -> None:
    noting = Noting()
    controller, pods = Controller("pods", noting), Informer(client, PODS)
    for name in ("a", "b"):
        api.put(PODS, pod(name))
    controller.for_(pods)
    controller.enqueue(Request("ns", "asked for"))
    async with asyncio.TaskGroup() as tasks:
        informing = tasks.create_task(pods.run())
        await pods.wait_synced(30)
        tasks.create_task(controller.run())
        await eventually(lambda: len(noting.names) == 3)
        controller.stop()
        informing.cancel()
    assert (noting.names[0], set(noting.names[1:])) == ("asked for", {"a", "b"})


async def test_a_source_that_is_named_while_it_runs_counts_at_once(
    api: FakeApiServer, client: Client, eventually: Eventually
) -> None:
    noting = Noting()
    controller, pods = Controller("pods", noting), Informer(client, PODS)
    api.put(PODS, pod("a"))
    async with asyncio.TaskGroup() as tasks:
        informing = tasks.create_task(pods.run())
        tasks.create_task(controller.run())
        await pods.wait_synced(30)
        controller.for_(pods)
        await eventually(lambda: noting.names)
        controller.stop()
        informing.cancel()
    assert noting.names == ["a"]


@pytest.mark.looptime
async def test_a_second_run_attaches_no_second_time() -> None:
    class Counting:
        """A source that counts its handlers."""

        attached = 0

        def add_handler(self, _handler: object) -> None:
            self.attached += 1

        async def wait_synced(self, timeout: float) -> None:
            pass

    controller, source = Controller("pods", Noting()), Counting()
    controller.for_(source)
    for _ in range(2):
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(controller.run())
            await asyncio.sleep(1)
            task.cancel()
    assert source.attached == 1
