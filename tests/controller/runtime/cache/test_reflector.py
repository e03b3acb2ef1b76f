"""List and watch against a server that misbehaves, in virtual waits: the copy ends up right each time."""

import asyncio
import gc
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from aiohttp import web

from controller.runtime.cache import reflector
from controller.runtime.cache.informer import Informer
from controller.runtime.cache.messages import Failure
from controller.runtime.cache.reflector import StreamStalled, failure_of
from controller.runtime.cache.store import StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.core import NODES, PODS
from controller.runtime.client.errors import (
    ApiError,
    BadRequest,
    Cause,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Timeout,
    TooManyRequests,
    Unavailable,
)
from controller.runtime.manifest import Manifest
from controller.runtime.objects.node import Node
from tests.controller.runtime.conftest import Eventually
from tests.fakes import faults
from tests.fakes.api_server import Answer, FakeApiServer, initial_events_end
from tests.fakes.clock import SkippingClock


def node(name: str, **spec: object) -> Manifest:
    return {"metadata": {"name": name}, "spec": spec}


@pytest.fixture(params=["streaming lists", "paged lists"])
async def nodes(
    request: pytest.FixtureRequest, api: FakeApiServer, client: Client, clock: SkippingClock
) -> AsyncIterator[Informer]:
    """An informer that runs; once it can stream lists, once the server does not."""
    api.streaming_lists = request.param == "streaming lists"
    informer = Informer(client, NODES, clock=clock, rng=Random(1))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(informer.run())
        yield informer
        running.cancel()


def held(informer: Informer) -> set[str]:
    return set(informer.store.keys())


async def test_list_then_watch(
    api: FakeApiServer, nodes: Informer, clock: SkippingClock, eventually: Eventually
) -> None:
    api.put(NODES, node("a"))
    await eventually(lambda: held(nodes) == {"a"})
    api.put(NODES, node("b"))
    await eventually(lambda: held(nodes) == {"a", "b"})
    api.remove(NODES, "a")
    await eventually(lambda: held(nodes) == {"b"})
    assert (api.count("stream"), api.count("list")) == ((1, 0) if api.streaming_lists else (1, 1))
    assert clock.slept == [], "a server without streaming lists is no reason to wait"


async def test_a_streaming_list_asks_for_the_latest_state(api: FakeApiServer, client: Client) -> None:
    informer = Informer(client, NODES, label_selector="a=b")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(informer.run())
        await informer.wait_synced(30)
        running.cancel()
    query = api.seen[0].query
    assert 300 <= int(query.pop("timeoutSeconds")) <= 600
    assert query == {
        "watch": "true",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
        "labelSelector": "a=b",
    }


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.events(), id="an empty answer"),
        pytest.param(faults.html(502), id="an HTML 502"),
        pytest.param(faults.lines(b"<html>oops</html>\n"), id="HTML with status 200"),
        pytest.param(faults.refusal(410, "Expired"), id="an HTTP 410"),
        pytest.param(faults.gone_in_stream(), id="a 410 in the stream"),
        pytest.param(faults.refusal(429, "TooManyRequests", headers={"Retry-After": "1"}), id="a 429"),
        pytest.param(faults.refusal(403, "Forbidden"), id="a 403"),
        pytest.param(faults.refusal(500, "InternalError"), id="a 500"),
        pytest.param(faults.events(("SURPRISE", {})), id="an event of an unknown type"),
        pytest.param(faults.lines(b'{"type":"ADDED","object":{"meta'), id="a line that is cut off"),
        pytest.param(faults.cut(), id="a broken connection"),
        pytest.param(faults.events(("BOOKMARK", {"metadata": {}})), id="a bookmark without a version"),
    ],
)
async def test_a_fault_of_the_watch_heals(
    api: FakeApiServer, nodes: Informer, clock: SkippingClock, eventually: Eventually, fault: Answer
) -> None:
    api.play(fault, fault, fault, on="watch")
    api.put(NODES, node("a"))
    await eventually(lambda: api.count("watch") >= 4)
    api.put(NODES, node("b"))
    await eventually(lambda: held(nodes) == {"a", "b"})
    assert clock.slept, "a fault must never become a busy loop"
    assert api.count("watch") < 10


