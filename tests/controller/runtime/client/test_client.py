"""Verbs, paging, watching, retries and faults, over real sockets against the fake API server."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from controller.runtime.client import reader
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration, ExecPlugin, Impersonation
from controller.runtime.client.core import NODES, PODS
from controller.runtime.client.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    Timeout,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from controller.runtime.manifest import Manifest
from controller.runtime.objects.metadata import PartialObject
from controller.runtime.objects.pod import Pod
from tests.fakes import faults
from tests.fakes.api_server import Answer, FakeApiServer
from tests.fakes.clock import SkippingClock

EXEC = "client.authentication.k8s.io/v1"


def remove(path: Path) -> None:
    path.unlink()


def pod(name: str, **spec: object) -> Manifest:
    return {"metadata": {"namespace": "default", "name": name}, "spec": spec}


async def test_create_get_replace_delete(client: Client, api: FakeApiServer) -> None:
    made = await client.create(PODS, pod("a", x=1))
    assert (made["kind"], made["apiVersion"]) == ("Pod", "v1")
    changed = await client.replace(PODS, {**made, "spec": {"x": 2}})
    assert await client.get(PODS, "a", "default") == changed
    await client.delete(PODS, "a", "default", uid="u", grace_period_seconds=0)
    assert orjson.loads(api.seen[-1].body)["preconditions"] == {"uid": "u"}
    with pytest.raises(NotFound):
        await client.get(PODS, "a", "default")


async def test_a_stale_replace_is_a_conflict_and_a_taken_name_is_not(client: Client) -> None:
    made = await client.create(PODS, pod("a"))
    await client.replace(PODS, made | {"spec": {"x": 2}})
    with pytest.raises(Conflict):
        await client.replace(PODS, made)
    with pytest.raises(AlreadyExists):
        await client.create(PODS, pod("a"))


async def test_create_in_a_given_namespace_as_a_dry_run(client: Client, api: FakeApiServer) -> None:
    await client.create(PODS, {"metadata": {"name": "a"}}, "other", dry_run=True)
    assert (api.seen[-1].path, api.seen[-1].query) == ("/api/v1/namespaces/other/pods", {"dryRun": "All"})


async def test_a_delete_with_preconditions_is_a_dry_run_by_its_body(client: Client, api: FakeApiServer) -> None:
    """An API server that is sent a body looks at no parameter."""
    api.put(PODS, pod("a"))
    await client.delete(PODS, "a", "default", uid="u", dry_run=True)
    sent = orjson.loads(api.seen[-1].body)
    assert (sent["dryRun"], sent["preconditions"]) == (["All"], {"uid": "u"})


Write = Callable[[Client], Awaitable[object]]


async def nothing(_: web.Request) -> web.StreamResponse:
    """An empty object, whatever was asked."""
    return web.json_response({})


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda c: c.create(PODS, pod("b"), dry_run=True), id="create"),
        pytest.param(lambda c: c.replace(PODS, pod("a"), dry_run=True), id="replace"),
        pytest.param(lambda c: c.delete(PODS, "a", "default", dry_run=True), id="delete"),
        pytest.param(lambda c: c.evict("a", "default", dry_run=True), id="evict"),
        pytest.param(lambda c: c.merge_patch(PODS, "a", {}, "default", dry_run=True), id="merge patch"),
        pytest.param(lambda c: c.json_patch(PODS, "a", [], "default", dry_run=True), id="JSON patch"),
        pytest.param(lambda c: c.apply(PODS, pod("a"), field_manager="us", dry_run=True), id="apply"),
    ],
)
async def test_every_write_can_be_a_dry_run(client: Client, api: FakeApiServer, write: Write) -> None:
    api.put(PODS, pod("a"))
    api.play(nothing, on="any")
    await write(client)
    assert api.seen[-1].query["dryRun"] == "All"


async def test_create_of_a_subresource(client: Client, api: FakeApiServer) -> None:
    await client.create(PODS, {"kind": "Binding"}, "default", name="a", subresource="binding")
    assert (api.seen[-1].path, api.seen[-1].body) == (f"{PODS.path('default', 'a')}/binding", b'{"kind":"Binding"}')


async def test_create_without_any_namespace_names_the_object(client: Client) -> None:
    with pytest.raises(ValueError, match=r"'a'.*give one"):
        await client.create(PODS, {"metadata": {"name": "a"}})


async def test_each_patch_has_its_content_type(client: Client, api: FakeApiServer) -> None:
    api.put(PODS, pod("a"))
    await client.merge_patch(PODS, "a", {"spec": {"x": 3}}, "default", subresource="status")
    api.play(faults.refusal(422, "Invalid"), on="PATCH")
    with pytest.raises(Exception, match="422"):
        await client.json_patch(PODS, "a", [{"op": "test", "path": "/x", "value": 1}], "default")
    await client.apply(PODS, pod("a", x=4), field_manager="us")
    kinds = [seen.headers["Content-Type"] for seen in api.seen]
    assert kinds == [
        "application/merge-patch+json",
        "application/json-patch+json",
        "application/apply-patch+yaml",
    ]
    assert api.seen[0].path.endswith("/pods/a/status")
    assert api.seen[-1].query == {"fieldManager": "us", "force": "true"}


async def test_a_body_of_megabytes(client: Client, api: FakeApiServer) -> None:
    await client.create(PODS, pod("a", x="y" * 900_000, z="y" * 900_000))
    assert api.seen[-1].headers["Content-Length"] == str(len(api.seen[-1].body))
    assert len(api.objects(PODS)["default/a"]["spec"]["z"]) == 900_000


async def test_evict_asks_for_the_uid(client: Client, api: FakeApiServer) -> None:
    await client.evict("a", "default", uid="u")
    sent = orjson.loads(api.seen[-1].body)
    assert api.seen[-1].path == "/api/v1/namespaces/default/pods/a/eviction"
    assert (sent["kind"], sent["deleteOptions"]) == ("Eviction", {"preconditions": {"uid": "u"}})


async def test_list_pages_through_and_completes_the_items(client: Client, api: FakeApiServer) -> None:
    for number in range(5):
        api.put(NODES, {"metadata": {"name": f"n{number}"}})
    found = await client.list(NODES, limit=2)
    assert [item["metadata"]["name"] for item in found.items] == [f"n{number}" for number in range(5)]
    assert (found.items[0]["kind"], found.items[0]["apiVersion"]) == ("Node", "v1")
    assert api.count("list") == 3


async def test_list_starts_again_when_the_pages_expire(client: Client, api: FakeApiServer) -> None:
    api.put(NODES, {"metadata": {"name": "n"}})
    api.play(faults.refusal(410, "Expired"), on="list")
    assert len((await client.list(NODES)).items) == 1


async def test_list_gives_up_when_they_expire_again(client: Client, api: FakeApiServer) -> None:
    api.play(faults.refusal(410, "Expired"), faults.refusal(410, "Expired"), on="list")
    with pytest.raises(Gone):
        await client.list(NODES)


async def test_selectors_and_version_are_sent(client: Client, api: FakeApiServer) -> None:
    await client.list(PODS, "default", label_selector="a in (b,c)", field_selector="x=y", resource_version="0")
    assert api.seen[-1].query == {
        "labelSelector": "a in (b,c)",
        "fieldSelector": "x=y",
        "limit": "500",
        "resourceVersion": "0",
        "resourceVersionMatch": "NotOlderThan",
    }


async def test_watch_brings_events_until_the_server_ends_it(client: Client, api: FakeApiServer) -> None:
    api.play(faults.events(("ADDED", pod("a")), ("BOOKMARK", {"metadata": {"resourceVersion": "9"}})), on="watch")
    seen = [kind async for kind, _ in client.watch(PODS, resource_version="1", timeout_seconds=30)]
    assert seen == ["ADDED", "BOOKMARK"]
    assert api.seen[-1].query["allowWatchBookmarks"] == "true"


@pytest.mark.parametrize("version", [None, "5"])
async def test_a_watch_that_begins_with_what_is_there(client: Client, api: FakeApiServer, version: str | None) -> None:
    api.play(faults.events(), on="watch")
    async for _ in client.watch(PODS, resource_version=version, initial_events=True, timeout_seconds=7):
        pass
    assert api.seen[-1].query == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "timeoutSeconds": "7",
        **({"resourceVersion": version} if version else {}),
    }


async def test_reads_give_structs_when_asked(client: Client, api: FakeApiServer) -> None:
    api.put(PODS, pod("a", nodeName="n"))
    assert (await client.get(PODS, "a", "default", into=Pod)).spec.node_name == "n"
    assert [found.kind for found in (await client.list(PODS, into=Pod)).items] == ["Pod"]
    bookmark = {"metadata": {"resourceVersion": "9"}, "spec": {"containers": None}}
    api.play(faults.events(("ADDED", pod("a")), ("BOOKMARK", bookmark)), on="watch")
    seen = [type(obj) async for _, obj in client.watch(PODS, resource_version="1", into=Pod)]
    assert seen == [Pod, PartialObject]


async def test_watch_takes_a_line_over_four_megabytes(client: Client, api: FakeApiServer) -> None:
    api.play(faults.events(("ADDED", pod("a", x="y" * 5_000_000))), on="watch")
    found = [obj async for _, obj in client.watch(PODS, resource_version="1")]
    assert [len(obj["spec"]["x"]) for obj in found if isinstance(obj, dict)] == [5_000_000]


@pytest.mark.parametrize(
    ("fault", "want"),
    [
        pytest.param(faults.gone_in_stream(), Gone, id="a 410 in the stream"),
        pytest.param(faults.refusal(410, "Expired"), Gone, id="a 410 as the answer"),
        pytest.param(faults.html(502), Unavailable, id="a proxy's page"),
        pytest.param(faults.lines(b"<html>\n"), Unavailable, id="a page with status 200"),
        pytest.param(faults.lines(b'{"type":"ADDED"}\n'), Unavailable, id="an event without its object"),
        pytest.param(faults.cut(), Unavailable, id="a connection that breaks"),
        pytest.param(faults.refusal(403, "Forbidden"), Forbidden, id="not allowed"),
    ],
)
async def test_watch_faults_are_typed(client: Client, api: FakeApiServer, fault: Answer, want: type[Exception]) -> None:
    api.play(fault, fault, on="watch")  # twice: aiohttp itself repeats a GET whose connection breaks
    with pytest.raises(want):
        async for _ in client.watch(PODS, resource_version="1"):
            pass


async def test_a_watch_on_a_silent_connection_ends(
    client: Client, api: FakeApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_IDLE_GUARD_SECONDS", 0.1)
    api.play(faults.silence(), on="watch")
    with pytest.raises(Timeout):
        async for _ in client.watch(PODS, resource_version="1", timeout_seconds=0):
            pass


async def test_a_stream_that_falls_silent_ends(
    client: Client, api: FakeApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_IDLE_GUARD_SECONDS", 0.2)
    api.play(faults.half_open(("ADDED", pod("a"))), on="watch")
    events = client.watch(PODS, resource_version="1", timeout_seconds=0)
    assert (await anext(events))[0] == "ADDED"
    with pytest.raises(Timeout):
        await anext(events)


async def test_watches_never_starve_requests(api: FakeApiServer) -> None:
    async with Client(ClientConfiguration(server=api.url), max_connections=1) as small, asyncio.TaskGroup() as tasks:

        async def follow() -> None:
            async with aclosing(small.watch(PODS, resource_version="100", timeout_seconds=60)) as events:
                async for _ in events:
                    return

        for _ in range(20):
            tasks.create_task(follow())
        async with asyncio.timeout(30):
            while api.count("watch") < 20:
                await small.list(NODES)
            await small.list(NODES)
        api.put(PODS, pod("a"))


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.html(502), id="a proxy's page"),
        pytest.param(faults.cut(), id="a broken connection"),
        pytest.param(faults.refusal(503, "ServiceUnavailable"), id="unavailable"),
        pytest.param(faults.refusal(504, "Timeout"), id="a server that timed out"),
        pytest.param(faults.refusal(429, "TooManyRequests", headers={"Retry-After": "1"}), id="slow down"),
    ],
)
async def test_reads_are_repeated(client: Client, api: FakeApiServer, fault: Answer) -> None:
    api.put(NODES, {"metadata": {"name": "n"}})
    api.play(fault, on="GET")
    assert (await client.get(NODES, "n"))["metadata"]["name"] == "n"
    assert api.count("GET") == 2


async def test_reads_are_repeated_four_times_in_all(client: Client, api: FakeApiServer) -> None:
    api.play(*[faults.html(502)] * 9, on="GET")
    with pytest.raises(Unavailable):
        await client.get(NODES, "n")
    assert api.count("GET") == 4


async def test_writes_are_not_repeated_when_the_outcome_is_unknown(client: Client, api: FakeApiServer) -> None:
    api.play(faults.cut(), on="POST")
    with pytest.raises(Unavailable):
        await client.create(PODS, pod("a"))
    assert api.count("POST") == 1


async def test_a_read_waits_as_long_as_a_503_asks(client: Client, api: FakeApiServer, clock: SkippingClock) -> None:
    api.put(NODES, {"metadata": {"name": "n"}})
    api.play(faults.refusal(503, "ServiceUnavailable", headers={"Retry-After": "3"}), on="GET")
    await client.get(NODES, "n")
    assert api.count("GET") == 2
    assert 3.0 <= clock.slept[0] <= 3.5


async def test_a_503_that_asks_for_a_long_wait_is_the_callers(client: Client, api: FakeApiServer) -> None:
    api.play(faults.refusal(503, "ServiceUnavailable", headers={"Retry-After": "11"}), on="GET")
    with pytest.raises(Unavailable) as caught:
        await client.get(NODES, "n")
    assert (caught.value.retry_after, api.count("GET")) == (11.0, 1)


UNANSWERED: list[Any] = [
    pytest.param("POST", lambda client: client.create(NODES, {"metadata": {"name": "b"}}), id="POST"),
    pytest.param("PUT", lambda client: client.replace(NODES, {"metadata": {"name": "n"}}), id="PUT"),
    pytest.param("PATCH", lambda client: client.merge_patch(NODES, "n", {"spec": {"x": 1}}), id="PATCH"),
    pytest.param("DELETE", lambda client: client.delete(NODES, "n"), id="DELETE"),
]


@pytest.mark.parametrize(("method", "write"), UNANSWERED)
async def test_a_write_whose_answer_was_lost_on_a_kept_connection_is_sent_once(
    client: Client, api: FakeApiServer, method: Any, write: Callable[[Client], Awaitable[object]]
) -> None:
    api.put(NODES, {"metadata": {"name": "n"}})
    await client.get(NODES, "n")
    api.play(faults.lost_answer(api), on=method)
    with pytest.raises(Unavailable, match=rf"{method} .*ServerDisconnectedError"):
        await write(client)
    assert api.count(method) == 1


async def test_a_delete_without_an_answer_spares_the_object_made_anew(client: Client, api: FakeApiServer) -> None:
    async def lose(request: web.Request) -> web.StreamResponse:
        answer = await faults.lost_answer(api)(request)
        api.put(NODES, {"metadata": {"name": "n"}})
        return answer

    api.put(NODES, {"metadata": {"name": "n"}})
    await client.get(NODES, "n")
    api.play(lose, on="DELETE")
    with pytest.raises(Unavailable):
        await client.delete(NODES, "n")
    assert "n" in api.objects(NODES)


async def test_a_read_on_a_kept_connection_that_closed_is_sent_again_at_once(
    client: Client, api: FakeApiServer, clock: SkippingClock
) -> None:
    api.put(NODES, {"metadata": {"name": "n"}})
    await client.get(NODES, "n")
    api.play(faults.cut(), on="GET")
    await client.get(NODES, "n")
    assert (api.count("GET"), clock.slept) == (3, [])


async def test_writes_are_repeated_after_a_429_and_its_wait(
    client: Client, api: FakeApiServer, clock: SkippingClock
) -> None:
    api.play(faults.refusal(429, "TooManyRequests", headers={"Retry-After": "2"}), on="POST")
    await client.create(PODS, pod("a"))
    assert api.count("POST") == 2
    assert 2.0 <= clock.slept[0] <= 2.5


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"headers": {"Retry-After": "60"}}, id="a wait that is too long"),
        pytest.param({"details": {"causes": [{"reason": "DisruptionBudget"}]}}, id="a disruption budget"),
    ],
)
async def test_some_429_are_the_callers(client: Client, api: FakeApiServer, more: dict[str, Any]) -> None:
    api.play(faults.refusal(429, "TooManyRequests", **more), on="POST")
    with pytest.raises(TooManyRequests):
        await client.evict("a", "default")
    assert api.count("POST") == 1


async def test_a_request_has_a_time_limit(client: Client, api: FakeApiServer) -> None:
    api.play(faults.silence(), on="POST")
    with pytest.raises(Timeout, match=r"within 0.05 s"):
        await client.request("POST", PODS.path("default"), body={}, timeout=0.05)


async def test_nobody_listening(client: Client, api: FakeApiServer, clock: SkippingClock) -> None:
    await api.stop()
    with pytest.raises(Unavailable, match="ConnectionFailed"):
        await client.get(NODES, "n")
    assert len(clock.slept) == 3


async def test_a_refused_token_is_read_again_once(api: FakeApiServer, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    api.put(NODES, {"metadata": {"name": "n"}})
    async with Client(ClientConfiguration(server=api.url, token_file=path)) as rotated:
        await rotated.get(NODES, "n")
        path.write_text("new")
        api.play(faults.refusal(401, "Unauthorized"), on="GET")
        await rotated.get(NODES, "n")
        api.play(faults.refusal(401, "Unauthorized"), faults.refusal(401, "Unauthorized"), on="GET")
        with pytest.raises(Unauthorized):
            await rotated.get(NODES, "n")
    tokens = [seen.headers["Authorization"] for seen in api.seen]
    assert tokens == ["Bearer old", "Bearer old", "Bearer new", "Bearer new", "Bearer new"]


async def test_requests_refused_together_do_not_spoil_the_new_token(api: FakeApiServer, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    api.play(*[faults.refusal(401, "Unauthorized")] * 5, on="list")
    async with Client(ClientConfiguration(server=api.url, token_file=path)) as rotated, asyncio.TaskGroup() as tasks:
        for _ in range(5):
            tasks.create_task(rotated.list(NODES))
    assert api.count("list") == 10


async def test_credentials_that_are_lost_are_an_error_that_passes(api: FakeApiServer, tmp_path: Path) -> None:
    clock = SkippingClock()
    printed = orjson.dumps({"apiVersion": EXEC, "kind": "ExecCredential", "status": {"token": "t"}}).decode()
    good = tmp_path / "good"
    good.touch()
    plugin = ExecPlugin(EXEC, "/bin/sh", ("-c", f"test -e {good} && echo '{printed}'"))
    async with Client(ClientConfiguration(server=api.url, plugin=plugin), clock=clock) as opened:
        await opened.list(NODES)
        remove(good)
        clock.tick(300)
        with pytest.raises(Unavailable, match="NoCredential"):
            await opened.list(NODES)
    assert api.count("list") == 1


async def test_impersonation_is_sent_with_reads_writes_and_watches(api: FakeApiServer) -> None:
    sent: list[list[tuple[str, str]]] = []

    async def note(request: web.Request) -> web.StreamResponse:
        sent.append([field for field in request.headers.items() if field[0].startswith("Impersonate")])
        return web.Response()

    whom = Impersonation("jane", ("dev", "ops"), {"a/b": ("c",)})
    api.play(note, note, note)
    async with Client(ClientConfiguration(server=api.url, token="t", impersonate=whom)) as opened:
        await opened.request("GET", NODES.path())
        await opened.delete(NODES, "n")
        async for _ in opened.watch(NODES, resource_version="1"):
            pass
    groups = [("Impersonate-Group", "dev"), ("Impersonate-Group", "ops")]
    assert sent == [[("Impersonate-User", "jane"), *groups, ("Impersonate-Extra-a%2Fb", "c")]] * 3


async def test_requests_come_at_the_rate_and_watches_count_once(api: FakeApiServer) -> None:
    clock = SkippingClock()
    async with Client(ClientConfiguration(server=api.url), clock=clock, qps=1.0, burst=2) as limited:
        await limited.list(NODES)
        api.play(faults.events(("ADDED", pod("a")), ("ADDED", pod("b"))), on="watch")
        assert len([kind async for kind, _ in limited.watch(PODS, resource_version="1")]) == 2
        assert clock.slept == []
        await limited.list(NODES)
    assert clock.slept == [pytest.approx(1.0)]


async def test_without_a_rate_nothing_waits(client: Client, clock: SkippingClock) -> None:
    for _ in range(50):
        await client.list(NODES)
    assert clock.slept == []


async def test_base_url_replaces_the_server(api: FakeApiServer) -> None:
    configuration = ClientConfiguration(server="https://unreachable.invalid", token="t")
    async with Client(configuration, base_url=api.url) as proxied:
        await proxied.list(NODES)
    assert api.count("list") == 1


async def test_a_client_that_is_not_open_says_how(api: FakeApiServer) -> None:
    with pytest.raises(RuntimeError, match="async with Client"):
        await Client(ClientConfiguration(server=api.url)).get(NODES, "n")


async def test_a_version_that_the_server_has_not_reached_is_not_asked_for_again(
    api: FakeApiServer, client: Client
) -> None:
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    api.play(faults.refusal(504, "Timeout", details={"causes": causes}), on="list")
    with pytest.raises(Timeout) as raised:
        await client.list(PODS, resource_version="999")
    assert raised.value.of_the_future
    assert api.count("list") == 1
