import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from controller.runtime.certs.authority import issue_leaf, make_authority
from controller.runtime.metrics_page import (
    REFUSED,
    TIMEOUT,
    TOO_LONG,
    UNREACHABLE,
    PageError,
    page_session,
    read_page,
)
from controller.runtime.pod_addresses import Address

MOST = 1000
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[int]:
    application = web.Application()
    application.router.add_get("/metrics", answer)
    async with TestServer(application, host="127.0.0.1") as server:
        assert server.port is not None
        yield server.port


async def read(port: int, *, seconds: float = 5.0, host: str = "127.0.0.1", tls: bool = False) -> str:
    async with page_session(1) as session:
        return await read_page(session, Address(host, port, tls), tls=None, seconds=seconds, most_bytes=MOST)


async def refused(answer: Answer, *, seconds: float = 5.0, tls: bool = False) -> PageError:
    async with listening(answer) as port:
        with pytest.raises(PageError) as told:
            await read(port, seconds=seconds, tls=tls)
        assert f"127.0.0.1:{port}/metrics" in str(told.value)
    return told.value


async def test_a_page_is_read_in_the_text_format_and_not_packed() -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Accept"] == "text/plain; version=0.0.4"
        assert request.headers["Accept-Encoding"] == "identity"
        return web.Response(body=b"x 1\n\xff" + b"#" * (MOST - 5))

    async with listening(answer) as port:
        assert await read(port) == "x 1\n\ufffd" + "#" * (MOST - 5)


@pytest.mark.parametrize(
    ("make", "want"),
    [
        pytest.param(lambda: web.Response(status=404), REFUSED, id="no such page"),
        pytest.param(lambda: web.Response(status=204), REFUSED, id="no page"),
        pytest.param(lambda: web.Response(status=302, headers={"Location": "/else"}), REFUSED, id="elsewhere"),
        pytest.param(lambda: web.Response(body=b"#" * (MOST + 1)), TOO_LONG, id="longer than the limit"),
    ],
)
async def test_what_is_no_page(make: Callable[[], web.Response], want: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return make()

    assert (await refused(answer)).reason == want


async def test_a_packed_page_is_not_unpacked() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"x 1\n" * 10), headers={"Content-Encoding": "gzip"})

    assert (await refused(answer)).reason == REFUSED


async def test_a_page_without_an_end_is_given_up_at_its_limit() -> None:
    sent = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x 1\n" * 1000)
            sent += 1

    assert (await refused(answer)).reason == TOO_LONG
    assert sent < 10_000


async def test_a_page_that_comes_too_slowly_is_given_up() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x 1\n")
        await asyncio.Event().wait()
        return response

    assert (await refused(answer, seconds=0.2)).reason == TIMEOUT


async def test_an_engine_that_is_gone_or_does_not_speak_tls_is_unreachable() -> None:
    with pytest.raises(PageError) as told:
        await read(1)
    assert told.value.reason == UNREACHABLE

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="x 1")

    async with listening(answer) as port:
        with pytest.raises(PageError) as told:
            await read(port, tls=True)
    assert told.value.reason == UNREACHABLE


async def test_an_engine_with_https_is_read_by_who_trusts_its_authority_and_by_nobody_else(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    authority = make_authority("engines", now - timedelta(days=1), timedelta(days=2))
    leaf = issue_leaf(authority, ["127.0.0.1"], now - timedelta(hours=1), timedelta(days=1))
    (tmp_path / "crt").write_bytes(leaf.certificate_pem)
    (tmp_path / "key").write_bytes(leaf.private_key_pem)
    shown = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    shown.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    trusting = ssl.create_default_context(cadata=authority.certificate_pem.decode())

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="x 1")

    application = web.Application()
    application.router.add_get("/metrics", answer)
    server = TestServer(application, host="127.0.0.1")
    await server.start_server(ssl=shown)
    try:
        async with page_session(1) as session:
            address = Address("127.0.0.1", server.port or 0, tls=True)
            assert await read_page(session, address, tls=trusting, seconds=5.0, most_bytes=MOST) == "x 1"
            with pytest.raises(PageError, match="certificate") as told:
                await read_page(session, address, tls=None, seconds=5.0, most_bytes=MOST)
    finally:
        await server.close()
    assert told.value.reason == UNREACHABLE


async def test_cookies_are_not_kept() -> None:
    seen = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(dict(request.cookies))
        response = web.Response(text="x 1")
        response.set_cookie("a", "b")
        return response

    async with listening(answer) as port, page_session(1) as session:
        for _ in range(2):
            await read_page(session, Address("127.0.0.1", port), tls=None, seconds=5.0, most_bytes=MOST)
    assert seen == [{}, {}]