async def test_a_410_lists_from_the_quorum(
    api: FakeApiServer, client: Client, clock: SkippingClock, eventually: Eventually
) -> None:
    informer = Informer(client, NODES, streaming=False, clock=clock)
    api.play(faults.refusal(410, "Expired"), on="watch")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(informer.run())
        await eventually(lambda: api.count("list") == 2)
        running.cancel()
    queries = [seen.query for seen in api.seen if seen.occasion == "list"]
    assert queries == [{"resourceVersion": "0", "resourceVersionMatch": "NotOlderThan"}, {"limit": "500"}]
    assert api.count("stream") == 0


async def test_a_410_streams_from_the_quorum(
    api: FakeApiServer, client: Client, clock: SkippingClock, eventually: Eventually
) -> None:
    informer = Informer(client, NODES, clock=clock)
    listed = faults.events(("BOOKMARK", initial_events_end(NODES, 100)))
    api.play(listed, faults.refusal(410, "Expired"), faults.refusal(503, "Unavailable"), on="watch")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(informer.run())
        await eventually(lambda: api.count("stream") == 3)
        running.cancel()
    assert [seen.query.get("resourceVersion") for seen in api.seen] == [None, "100", None, None]


@pytest.mark.parametrize(("code", "reason"), [(429, "TooManyRequests"), (503, "ServiceUnavailable")])
async def test_a_stream_that_is_refused_for_now_is_tried_again_when_asked_to(
    code: int, reason: str, api: FakeApiServer, client: Client, clock: SkippingClock
) -> None:
    api.play(faults.refusal(code, reason, headers={"Retry-After": "17"}), on="stream")
    informer = Informer(client, NODES, clock=clock)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(informer.run())
        await informer.wait_synced(30)
        running.cancel()
    assert (api.count("stream"), api.count("list"), clock.slept) == (2, 0, [17.0])


async def test_a_restored_server_that_is_silent_until_it_gets_there(
    api: FakeApiServer, client: Client, clock: SkippingClock, eventually: Eventually
) -> None:
    api.rewind(500)
    api.put(NODES, node("lost"))
    informer = Informer(client, NODES, clock=clock)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(informer.run())
        await eventually(lambda: held(informer) == {"lost"})
        await api.stop()
        api.rewind(200)
        api.objects(NODES).clear()
        api.put(NODES, node("kept"))
        api.play(silent(clock, 45.0), on="watch")
        too_large = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}
        api.play(faults.refusal(504, "Timeout", details=too_large), on="list")
        await api.start()
        await eventually(lambda: held(informer) == {"kept"})
        running.cancel()
    asked = [(seen.occasion, seen.query.get("resourceVersion"), seen.query.get("limit")) for seen in api.seen]
    assert asked[:3] == [("watch", None, None), ("watch", "501", None), ("list", "501", "1")]
    assert asked[-1] == ("watch", None, None)


def silent(clock: SkippingClock, seconds: float) -> Answer:
    """A watch that lasts so long, brings nothing and ends in order."""

    async def answer(request: web.Request) -> web.StreamResponse:
        clock.tick(seconds)
        return await faults.events()(request)

    return answer


async def test_initial_events_of_a_stream_that_never_ends_are_given_up(
    api: FakeApiServer, client: Client, clock: SkippingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflector, "INITIAL_EVENTS_SECONDS", 0.05)
    stored = api.put(NODES, node("a"))
    api.play(faults.half_open(("ADDED", stored)), on="stream")
    informer = Informer(client, NODES, clock=clock)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(informer.run())
        await informer.wait_synced(30)
        running.cancel()
    assert (api.count("stream"), api.count("list"), held(informer)) == (1, 1, {"a"})
    assert gc.isenabled()


async def test_a_relist_emits_the_delete_that_was_missed(
    api: FakeApiServer, nodes: Informer, eventually: Eventually
) -> None:
    seen: list[tuple[str, str]] = []
    nodes.add_handler(lambda event: seen.append((event.type, event.key)))
    api.put(NODES, node("a"))
    await eventually(lambda: held(nodes) == {"a"})
    del api.objects(NODES)["a"]
    api.compact(NODES)
    await api.stop()
    await api.start()
    await eventually(lambda: ("DELETED", "a") in seen)
    assert held(nodes) == set()


