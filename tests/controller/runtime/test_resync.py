"""A real informer and a controller: what was told again and did not change reconciles nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from controller.runtime.cache.informer import Informer
from controller.runtime.client.client import Client
from controller.runtime.client.core import PODS
from controller.runtime.controller import Controller
from controller.runtime.objects.pod import Pod
from controller.runtime.reconcile import Request, Result
from tests.controller.runtime.conftest import Eventually
from tests.fakes.api_server import FakeApiServer

NAMES = ["a", "b", "c"]


@asynccontextmanager
async def reconciling(pods: "Informer[Any]", **options: Any) -> AsyncIterator[list[str]]:
    """The names reconciled by a controller for `pods`, growing, from when each of NAMES had its turn."""
    ran: list[str] = []
    first = asyncio.Event()

    async def reconcile(request: Request) -> Result:
        ran.append(request.name)
        if len(ran) == len(NAMES):
            first.set()
        return Result()

    controller = Controller("pods", reconcile)
    controller.for_(pods, **options)
    async with asyncio.TaskGroup() as tasks:
        informing = tasks.create_task(pods.run())
        tasks.create_task(controller.run())
        await first.wait()
        yield ran
        controller.stop()
        informing.cancel()


def put_all(api: FakeApiServer) -> None:
    for name in NAMES:
        api.put(PODS, {"metadata": {"namespace": "ns", "name": name}})


async def test_resyncs_without_a_change_run_nothing(api: FakeApiServer, client: Client, eventually: Eventually) -> None:
    put_all(api)
    pods = Informer(client, PODS, resync_seconds=0.01)
    async with reconciling(pods) as ran:
        await eventually(lambda: pods.statistics().resyncs > 5)
        assert ran == NAMES


async def test_resyncs_run_all_where_that_is_asked_for(
    api: FakeApiServer, client: Client, eventually: Eventually
) -> None:
    put_all(api)
    pods = Informer(client, PODS, into=Pod, resync_seconds=0.01)
    async with reconciling(pods, on_resync=True) as ran:
        await eventually(lambda: all(ran.count(name) > 2 for name in NAMES))


async def test_a_relist_without_a_change_runs_nothing(
    api: FakeApiServer, client: Client, eventually: Eventually
) -> None:
    put_all(api)
    pods = Informer(client, PODS)
    async with reconciling(pods) as ran:
        api.compact(PODS)  # the watch cannot go on from where it was
        await api.stop()
        await api.start()
        await eventually(lambda: pods.statistics().store.unchanged == len(NAMES))
        api.put(PODS, {"metadata": {"namespace": "ns", "name": "later"}})
        await eventually(lambda: "later" in ran)
        assert ran == [*NAMES, "later"]
