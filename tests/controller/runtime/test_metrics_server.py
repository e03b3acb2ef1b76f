"""Metrics go to those who may read them, over TLS; everybody else is told what is missing."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import cast

import aiohttp
import pytest

from controller.runtime.authorization import Authorizer, Decision, Undecided, Verdict
from controller.runtime.certs.authority import issue_leaf, make_authority
from controller.runtime.clock import Clock, RealClock
from controller.runtime.metrics_server import SELF_SIGNED_LIFETIME, WRITTEN_BYTES, MetricsServer
from tests.fakes.clock import FakeClock

DAY = timedelta(days=1)


class Answers:
    """In the place of an Authorizer."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def decide(self, token: str) -> Decision:
        self.asked.append(token)
        match token:
            case "good":
                return Decision(Verdict.ALLOWED, "scraper")
            case "poor":
                return Decision(Verdict.FORBIDDEN, "visitor", "user 'visitor' may not get /metrics; grant it")
            case "down":
                raise Undecided("the API server was asked and gave no answer: refused")
        return Decision(Verdict.UNKNOWN_TOKEN, message="the token is not valid; get a new one")


@pytest.fixture
def answers() -> Answers:
    return Answers()


async def up() -> AsyncIterator[bytes]:
    yield b"up 1\n"


def secured(answers: Answers, clock: Clock | None = None) -> MetricsServer:
    authorizer = cast("Authorizer", answers)
    return MetricsServer("127.0.0.1", 0, up, authorizer=authorizer, clock=clock)


@asynccontextmanager
async def serving(server: MetricsServer) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(server.run())
        await server.wait_started(30)
        yield
        task.cancel()


async def get(
    server: MetricsServer,
    authorization: str | None = None,
    tls: ssl.SSLContext | bool = False,
    scheme: str = "https",
    path: str = "/metrics",
) -> tuple[int, str, dict[str, str]]:
    headers = {} if authorization is None else {"Authorization": authorization}
    url = f"{scheme}://127.0.0.1:{server.port}{path}"
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(connector=connector) as session, session.get(url, headers=headers) as answer:
        return answer.status, await answer.text(), dict(answer.headers)


@pytest.mark.parametrize(
    ("authorization", "want_status", "want_text", "want_header"),
    [
        pytest.param("Bearer good", 200, "up 1", ("Content-Type", "version=0.0.4"), id="who may"),
        pytest.param("bearer  good", 200, "up 1", ("Content-Type", "text/plain"), id="in another spelling"),
        pytest.param(None, 401, "send Authorization: Bearer TOKEN", ("WWW-Authenticate", "Bearer"), id="no token"),
        pytest.param("Bearer ", 401, "no bearer token", ("WWW-Authenticate", "Bearer"), id="an empty token"),
        pytest.param("Basic good", 401, "no bearer token", ("WWW-Authenticate", "Bearer"), id="another scheme"),
        pytest.param("Bearer bad", 401, "get a new one", ("WWW-Authenticate", "invalid_token"), id="an unknown token"),
        pytest.param("Bearer poor", 403, "may not get /metrics", ("Content-Type", "text/plain"), id="who may not"),
        pytest.param("Bearer down", 503, "come again", ("Retry-After", "10"), id="no answer from the API server"),
    ],
)
async def test_who_gets_what(
    answers: Answers, authorization: str | None, want_status: int, want_text: str, want_header: tuple[str, str]
) -> None:
    server = secured(answers)
    async with serving(server):
        status, text, headers = await get(server, authorization)
    assert status == want_status
    assert want_text in text
    assert ("up 1" in text) == (want_status == 200)
    assert want_header[1] in headers[want_header[0]]


async def test_nothing_is_served_without_tls(answers: Answers) -> None:
    server = secured(answers)
    async with serving(server):
        with pytest.raises(aiohttp.ClientError):
            await get(server, "Bearer good", scheme="http")
    assert answers.asked == []


async def test_plain_answers_everybody() -> None:
    server = MetricsServer("127.0.0.1", 0, up, plain=True)
    async with serving(server):
        assert (await get(server, scheme="http"))[:2] == (200, "up 1\n")


