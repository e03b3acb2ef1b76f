"""Informers: projection, handlers, late handlers, sync."""

import asyncio
import gc
import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from msgspec.structs import replace

from controller.runtime.cache import collector
from controller.runtime.cache.changed import ObjectChanged
from controller.runtime.cache.informer import CacheNotSynced, Informer
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import NODES, PODS
from controller.runtime.manifest import Manifest
from controller.runtime.objects.node import Node, NodeSpec
from tests.controller.runtime.conftest import Eventually
from tests.fakes import faults
from tests.fakes.api_server import Answer, FakeApiServer, initial_events_end
from tests.fakes.clock import LoopClock, SkippingClock


class Quiet:
    """A client of an empty collection: its watches never end."""

    async def watch(self, *_: Any, **__: Any) -> AsyncGenerator[tuple[str, Manifest], None]:
        yield "BOOKMARK", initial_events_end(NODES, 100)
        await asyncio.Event().wait()


@asynccontextmanager
async def running(informer: Informer[Any]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(informer.run())
        await informer.wait_synced(30)
        yield
        task.cancel()


async def test_managed_fields_are_dropped_unless_projected(api: FakeApiServer, client: Client) -> None:
    api.put(NODES, {"metadata": {"name": "a", "managedFields": [{"manager": "x"}]}})
    plain = Informer(client, NODES)
    named = Informer(client, NODES, project=lambda obj: {"metadata": obj["metadata"], "short": True})
    async with running(plain), running(named):
        assert "managedFields" not in (plain.store.get("a") or {})["metadata"]
        assert (named.store.get("a") or {})["short"] is True


async def test_typed_objects_are_stored_and_told(api: FakeApiServer, client: Client, eventually: Eventually) -> None:
    told: list[StoreEvent[Node]] = []
    nodes = Informer(client, NODES, into=Node, indexes={"label": lambda node: node.metadata.labels})
    nodes.add_handler(told.append)
    api.put(NODES, {"metadata": {"name": "a", "labels": {"gpu": "yes"}}})
    async with running(nodes):
        api.remove(NODES, "a")
        await eventually(lambda: len(told) == 2)
    assert [(event.type, type(event.object), event.object.metadata.name) for event in told] == [
        (EventType.ADDED, Node, "a"),
        (EventType.DELETED, Node, "a"),
    ]


@pytest.mark.parametrize("streaming", [pytest.param(True, id="streaming"), pytest.param(False, id="paged")])
async def test_a_projection_of_structs(api: FakeApiServer, client: Client, streaming: bool) -> None:
    api.streaming_lists = streaming
    api.put(NODES, {"metadata": {"name": "a"}, "spec": {"providerID": "x", "unschedulable": True}})
    nodes = Informer(client, NODES, into=Node, project=lambda node: replace(node, spec=NodeSpec(unschedulable=True)))
    async with running(nodes):
        held = nodes.store.get("a")
    assert held is not None
    assert (held.metadata.name, held.spec) == ("a", NodeSpec(unschedulable=True))


async def test_a_namespace_and_selectors_reach_list_and_watch(
    api: FakeApiServer, client: Client, eventually: Eventually
) -> None:
    informer = Informer(client, PODS, namespace="n", label_selector="a=b", field_selector="c=d")
    api.streaming_lists = False
    async with running(informer):
        await eventually(lambda: api.count("watch") == 2)
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


async def test_a_checked_informer_ends_when_a_handler_changes_an_object(api: FakeApiServer, client: Client) -> None:
    api.put(NODES, {"metadata": {"name": "a"}})
    api.put(NODES, {"metadata": {"name": "b"}})
    informer = Informer(client, NODES, checked=True)
    informer.add_handler(lambda event: event.object["metadata"].update(labels={}))
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(ending(informer))
        await informer.wait_synced(30)
        api.put(NODES, {"metadata": {"name": "c"}})
        assert "changed by a reader: a, b;" in await task


async def ending(informer: Informer) -> str:
    """What a run ended with."""
    with pytest.raises(ObjectChanged) as caught:
        await informer.run()
    return str(caught.value)


async def test_a_resync_tells_handlers_what_they_know(
    api: FakeApiServer, client: Client, eventually: Eventually
) -> None:
    told: list[StoreEvent] = []
    api.put(NODES, {"metadata": {"name": "a"}})
    informer = Informer(client, NODES, resync_seconds=0.02)
    informer.add_handler(told.append)
    async with running(informer):
        await eventually(lambda: informer.statistics().resyncs >= 2)
    held = informer.store.get("a")
    assert told[1:3] == [StoreEvent(EventType.MODIFIED, "a", held, held, unchanged=True)] * 2
    assert (told[1].old is told[1].new, api.count("stream"), api.count("list")) == (True, 1, 0)


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("seconds", "earliest", "latest"),
    [
        pytest.param({}, 9 * 3600, 11 * 3600, id="every ten hours, a tenth more or less"),
        pytest.param({"resync_seconds": 100.0}, 90, 110, id="as often as asked for"),
        pytest.param({"resync_seconds": 0.0}, math.inf, math.inf, id="never"),
    ],
)
async def test_when_a_resync_comes(seconds: Any, earliest: float, latest: float) -> None:
    informer = Informer(cast("Client", Quiet()), NODES, **seconds)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(informer.run())
        await asyncio.sleep(min(earliest, 1e6) - 1)
        assert informer.statistics().resyncs == 0
        if latest < math.inf:
            await asyncio.sleep(latest - earliest + 2)
            assert informer.statistics().resyncs == 1
        task.cancel()


