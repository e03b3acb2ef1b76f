import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from e2e.engine.mock import Shape, listen


@asynccontextmanager
async def mock(shape: Shape) -> AsyncIterator[aiohttp.ClientSession]:
    server = await listen(0, shape)
    async with server, aiohttp.ClientSession(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
        yield client


@pytest.mark.parametrize("chunked", [pytest.param(False, id="content-length"), pytest.param(True, id="chunked")])
async def test_the_same_answer_to_everybody(chunked: bool) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b'{"model": "any", '
        yield b'"messages": []}'

    async with mock(Shape(answer_bytes=100)) as client:
        for _ in range(3):  # on one connection
            data = body() if chunked else b'{"model": "any", "messages": []}'
            async with client.post("/v1/chat/completions", data=data) as response:
                answer = await response.json()
                assert response.headers["X-Simulated"]
                assert answer["choices"][0]["message"]["content"] == "x" * 100


async def test_a_stream_of_as_many_events_as_wanted() -> None:
    async with mock(Shape(chunks=5)) as client:
        async with client.post("/v1/chat/completions", json={"stream": True}) as response:
            events = [event for event in (await response.text()).split("\n\n") if event]
        async with client.get("/v1/models") as response:
            assert (await response.json())["data"][0]["id"] == "simulated/model"
    assert len(events) == 5 + 2  # the usage, and [DONE]
    assert json.loads(events[-2].removeprefix("data: "))["usage"]["completion_tokens"] == 5


async def test_requests_sent_in_one_piece_are_answered_one_by_one() -> None:
    server = await listen(0, Shape(answer_bytes=10))
    async with server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        request = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
        writer.write(request * 2 + request[:-1])
        await writer.drain()
        first = await reader.read(65536)
        assert first.count(b"HTTP/1.1 200") == 2
        writer.write(b"}")
        assert (await reader.read(65536)).count(b"HTTP/1.1 200") == 1
        writer.close()
        await writer.wait_closed()