async def test_a_long_text_comes_whole_and_is_never_held_whole() -> None:
    line = b"x" * 1023 + b"\n"
    lines = 8 * WRITTEN_BYTES // len(line)
    made = 0

    async def long() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(lines):
            made += 1
            yield line

    server = MetricsServer("127.0.0.1", 0, long, plain=True)
    async with serving(server):
        status, text, _ = await get(server, scheme="http")
    assert (status, len(text), made) == (200, lines * len(line), lines)


async def test_a_head_is_answered_without_a_body() -> None:
    server = MetricsServer("127.0.0.1", 0, up, plain=True)
    async with serving(server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, end, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (end, body) == (b"\r\n\r\n", b"")


async def test_who_takes_what_it_asked_for_too_slowly_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.runtime.metrics_server.SCRAPE_SECONDS", 0.2)
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * WRITTEN_BYTES
        finally:
            ended.set()

    server = MetricsServer("127.0.0.1", 0, endless, plain=True)
    async with serving(server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(ended.wait(), 5)
        got = b""
        with suppress(ConnectionError):  # how the end shows depends on what was under way
            while found := await asyncio.wait_for(reader.read(WRITTEN_BYTES), 5):
                got = got[-16:] + found
        assert not got.endswith(b"\r\n0\r\n\r\n"), "what was cut off must not look whole"
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_who_goes_before_it_has_all_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    gone, ended = asyncio.Event(), asyncio.Event()

    async def long() -> AsyncIterator[bytes]:
        try:
            yield b"x" * WRITTEN_BYTES
            await gone.wait()
            while True:
                await asyncio.sleep(0)
                yield b"x" * WRITTEN_BYTES
        finally:
            ended.set()

    server = MetricsServer("127.0.0.1", 0, long, plain=True)
    async with serving(server):
        url = f"http://127.0.0.1:{server.port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            await answer.content.readany()
        gone.set()
        await asyncio.wait_for(ended.wait(), 10)
    assert [record.getMessage() for record in caplog.records] == []


async def test_a_given_certificate_is_shown_and_may_be_replaced(answers: Answers) -> None:
    now = RealClock().now()
    first, second = (make_authority(name, now, 10 * DAY) for name in ("one", "two"))
    server = MetricsServer(
        "127.0.0.1",
        0,
        up,
        authorizer=cast("Authorizer", answers),
        certificate=issue_leaf(first, ["127.0.0.1"], now, DAY),
    )
    async with serving(server):
        for authority in (first, second):
            trusting = ssl.create_default_context(cadata=authority.certificate_pem.decode())
            server.replace_certificate(issue_leaf(authority, ["127.0.0.1"], now, DAY))
            assert (await get(server, "Bearer good", trusting))[0] == 200
        assert not server.replace_certificate(issue_leaf(first, ["127.0.0.1"], now - 5 * DAY, DAY))
        assert (await get(server, "Bearer good", trusting))[0] == 200


async def shown(server: MetricsServer) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
    found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return found


async def test_a_certificate_of_its_own_is_made_again_before_it_ends(answers: Answers) -> None:
    clock = FakeClock(RealClock().now())
    server = secured(answers, clock)
    async with serving(server):
        first = await shown(server)
        clock.set(clock.now() + SELF_SIGNED_LIFETIME * 0.6)
        await get(server, "Bearer good")
        assert await shown(server) == first
        clock.set(clock.now() + SELF_SIGNED_LIFETIME * 0.1)
        await get(server, "Bearer good")
        assert await shown(server) != first


@pytest.mark.parametrize(
    ("plain", "authorizer"),
    [
        pytest.param(False, None, id="nobody to ask"),
        pytest.param(True, Answers(), id="somebody to ask, and nobody is asked"),
    ],
)
def test_it_is_said_once_who_may_read(plain: bool, authorizer: Answers | None) -> None:
    with pytest.raises(ValueError, match="plain=True"):
        MetricsServer("127.0.0.1", 0, up, plain=plain, authorizer=cast("Authorizer", authorizer))


async def test_only_metrics_are_there(answers: Answers) -> None:
    server = secured(answers)
    async with serving(server):
        assert (await get(server, "Bearer good", path="/healthz"))[0] == 404