async def test_refused_connections_then_back(
    api: FakeApiServer, nodes: Informer, clock: SkippingClock, eventually: Eventually
) -> None:
    api.put(NODES, node("a"))
    await eventually(lambda: held(nodes) == {"a"})
    await api.stop()
    await eventually(lambda: sum(clock.slept) > 30.0)
    api.put(NODES, node("b"))
    await api.start()
    await eventually(lambda: held(nodes) == {"a", "b"})
    lists = (api.count("stream"), api.count("list"))
    assert lists == ((1, 0) if api.streaming_lists else (1, 1)), "the version is as good as before"


async def test_since_when_it_fails_is_known_until_it_is_listed_anew(
    api: FakeApiServer, nodes: Informer, clock: SkippingClock, eventually: Eventually
) -> None:
    api.put(NODES, node("a"))
    await eventually(lambda: held(nodes) == {"a"})
    assert nodes.failing_since is None
    await api.stop()
    await eventually(lambda: nodes.failing_since is not None)
    since = nodes.failing_since
    await eventually(lambda: sum(clock.slept) > 30.0)
    assert nodes.failing_since == since, "the first of several failures counts"
    await api.start()
    await nodes.refresh(30)
    assert nodes.failing_since is None


async def test_an_event_tells_too_that_it_fails_no_more(
    api: FakeApiServer, nodes: Informer, eventually: Eventually
) -> None:
    api.put(NODES, node("a"))
    await eventually(lambda: held(nodes) == {"a"})
    await api.stop()
    await eventually(lambda: nodes.failing_since is not None)
    api.put(NODES, node("b"))
    await api.start()
    await eventually(lambda: held(nodes) == {"a", "b"})
    assert nodes.failing_since is None


async def test_a_restored_etcd_with_lower_versions(api: FakeApiServer, nodes: Informer, eventually: Eventually) -> None:
    api.rewind(500)
    api.put(NODES, node("a"))
    await eventually(lambda: nodes.statistics().reflection.resource_version == "501")
    await api.stop()
    api.rewind(200)
    api.serve(NODES).history.clear()
    api.put(NODES, node("a", restored=True))
    await api.start()
    await eventually(lambda: (nodes.store.get("a") or {})["spec"] == {"restored": True})
    api.put(NODES, node("b"))
    await eventually(lambda: held(nodes) == {"a", "b"})


async def test_an_oversize_object(api: FakeApiServer, nodes: Informer, eventually: Eventually) -> None:
    await eventually(lambda: nodes.synced)
    api.put(NODES, node("a", note="x" * 5_000_000))
    await eventually(lambda: held(nodes) == {"a"})


async def test_duplicate_events_are_told_once(api: FakeApiServer, client: Client, clock: SkippingClock) -> None:
    seen: list[StoreEvent] = []
    stored = api.put(NODES, node("a"))
    api.play(faults.events(("ADDED", stored), ("MODIFIED", stored)), on="watch")
    informer = Informer(client, NODES, clock=clock)
    informer.add_handler(seen.append)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(informer.run())
        async with asyncio.timeout(30):
            while api.count("watch") < 2:  # noqa: ASYNC110 - the server's count is no event
                await asyncio.sleep(0.002)
        running.cancel()
    assert [(event.type, event.initial) for event in seen] == [("ADDED", True)]


async def test_a_list_that_is_none_is_tried_again(api: FakeApiServer, nodes: Informer, eventually: Eventually) -> None:
    api.play(faults.lines(b'{"kind":"Something"}'), faults.lines(b"<html>"), on="list")
    api.put(NODES, node("a"))
    await eventually(lambda: held(nodes) == {"a"})