async def test_no_resync_after_the_end(api: FakeApiServer, client: Client) -> None:
    informer = Informer(client, NODES, resync_seconds=0.01)
    async with running(informer):
        pass
    before = informer.statistics().resyncs
    await asyncio.sleep(0.03)
    assert informer.statistics().resyncs == before


async def test_a_big_first_list_is_frozen(api: FakeApiServer, client: Client) -> None:
    for number in range(collector.BIG_LIST_OBJECTS):
        api.put(NODES, {"metadata": {"name": f"n{number}"}, "spec": {"taints": [{"key": "k"}]}})
    gc.unfreeze()
    try:
        async with running(Informer(client, NODES)):
            assert gc.get_freeze_count() > collector.BIG_LIST_OBJECTS
            assert gc.isenabled()
    finally:
        gc.unfreeze()


@pytest.mark.parametrize("fault", [faults.cut(), faults.html(502), faults.events(), faults.gone_in_stream()])
async def test_the_collector_is_on_after_a_failed_stream(
    api: FakeApiServer, client: Client, clock: SkippingClock, fault: Answer
) -> None:
    api.play(fault, on="stream")
    async with running(Informer(client, NODES, clock=clock)):
        assert gc.isenabled()


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("streaming", "fault"),
    [
        pytest.param(True, faults.silence(), id="a stream that does not begin"),
        pytest.param(True, faults.half_open(("ADDED", {"metadata": {"name": "a"}})), id="a stream that stops half way"),
        pytest.param(False, faults.silence(), id="a page that does not come"),
    ],
)
async def test_the_collector_is_on_while_a_server_is_silent(streaming: bool, fault: Answer) -> None:
    async with FakeApiServer() as api, Client(ClientConfiguration(server=api.url), clock=LoopClock()) as client:
        api.serve(NODES)
        api.play(*[fault] * 50)
        informer = Informer(client, NODES, streaming=streaming, clock=LoopClock())
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(informer.run())
            await asyncio.sleep(1.0)
            looks = []
            for _ in range(200):
                await asyncio.sleep(0.1)
                looks.append(gc.isenabled())
            task.cancel()
    assert (looks.count(False), len(api.seen) >= 1) == (0, True)


async def test_a_long_stream_is_not_walked_again_and_again(api: FakeApiServer, client: Client) -> None:
    for number in range(5000):
        api.put(NODES, {"metadata": {"name": f"n{number}"}, "spec": {"taints": [{"key": "k"}] * 10}})
    walks: list[str] = []
    nodes = Informer(client, NODES)
    gc.callbacks.append(lambda phase, _: walks.append(phase))
    try:
        async with running(nodes):
            assert len(nodes.store) == 5000
            assert walks.count("start") <= 10, "it would be a hundred"
    finally:
        gc.callbacks.pop()
        gc.unfreeze()


async def test_an_unchanged_relist_tells_handlers_nothing(
    api: FakeApiServer, client: Client, clock: SkippingClock, eventually: Eventually
) -> None:
    told: list[StoreEvent] = []
    api.put(NODES, {"metadata": {"name": "a"}})
    informer = Informer(client, NODES, clock=clock)
    informer.add_handler(told.append)
    async with running(informer):
        api.compact(NODES)
        await api.stop()
        await api.start()
        await eventually(lambda: informer.statistics().reflection.streams == 2)
    assert [event.type for event in told] == [EventType.ADDED]


async def test_not_synced_says_why(api: FakeApiServer, client: Client) -> None:
    api.play(*[faults.refusal(403, "Forbidden", "may not list nodes")] * 50_000)
    informer = Informer(client, NODES)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(informer.run())
        with pytest.raises(CacheNotSynced, match=r"nodes: not listed within 0.1 s.*may not list nodes"):
            await informer.wait_synced(0.1)
        task.cancel()
    assert not informer.synced


@pytest.mark.parametrize("streaming", [pytest.param(True, id="by stream"), pytest.param(False, id="by pages")])
async def test_a_refresh_brings_what_the_watch_has_not(api: FakeApiServer, client: Client, streaming: bool) -> None:
    api.put(NODES, {"metadata": {"name": "old"}})
    told: list[str] = []
    nodes = Informer(client, NODES, streaming=streaming)
    async with running(nodes):
        api.serve(NODES).history.clear()
        nodes.add_handler(lambda event: told.append(f"{event.type} {event.key}"))
        api.serve(NODES).objects["new"] = {**api.objects(NODES)["old"], "metadata": {"name": "new", "uid": "u"}}
        del api.serve(NODES).objects["old"]
        assert nodes.store.keys() == ["old"]
        await nodes.refresh(5)
        assert nodes.store.keys() == ["new"]
    assert told == ["ADDED old", "DELETED old", "ADDED new"]


async def test_after_a_refresh_the_watch_goes_on(api: FakeApiServer, client: Client, eventually: Eventually) -> None:
    nodes = Informer(client, NODES)
    async with running(nodes):
        await nodes.refresh(5)
        api.put(NODES, {"metadata": {"name": "later"}})
        await eventually(lambda: "later" in nodes.store)
        assert nodes.statistics().reflection.failures == 0


async def test_refreshes_asked_for_together_and_one_during_another_all_end(api: FakeApiServer, client: Client) -> None:
    nodes = Informer(client, NODES)
    async with running(nodes), asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(nodes.refresh(5))
        tasks.create_task(nodes.refresh(5))
        await asyncio.sleep(0)
        tasks.create_task(nodes.refresh(5))


@pytest.mark.looptime
async def test_a_refresh_without_an_answer_ends_in_time_and_says_so() -> None:
    nodes = Informer(cast("Client", Quiet()), NODES)
    with pytest.raises(CacheNotSynced, match=r"nodes: not read anew within 3 s"):
        await nodes.refresh(3)
