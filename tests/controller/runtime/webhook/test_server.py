"""The webhook server over real TLS: answers, garbage, failing and slow handlers, limits, new certificates."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import aiohttp
import orjson
import pytest

from controller.runtime.certs.authority import Authority, issue_leaf, make_authority
from controller.runtime.clock import RealClock
from controller.runtime.webhook.admission import AdmissionRequest, AdmissionResponse, allow, deny
from controller.runtime.webhook.endpoint import MAX_BODY_BYTES
from controller.runtime.webhook.server import WebhookServer
from tests.controller.runtime.webhook.running import DAY, leaf, post, review, serving, session_of, trusting
from tests.fakes.clock import FakeClock


async def handler(request: AdmissionRequest) -> AdmissionResponse:
    match request.name:
        case "bug":
            raise RuntimeError("a bug")
        case "slow":
            await asyncio.sleep(60)
        case "bad":
            return deny("bad name")
        case "cancelled":
            raise TimeoutError
    return allow([{"op": "add", "path": "/x", "value": request.user}])


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority("webhooks", RealClock().now(), 10 * DAY)


@pytest.fixture
async def server(authority: Authority) -> AsyncIterator[WebhookServer]:
    made = WebhookServer("127.0.0.1", 0, leaf(authority))
    made.handle_admission("/pods", handler)
    async with serving(made):
        yield made


@pytest.fixture
async def session(server: WebhookServer, authority: Authority) -> AsyncIterator[aiohttp.ClientSession]:
    async with session_of(server, authority) as opened:
        yield opened


async def test_allowed_with_a_patch(session: aiohttp.ClientSession, server: WebhookServer) -> None:
    status, body = await post(session, review("p"))
    response = orjson.loads(body)["response"]
    assert (status, response["uid"], response["allowed"]) == (200, "u", True)
    assert server.statistics().allowed == 1


async def test_denied_is_a_200_with_the_reason(session: aiohttp.ClientSession, server: WebhookServer) -> None:
    status, body = await post(session, review("bad"))
    assert status == 200
    assert orjson.loads(body)["response"]["status"]["message"] == "bad name"
    assert server.statistics().denied == 1


@pytest.mark.parametrize(
    ("body", "headers", "want_status", "want_text"),
    [
        pytest.param(b"{", {}, 400, b"not JSON", id="broken JSON"),
        pytest.param(b"{}", {}, 400, b"AdmissionReview", id="another object"),
        pytest.param(b"", {}, 400, b"not JSON", id="nothing"),
        pytest.param(review("p"), {"Content-Type": "text/plain"}, 415, b"application/json", id="another content type"),
        pytest.param(review("p"), {"Content-Encoding": "gzip"}, 415, b"as it is", id="said to be compressed"),
        pytest.param(b"x" * (MAX_BODY_BYTES + 1), {}, 413, b"over 8388608 bytes", id="too large"),
    ],
)
async def test_garbage_is_a_4xx_that_says_why(
    session: aiohttp.ClientSession,
    server: WebhookServer,
    body: bytes,
    headers: dict[str, str],
    want_status: int,
    want_text: bytes,
) -> None:
    status, text = await post(session, body, **headers)
    assert (status, server.statistics().malformed) == (want_status, 1)
    assert want_text in text


async def test_a_body_without_end_is_cut_off_at_the_limit(session: aiohttp.ClientSession) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    async with session.post("/pods", data=endless(), headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 413


@pytest.mark.parametrize("name", ["bug", "cancelled"])
async def test_a_handler_that_raises_is_a_500_without_a_review(
    session: aiohttp.ClientSession, server: WebhookServer, name: str
) -> None:
    status, text = await post(session, review(name))
    assert (status, server.statistics().failed) == (500, 1)
    assert b"AdmissionReview" not in text
    assert (await post(session, review("p")))[0] == 200


async def test_a_handler_gets_the_time_that_was_asked_for(session: aiohttp.ClientSession) -> None:
    status, _ = await post(session, review("slow"), path="/pods?timeout=0.1s")
    assert status == 500


async def test_a_large_object_twice_passes(session: aiohttp.ClientSession) -> None:
    big = review("p", object={"data": "x" * (3 * 1024 * 1024)}, oldObject={"data": "x" * (3 * 1024 * 1024)})
    assert (await post(session, big))[0] == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
async def test_other_methods(session: aiohttp.ClientSession, method: str) -> None:
    async with session.request(method, "/pods") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_other_paths(session: aiohttp.ClientSession) -> None:
    assert (await post(session, review("p"), path="/other"))[0] == 404


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\x00\x01\x02\r\n\r\n", id="bytes"),
        pytest.param(b"POST /pods HTTP/1.1\r\nContent-Length: x\r\n\r\n", id="a length that is no number"),
        pytest.param(b"GET " + b"a" * 20000 + b" HTTP/1.1\r\n\r\n", id="an endless path"),
        pytest.param(b"POST /pods HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 500 + b"\r\n", id="too many headers"),
    ],
)
async def test_what_is_no_http_gets_a_400_and_the_connection_ends(
    server: WebhookServer, authority: Authority, sent: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trusting(authority))
    writer.write(sent)
    async with asyncio.timeout(30):
        answer = await reader.read()
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    writer.close()


async def test_bytes_that_are_no_tls_disturb_nobody(session: aiohttp.ClientSession, server: WebhookServer) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n" * 10)
    writer.close()
    assert (await post(session, review("p")))[0] == 200


async def test_many_at_once(session: aiohttp.ClientSession, server: WebhookServer) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(200):
            tasks.create_task(post(session, review("p")))
    assert server.statistics().allowed == 200


async def test_a_new_certificate_is_shown_on_new_connections_and_old_ones_go_on(
    server: WebhookServer, session: aiohttp.ClientSession
) -> None:
    assert (await post(session, review("p")))[0] == 200  # the connection is kept
    other = make_authority("other", RealClock().now(), 10 * DAY)
    assert server.replace_certificate(leaf(other))
    async with session_of(server, other) as fresh:
        assert (await post(fresh, review("p")))[0] == 200
    assert (await post(session, review("p")))[0] == 200


async def test_a_certificate_that_nobody_could_accept_is_refused_and_the_old_one_stays(
    server: WebhookServer, session: aiohttp.ClientSession, authority: Authority
) -> None:
    now = RealClock().now()
    ended = issue_leaf(make_authority("old", now - 9 * DAY, 5 * DAY), ["127.0.0.1"], now - 9 * DAY, DAY)
    mixed = replace(leaf(authority), private_key_pem=leaf(authority).private_key_pem)
    assert not server.replace_certificate(ended)
    assert not server.replace_certificate(mixed)
    assert server.statistics().refused_certificates == 2
    assert (await post(session, review("p")))[0] == 200


@pytest.mark.parametrize(
    ("ahead", "want"),
    [
        pytest.param(timedelta(0), "True", id="now"),
        pytest.param(DAY - timedelta(minutes=6), "True", id="six minutes before the end"),
        pytest.param(DAY - timedelta(minutes=4), "nobody renewed it", id="four minutes before the end"),
        pytest.param(DAY + timedelta(minutes=4), "ended at", id="after the end"),
        pytest.param(-DAY, "valid from", id="with a clock that is behind"),
    ],
)
async def test_ready_while_the_certificate_is_valid(authority: Authority, ahead: timedelta, want: str) -> None:
    clock = FakeClock(RealClock().now())
    server = WebhookServer("127.0.0.1", 0, leaf(authority), clock=clock)
    async with serving(server):
        clock.set(clock.now() + ahead)
        assert want in str(server.ready())


async def test_it_listens_once_it_has_a_certificate(authority: Authority) -> None:
    server = WebhookServer("127.0.0.1", 0)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(server.run())
        await asyncio.sleep(0)
        assert (server.serving, server.ready()) == (False, "the webhook server has no certificate yet")
        server.replace_certificate(leaf(authority))
        assert server.ready() == "the webhook server does not listen"
        await server.wait_started(30)
        assert server.ready() is True
        task.cancel()
    assert server.ready() == "the webhook server does not listen"


async def test_reviews_under_way_are_answered_when_it_stops(authority: Authority) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: AdmissionRequest) -> AdmissionResponse:
        asked.set()
        await go_on.wait()
        return allow()

    server = WebhookServer("127.0.0.1", 0, leaf(authority))
    server.handle_admission("/pods", slow)
    connector = aiohttp.TCPConnector(ssl=trusting(authority))
    async with asyncio.TaskGroup() as tasks, aiohttp.ClientSession(connector=connector) as session:
        stopping = tasks.create_task(server.run())
        await server.wait_started(30)
        url = f"https://127.0.0.1:{server.port}/pods"
        answered = tasks.create_task(post(session, review("p"), url))
        await asked.wait()
        stopping.cancel()
        await asyncio.sleep(0)
        go_on.set()
        assert (await answered)[0] == 200


@pytest.mark.parametrize(("path", "want"), [("pods", "does not begin"), ("/pods", "taken")])
async def test_paths_are_checked(server: WebhookServer, path: str, want: str) -> None:
    with pytest.raises(ValueError, match=want):
        server.handle_admission(path, handler)