@pytest.mark.parametrize("kind", ["ADDED", "DELETED"])
@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param({}, id="no metadata"),
        pytest.param({"metadata": None}, id="metadata that is null"),
        pytest.param({"metadata": "a"}, id="metadata that is a text"),
        pytest.param({"metadata": {"resourceVersion": "7"}}, id="no name"),
        pytest.param({"metadata": {"name": 7}}, id="a name that is a number"),
        pytest.param({"metadata": {"name": "a", "namespace": ["n"]}}, id="a namespace that is a list"),
    ],
)
@pytest.mark.parametrize("into", [dict, Node])
async def test_an_event_of_what_is_no_object_is_followed_by_a_list(
    api: FakeApiServer, client: Client, clock: SkippingClock, eventually: Eventually, garbage: Any, kind: str, into: Any
) -> None:
    informer: Informer[Any] = Informer(client, NODES, into=into, clock=clock)
    listed = faults.events(("BOOKMARK", initial_events_end(NODES, 100)), (kind, garbage))
    api.play(faults.events((kind, garbage)), listed, on="stream")
    api.put(NODES, node("b"))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(informer.run())
        await eventually(lambda: held(informer) == {"b"})
        running.cancel()
    assert (len(clock.slept) >= 1, informer.statistics().reflection.failures >= 1) == (True, True)


@pytest.mark.parametrize("into", [dict, Node])
async def test_a_list_with_what_is_no_object_is_listed_again(
    api: FakeApiServer, client: Client, clock: SkippingClock, into: Any
) -> None:
    api.put(NODES, node("b"))
    api.play(*[page_of(b"{}"), page_of(b'{"metadata":{}}'), page_of(b'{"metadata":{"name":""}}')], on="list")
    informer: Informer[Any] = Informer(client, NODES, into=into, streaming=False, clock=clock)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(informer.run())
        await informer.wait_synced(30)
        running.cancel()
    assert (held(informer), api.count("list"), len(clock.slept)) == ({"b"}, 4, 3)


def page_of(item: bytes) -> Answer:
    """A list of that one item."""
    return faults.lines(b'{"kind":"NodeList","metadata":{"resourceVersion":"5"},"items":[' + item + b"]}")


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param(None, id="null"),
        pytest.param("7", id="a text"),
        pytest.param({"resourceVersion": 7}, id="a version that is a number"),
        pytest.param({"resourceVersion": "7", "annotations": "x"}, id="annotations that are a text"),
    ],
)
async def test_a_bookmark_whose_metadata_is_garbage(
    api: FakeApiServer, client: Client, clock: SkippingClock, eventually: Eventually, metadata: Any
) -> None:
    api.play(faults.events(("BOOKMARK", {"metadata": metadata})), on="stream")
    informer = Informer(client, NODES, clock=clock)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(informer.run())
        await informer.wait_synced(30)
        running.cancel()
    assert informer.statistics().reflection.failures == 1


async def test_what_the_sink_raises_ends_the_run(client: Client, api: FakeApiServer) -> None:
    api.put(PODS, {"metadata": {"namespace": "n", "name": "p"}})

    def refuse(_obj: Manifest) -> Manifest:
        raise RuntimeError("a bug in a projection")

    with pytest.raises(RuntimeError, match="a bug in a projection"):
        await Informer(client, PODS, project=refuse).run()


@pytest.mark.parametrize(
    ("error", "want"),
    [
        pytest.param(Gone(410, "Expired", ""), Failure.EXPIRED, id="410"),
        pytest.param(
            Timeout(504, "Timeout", "", (Cause("", "ResourceVersionTooLarge", ""),)),
            Failure.EXPIRED,
            id="a version in the server's future",
        ),
        pytest.param(Timeout(0, "ClientTimeout", ""), Failure.UNREACHABLE, id="timeout"),
        pytest.param(Unavailable(503, "", ""), Failure.UNREACHABLE, id="503"),
        pytest.param(TooManyRequests(429, "", ""), Failure.UNREACHABLE, id="429"),
        pytest.param(BadRequest(400, "", ""), Failure.UNSUPPORTED, id="400, as servers without streaming lists say"),
        pytest.param(Invalid(422, "", ""), Failure.UNSUPPORTED, id="422, the same"),
        pytest.param(StreamStalled(0, "", ""), Failure.STALLED, id="a stream that does not come to its end"),
        pytest.param(Forbidden(403, "", ""), Failure.OTHER, id="403"),
        pytest.param(NotFound(404, "", ""), Failure.OTHER, id="404, a kind that is not installed yet"),
        pytest.param(ApiError(500, "", ""), Failure.OTHER, id="500"),
    ],
)
def test_how_failures_are_taken(error: ApiError, want: Failure) -> None:
    assert failure_of(error) is want
