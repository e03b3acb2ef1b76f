import asyncio
from functools import partial

from controller.gateway.answer import usage_in
from tests.benchmarks.gateway.mock_engine import CHUNKS, STREAM, MockEngine

ASKED = b'{"model":"m","messages":[],"stream":true}'


async def answer(request: bytes, cut: int, end: bytes) -> bytes:
    """What a request gets that is sent in two pieces, until `end`."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(MockEngine, loop), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(request[:cut])
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(request[cut:])
        async with asyncio.timeout(10):
            found = await reader.readuntil(end)
        writer.close()
        await writer.wait_closed()
        return found


async def test_a_stream_comes_in_so_many_events_and_ends_with_the_usage() -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(ASKED)
    found = await answer(head + ASKED, 30, b"0\r\n\r\n")
    assert found.count(b"data: {") == CHUNKS + 1
    assert found.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert usage_in(STREAM[-1]) == (200, CHUNKS)


async def test_routers_learn_that_it_lives() -> None:
    found = await answer(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n", 5, b"\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 200 OK\r\n")
