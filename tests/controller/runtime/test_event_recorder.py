"""Events: written, deduplicated, dropped when too many, never failing their caller."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.core import EVENTS
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.manifest import Manifest
from tests.controller.runtime.conftest import Eventually
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import FakeClock

POD: Manifest = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"namespace": "ns", "name": "p", "uid": "u", "resourceVersion": "5", "labels": {"a": "b"}},
}
NODE: Manifest = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "uid": "v"}}


@pytest.fixture
def recorder(api: FakeApiServer, client: Client) -> EventRecorder:
    api.serve(EVENTS)
    return EventRecorder(client, "aim.amd.com/operator", instance="host-1", clock=FakeClock(), capacity=3)


@asynccontextmanager
async def running(recorder: EventRecorder) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(recorder.run())
        yield
        recorder.stop()


def notes(api: FakeApiServer) -> set[str]:
    return {orjson.loads(seen.body)["note"] for seen in api.seen}


async def test_an_event_as_the_api_wants_it(api: FakeApiServer, recorder: EventRecorder) -> None:
    async with running(recorder):
        recorder.record(POD, "Warning", "DoesNotFit", "needs 300Gi", "Place")
    sent = orjson.loads(api.seen[0].body)
    assert api.seen[0].path == "/apis/events.k8s.io/v1/namespaces/ns/events"
    assert sent["metadata"] == {"generateName": "p-", "namespace": "ns"}
    assert sent["eventTime"] == "2026-01-01T00:00:00.000000Z"
    assert (sent["type"], sent["reason"], sent["action"], sent["note"]) == (
        "Warning",
        "DoesNotFit",
        "Place",
        "needs 300Gi",
    )
    assert (sent["reportingController"], sent["reportingInstance"]) == ("aim.amd.com/operator", "host-1")
    assert sent["regarding"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "ns",
        "name": "p",
        "uid": "u",
        "resourceVersion": "5",
    }


async def test_cluster_scope_goes_to_default(api: FakeApiServer, recorder: EventRecorder) -> None:
    async with running(recorder):
        recorder.record(NODE, "Normal", "R", "n", "A")
    assert api.seen[0].path == "/apis/events.k8s.io/v1/namespaces/default/events"


async def test_the_same_is_told_once_in_ten_minutes(client: Client, api: FakeApiServer) -> None:
    clock = FakeClock()
    recorder = EventRecorder(client, "c", clock=clock)
    for seconds in (0, 300, 299, 1):  # at 0, 300, 599 and 600 seconds
        clock.tick(seconds)
        recorder.record(POD, "Normal", "R", "same", "A")
    recorder.record(POD, "Normal", "R", "another", "A")
    recorder.record(NODE, "Normal", "R", "same", "A")
    found = recorder.statistics()
    assert (found.queued, found.repeated) == (4, 2)


async def test_too_many_drop_the_oldest(api: FakeApiServer, recorder: EventRecorder) -> None:
    for number in range(5):
        recorder.record(POD, "Normal", "R", str(number), "A")
    assert recorder.statistics().dropped == 2
    async with running(recorder):
        pass
    assert notes(api) == {"2", "3", "4"}
    assert recorder.statistics().written == 3


async def test_a_failed_write_is_counted_and_the_next_goes_on(
    api: FakeApiServer, recorder: EventRecorder, eventually: Eventually
) -> None:
    api.play(faults.refusal(403, "Forbidden", "namespace is being terminated"), on="POST")
    async with running(recorder):
        recorder.record(POD, "Normal", "R", "first", "A")
        await eventually(lambda: recorder.statistics().failed == 1)
        recorder.record(POD, "Normal", "R", "second", "A")
        await eventually(lambda: recorder.statistics().written == 1)


async def test_a_long_note_is_cut_between_characters(api: FakeApiServer, recorder: EventRecorder) -> None:
    async with running(recorder):
        recorder.record(POD, "Normal", "R", "ä" * 2000, "A")
    sent = orjson.loads(api.seen[0].body)["note"]
    assert len(sent.encode()) == 1024
    assert set(sent) == {"ä"}
