"""The webhook server over real TLS: answers, garbage, failing and slow handlers, limits, new certificates."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from typing import Any

import aiohttp
import orjson
import pytest

from controller.runtime.certs.authority import Authority, ServingCertificate, issue_leaf, make_authority
from controller.runtime.clock import RealClock
from controller.runtime.webhook.admission import AdmissionRequest, AdmissionResponse, allow, deny
from controller.runtime.webhook.server import MAX_BODY_BYTES, WebhookServer

DAY = timedelta(days=1)


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


def leaf(authority: Authority) -> ServingCertificate:
    return issue_leaf(authority, ["127.0.0.1"], RealClock().now(), DAY)


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.certificate_pem.decode())


@pytest.fixture
async def server(authority: Authority) -> AsyncIterator[WebhookServer]:
    made = WebhookServer("127.0.0.1", 0, leaf(authority))
    made.handle_admission("/pods", handler)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(made.run())
        await made.wait_started(5)
        yield made
        task.cancel()
    assert not made.serving


@pytest.fixture
async def session(server: WebhookServer, authority: Authority) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=trusting(authority))
    async with aiohttp.ClientSession(f"https://127.0.0.1:{server.port}", connector=connector) as opened:
        yield opened


def review(name: str, **more: Any) -> bytes:
    request = {"uid": "u", "operation": "CREATE", "name": name, "userInfo": {"username": "eve"}, **more}
    return orjson.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})


async def post(
    session: aiohttp.ClientSession, body: bytes, path: str = "/pods", kind: str = "application/json"
) -> tuple[int, bytes]:
    async with session.post(path, data=BytesIO(body), headers={"Content-Type": kind}) as answer:
        return answer.status, await answer.read()


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
    ("body", "kind", "want_status", "want_text"),
    [
        pytest.param(b"{", "application/json", 400, b"not JSON", id="broken JSON"),
        pytest.param(b"{}", "application/json", 400, b"AdmissionReview", id="another object"),
        pytest.param(review("p"), "text/plain", 400, b"Content-Type", id="another content type"),
        pytest.param(b"", "application/json", 400, b"not JSON", id="nothing"),
    ],
)
async def test_garbage_is_a_400_that_says_why(
    session: aiohttp.ClientSession,
    server: WebhookServer,
    body: bytes,
    kind: str,
    want_status: int,
    want_text: bytes,
) -> None:
    status, text = await post(session, body, kind=kind)
    assert (status, server.statistics().malformed) == (want_status, 1)
    assert want_text in text


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


async def test_three_mebibytes_pass_and_far_more_do_not(session: aiohttp.ClientSession) -> None:
    big = review("p", object={"data": "x" * (3 * 1024 * 1024)}, oldObject={"data": "x" * (3 * 1024 * 1024)})
    assert (await post(session, big))[0] == 200
    assert (await post(session, b"x" * (MAX_BODY_BYTES + 1)))[0] == 413


async def test_other_paths_and_methods(session: aiohttp.ClientSession) -> None:
    assert (await post(session, review("p"), path="/other"))[0] == 404
    async with session.get("/pods") as answer:
        assert answer.status == 405


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


async def test_a_new_certificate_is_shown_on_new_connections(server: WebhookServer) -> None:
    other = make_authority("other", RealClock().now(), 10 * DAY)
    server.replace_certificate(leaf(other))
    connector = aiohttp.TCPConnector(ssl=trusting(other))
    async with aiohttp.ClientSession(f"https://127.0.0.1:{server.port}", connector=connector) as session:
        assert (await post(session, review("p")))[0] == 200


@pytest.mark.parametrize(("path", "want"), [("pods", "does not begin"), ("/pods", "taken")])
async def test_paths_are_checked(server: WebhookServer, path: str, want: str) -> None:
    with pytest.raises(ValueError, match=want):
        server.handle_admission(path, handler)
