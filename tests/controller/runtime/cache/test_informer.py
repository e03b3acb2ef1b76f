"""Informers: projection, handlers, late handlers, sync."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from controller.runtime.cache.informer import CacheNotSynced, Informer
from controller.runtime.cache.store import StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.core import NODES, PODS
from tests.controller.runtime.conftest import Eventually
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer


@asynccontextmanager
async def running(informer: Informer) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(informer.run())
        await informer.wait_synced(5)
        yield
        task.cancel()


async def test_managed_fields_are_dropped_unless_projected(api: FakeApiServer, client: Client) -> None:
    api.put(NODES, {"metadata": {"name": "a", "managedFields": [{"manager": "x"}]}})
    plain = Informer(client, NODES)
    named = Informer(client, NODES, project=lambda obj: {"metadata": obj["metadata"], "short": True})
    async with running(plain), running(named):
        assert "managedFields" not in (plain.store.get("a") or {})["metadata"]
        assert (named.store.get("a") or {})["short"] is True


async def test_a_namespace_and_selectors_reach_list_and_watch(
    api: FakeApiServer, client: Client, eventually: Eventually
) -> None:
    informer = Informer(client, PODS, namespace="n", label_selector="a=b", field_selector="c=d")
    async with running(informer):
        await eventually(lambda: api.count("watch") == 1)
    assert {seen.path for seen in api.seen} == {"/api/v1/namespaces/n/pods"}
    assert all((seen.query["labelSelector"], seen.query["fieldSelector"]) == ("a=b", "c=d") for seen in api.seen)


async def test_the_first_list_is_initial_and_later_events_are_not(
    api: FakeApiServer, client: Client, eventually: Eventually
) -> None:
    seen: list[StoreEvent] = []
    api.put(NODES, {"metadata": {"name": "a"}})
    informer = Informer(client, NODES)
    informer.add_handler(seen.append)
    async with running(informer):
        api.put(NODES, {"metadata": {"name": "b"}})
        await eventually(lambda: len(seen) == 2)
    assert [(event.key, event.initial) for event in seen] == [("a", True), ("b", False)]


async def test_a_late_handler_is_told_what_is_there(api: FakeApiServer, client: Client) -> None:
    seen: list[StoreEvent] = []
    api.put(NODES, {"metadata": {"name": "a"}})
    informer = Informer(client, NODES)
    async with running(informer):
        informer.add_handler(seen.append)
        assert [(event.type, event.key, event.initial) for event in seen] == [("ADDED", "a", True)]


async def test_a_handler_that_raises_stops_nobody(api: FakeApiServer, client: Client, eventually: Eventually) -> None:
    seen: list[StoreEvent] = []

    def broken(_event: StoreEvent) -> None:
        raise RuntimeError("a bug")

    informer = Informer(client, NODES)
    informer.add_handler(broken)
    informer.add_handler(seen.append)
    async with running(informer):
        api.put(NODES, {"metadata": {"name": "a"}})
        await eventually(lambda: seen)
    assert informer.statistics().handler_failures == 1


async def test_not_synced_says_why(api: FakeApiServer, client: Client) -> None:
    api.play(*[faults.refusal(403, "Forbidden", "may not list nodes")] * 50_000)
    informer = Informer(client, NODES)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(informer.run())
        with pytest.raises(CacheNotSynced, match=r"nodes: not listed within 0.1 s.*may not list nodes"):
            await informer.wait_synced(0.1)
        task.cancel()
    assert not informer.synced
