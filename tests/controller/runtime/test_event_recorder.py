"""Events: written, counted in series, combined, limited, dropped when too many, never failing their caller."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import orjson
import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.core import EVENTS
from controller.runtime.election.fence import LeaseLost
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.manifest import Manifest
from controller.runtime.objects.metadata import ObjectMeta, PartialObject
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


class Midway(Random):
    """Every spread wait takes its middle, ten seconds."""

    def random(self) -> float:
        return 0.5


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def recorder(api: FakeApiServer, client: Client, clock: FakeClock) -> EventRecorder:
    api.serve(EVENTS)
    return EventRecorder(client, "aim.amd.com/operator", instance="host-1", clock=clock, capacity=3, rng=Midway())


@asynccontextmanager
async def running(recorder: EventRecorder) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(recorder.run())
        yield
        recorder.stop()


def stored(api: FakeApiServer) -> list[Manifest]:
    return list(api.objects(EVENTS).values())


def notes(api: FakeApiServer) -> set[str]:
    return {event["note"] for event in stored(api)}


def counts(api: FakeApiServer) -> list[int]:
    return [event.get("series", {}).get("count", 1) for event in stored(api)]


async def test_an_event_as_the_api_wants_it(api: FakeApiServer, recorder: EventRecorder) -> None:
    async with running(recorder):
        recorder.record(POD, "Warning", "DoesNotFit", "needs 300Gi", "Place")
    sent = orjson.loads(api.seen[0].body)
    assert api.seen[0].path == "/apis/events.k8s.io/v1/namespaces/ns/events"
    assert sent["metadata"]["namespace"] == "ns"
    assert sent["metadata"]["name"].startswith("p.")
    assert sent["eventTime"] == "2026-01-01T00:00:00.000000Z"
    assert "series" not in sent
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


async def test_a_struct_is_named_as_its_dict_would_be(api: FakeApiServer, recorder: EventRecorder) -> None:
    metadata = ObjectMeta(namespace="ns", name="p", uid="u", resource_version="5")
    struct = PartialObject(api_version="v1", kind="Pod", metadata=metadata)
    recorder.record(struct, "Normal", "R", "n", "A")
    recorder.record(POD, "Normal", "R", "n", "A")
    async with running(recorder):
        pass
    assert counts(api) == [2]


async def test_cluster_scope_goes_to_default(api: FakeApiServer, recorder: EventRecorder) -> None:
    async with running(recorder):
        recorder.record(NODE, "Normal", "R", "n", "A")
    assert api.seen[0].path == "/apis/events.k8s.io/v1/namespaces/default/events"


async def test_a_repetition_is_patched_into_the_series(
    api: FakeApiServer, recorder: EventRecorder, clock: FakeClock, eventually: Eventually
) -> None:
    async with running(recorder):
        recorder.record(POD, "Normal", "R", "same", "A")
        await eventually(lambda: recorder.statistics().written == 1)
        clock.tick(7)
        recorder.record(POD, "Normal", "R", "same", "A")
        await eventually(lambda: recorder.statistics().written == 2)
    (event,) = stored(api)
    assert event["series"] == {"count": 2, "lastObservedTime": "2026-01-01T00:00:07.000000Z"}
    assert event["eventTime"] == "2026-01-01T00:00:00.000000Z"
    assert api.seen[1].headers["Content-Type"] == "application/merge-patch+json"
    assert orjson.loads(api.seen[1].body) == {"series": event["series"]}


async def test_many_repetitions_are_few_writes_and_the_count_is_right_in_the_end(
    api: FakeApiServer, recorder: EventRecorder, clock: FakeClock, eventually: Eventually
) -> None:
    async with running(recorder):
        for _ in range(1000):  # one a second
            recorder.record(POD, "Normal", "R", "same", "A")
            await clock.advance(1)
            await eventually(lambda: recorder.statistics().queued == 0)
        assert len(api.seen) <= 2 + 1000 // 300
    assert counts(api) == [1000]
    assert recorder.statistics().repeated == 999


async def test_repetitions_before_the_first_write_make_one_request(api: FakeApiServer, recorder: EventRecorder) -> None:
    for _ in range(4):
        recorder.record(POD, "Normal", "R", "same", "A")
    async with running(recorder):
        pass
    assert counts(api) == [4]
    assert len(api.seen) == 1


async def test_many_notes_become_one_combined_event(client: Client, api: FakeApiServer) -> None:
    api.serve(EVENTS)
    recorder = EventRecorder(client, "c", clock=FakeClock())
    for number in range(100):
        recorder.record(POD, "Normal", "R", f"made pod-{number}", "A")
    async with running(recorder):
        pass
    assert sorted(counts(api)) == [1] * 10 + [90]
    assert "(combined from similar events): made pod-10" in notes(api)


async def test_an_object_that_asks_for_too_many_gets_no_more(client: Client, api: FakeApiServer) -> None:
    api.serve(EVENTS)
    recorder = EventRecorder(client, "c", clock=FakeClock())
    for number in range(40):
        recorder.record(POD, "Normal", f"R{number}", "n", "A")
    recorder.record(NODE, "Normal", "R", "n", "A")
    async with running(recorder):
        pass
    assert len(stored(api)) == 26
    assert recorder.statistics().limited == 15


async def test_an_event_that_expired_is_made_anew(
    api: FakeApiServer, recorder: EventRecorder, eventually: Eventually
) -> None:
    async with running(recorder):
        recorder.record(POD, "Normal", "R", "same", "A")
        await eventually(lambda: recorder.statistics().written == 1)
        api.remove(EVENTS, next(iter(api.objects(EVENTS))))
        recorder.record(POD, "Normal", "R", "same", "A")
        await eventually(lambda: recorder.statistics().written == 2)
    assert counts(api) == [2]


async def test_too_many_drop_the_oldest(api: FakeApiServer, recorder: EventRecorder) -> None:
    for number in range(5):
        recorder.record(POD, "Normal", "R", str(number), "A")
    assert recorder.statistics().dropped == 2
    async with running(recorder):
        pass
    assert notes(api) == {"2", "3", "4"}
    assert recorder.statistics().written == 3


async def test_what_was_dropped_is_told_with_its_next_occurrence(api: FakeApiServer, recorder: EventRecorder) -> None:
    for number in (0, 1, 2, 3, 0):
        recorder.record(POD, "Normal", "R", str(number), "A")
    async with running(recorder):
        pass
    assert {event["note"]: event.get("series", {}).get("count") for event in stored(api)} == {
        "2": None,
        "3": None,
        "0": 2,
    }


async def test_a_refused_write_is_counted_and_the_next_goes_on(
    api: FakeApiServer, recorder: EventRecorder, eventually: Eventually
) -> None:
    api.play(faults.refusal(403, "Forbidden", "namespace is being terminated"), on="POST")
    async with running(recorder):
        recorder.record(POD, "Normal", "R", "first", "A")
        await eventually(lambda: recorder.statistics().failed == 1)
        recorder.record(POD, "Normal", "R", "second", "A")
        recorder.record(POD, "Normal", "R", "first", "A")
        await eventually(lambda: recorder.statistics().written == 2)
    assert sorted(counts(api)) == [1, 1], "what was refused begins anew"


async def test_what_happens_while_it_is_written_is_counted(
    api: FakeApiServer, recorder: EventRecorder, eventually: Eventually
) -> None:
    api.latency = 0.05
    async with running(recorder):
        recorder.record(POD, "Normal", "R", "same", "A")
        await eventually(lambda: api.seen)
        recorder.record(POD, "Normal", "R", "same", "A")
        await eventually(lambda: recorder.statistics().written == 2)
    assert counts(api) == [2]


async def test_nobody_answers_for_a_minute_and_nothing_is_lost(
    api: FakeApiServer, recorder: EventRecorder, clock: FakeClock, eventually: Eventually
) -> None:
    await api.stop()
    async with running(recorder):
        for number in range(3):
            recorder.record(POD, "Normal", "R", str(number), "A")
        for _ in range(6):
            await eventually(lambda: clock.sleepers == 3)  # a writer each, and the fourth has nothing to do
            await clock.advance(10)
        await api.start()
        await clock.advance(10)
        await eventually(lambda: recorder.statistics().written == 3)
    assert notes(api) == {"0", "1", "2"}
    assert recorder.statistics().failed == 0


async def test_a_lost_answer_makes_no_second_event(
    api: FakeApiServer, recorder: EventRecorder, clock: FakeClock, eventually: Eventually
) -> None:
    api.play(faults.lost_answer(api), on="POST")
    async with running(recorder):
        recorder.record(POD, "Normal", "R", "once", "A")
        await eventually(lambda: clock.sleepers)
        await clock.advance(10)
        await eventually(lambda: recorder.statistics().written == 1)
    assert counts(api) == [1]
    assert [seen.method for seen in api.seen] == ["POST", "POST"]


async def test_it_gives_up_after_two_minutes(
    api: FakeApiServer, recorder: EventRecorder, clock: FakeClock, eventually: Eventually
) -> None:
    api.play(*[faults.cut()] * 40)
    async with running(recorder):
        recorder.record(POD, "Normal", "R", "n", "A")
        for tries in range(1, 13):
            await eventually(lambda: clock.sleepers == 1)
            assert api.count("POST") == tries
            await clock.advance(10)
        assert recorder.statistics().failed == 1
    assert api.count("POST") == 12


async def test_a_stop_without_a_server_takes_no_time(
    api: FakeApiServer, recorder: EventRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.runtime.event_recorder._FLUSH_SECONDS", 1000.0)
    await api.stop()
    async with asyncio.timeout(20), running(recorder):
        recorder.record(POD, "Normal", "R", "n", "A")
        await asyncio.sleep(0)
    assert recorder.statistics().written == 0
    assert recorder.statistics().queued == 1


async def test_a_nameless_object_fails_nobody(recorder: EventRecorder) -> None:
    recorder.record({"kind": "Pod"}, "Normal", "R", "n", "A")
    assert recorder.statistics().failed == 1


async def test_a_long_note_is_cut_between_characters(api: FakeApiServer, recorder: EventRecorder) -> None:
    async with running(recorder):
        recorder.record(POD, "Normal", "R", "ä" * 2000, "A")
    sent = orjson.loads(api.seen[0].body)["note"]
    assert len(sent.encode()) == 1024
    assert set(sent) == {"ä"}


class Lease:
    """A check that lets writes out until the lease is lost."""

    lost = False

    def __call__(self) -> None:
        if self.lost:
            raise LeaseLost("ns/lease", "me", "other", "not renewed")


async def failure(recorder: EventRecorder) -> BaseExceptionGroup[BaseException] | None:
    """What `run` raises; None when it returns."""
    try:
        await recorder.run()
    except BaseExceptionGroup as error:
        return error
    return None


def only_lost(error: BaseExceptionGroup[BaseException] | None) -> bool:
    """Whether a lost lease is what was raised, and nothing else."""
    return error is not None and error.split(LeaseLost)[1] is None


async def test_a_lost_lease_ends_it_and_nothing_more_is_written(
    client: Client, api: FakeApiServer, clock: FakeClock, eventually: Eventually
) -> None:
    api.serve(EVENTS)
    lease = Lease()
    recorder = EventRecorder(client.guarded(lease), "c", clock=clock)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        ended = tasks.create_task(failure(recorder))
        recorder.record(POD, "Normal", "R", "while leading", "A")
        await eventually(lambda: recorder.statistics().written == 1)
        lease.lost = True
        recorder.record(POD, "Normal", "R", "afterwards", "A")
    assert only_lost(ended.result())
    assert notes(api) == {"while leading"}
    assert recorder.statistics().failed == 0


async def test_a_lease_lost_before_the_stop_is_told_too(client: Client, api: FakeApiServer, clock: FakeClock) -> None:
    api.serve(EVENTS)
    lease = Lease()
    lease.lost = True
    recorder = EventRecorder(client.guarded(lease), "c", clock=clock)
    recorder.stop()
    recorder.record(POD, "Normal", "R", "left over", "A")
    assert only_lost(await failure(recorder))
    assert stored(api) == []


async def test_no_try_is_made_again_once_the_lease_is_lost(
    client: Client, api: FakeApiServer, clock: FakeClock, eventually: Eventually
) -> None:
    api.serve(EVENTS)
    api.play(faults.cut(), on="POST")
    lease = Lease()
    recorder = EventRecorder(client.guarded(lease), "c", clock=clock, rng=Midway())
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        ended = tasks.create_task(failure(recorder))
        recorder.record(POD, "Normal", "R", "n", "A")
        await eventually(lambda: clock.sleepers == 1)
        lease.lost = True
        await clock.advance(10)
    assert only_lost(ended.result())
    assert api.count("POST") == 1
