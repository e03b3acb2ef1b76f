"""Bodies that come slowly, not at all or cut off, and answers that are large."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from controller.runtime.listener import Listener
from controller.runtime.webhook.exchange import Refused, read_body, send
from controller.runtime.webhook.review import Reply

HEAD = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
MEBIBYTE = 1024 * 1024


@asynccontextmanager
async def reading(limit_seconds: float) -> AsyncIterator[int]:
    """A server that answers with the length of what it read, or with the refusal; its port."""

    async def serve(request: web.Request) -> web.StreamResponse:
        try:
            body = await read_body(request, 100, limit_seconds)
        except Refused as error:
            return await send(request, Reply.text(error.status, str(error)), error.headers)
        return await send(request, Reply.text(200, str(len(body))))

    app = web.Application()
    app.router.add_route("*", "/", serve)
    listener = Listener("127.0.0.1", 0)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(listener.run(app))
        await listener.wait_started(30)
        yield listener.port
        task.cancel()


async def answer_to(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("sent", "want"),
    [
        pytest.param(HEAD + b"Content-Length: 50\r\n\r\n{", b"408", id="a body that stops half way"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel", b"408", id="a chunk that stops half way"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"400", id="a chunk without a length"),
        pytest.param(HEAD + b"Content-Length: 101\r\n\r\n", b"413", id="a length over the limit"),
    ],
)
async def test_a_body_that_is_none_is_answered_and_the_connection_ends(sent: bytes, want: bytes) -> None:
    async with reading(0.05) as port:
        answer = await answer_to(port, sent)
    assert answer.split(b" ")[1] == want


async def test_a_body_in_time_is_read() -> None:
    async with reading(5) as port:
        answer = await answer_to(port, HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}")
    assert answer.endswith(b"\r\n\r\n2\n")


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"a" * (3 * MEBIBYTE)], id="one large piece"),
        pytest.param([b"ab", b"c" * 1000] * 3000, id="many small pieces"),
        pytest.param([], id="nothing"),
    ],
)
async def test_an_answer_arrives_whole(pieces: list[bytes]) -> None:
    async def serve(request: web.Request) -> web.StreamResponse:
        return await send(request, Reply(200, pieces))

    app = web.Application()
    app.router.add_get("/", serve)
    listener = Listener("127.0.0.1", 0)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(listener.run(app))
        await listener.wait_started(30)
        async with aiohttp.request("GET", f"http://127.0.0.1:{listener.port}/") as answer:
            assert await answer.read() == b"".join(pieces)
            assert answer.content_type == "application/json"
        task.cancel()
