"""The proxy carries, breaks, holds up and slows connections, and mends them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.chaos.proxy import Proxy, proxying

SOON = 5.0


@asynccontextmanager
async def echoing() -> AsyncIterator[Proxy]:
    """A proxy before a server that says everything again."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1024):
            writer.write(chunk)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, proxying(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


async def _said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes) -> bytes:
    writer.write(text)
    async with asyncio.timeout(SOON):
        return await reader.readexactly(len(text))


async def test_bytes_go_both_ways_and_the_end_is_passed_on() -> None:
    async with echoing() as proxy, connected(proxy) as (reader, writer):
        assert await _said(reader, writer, b"hello") == b"hello"
        writer.write_eof()
        async with asyncio.timeout(SOON):
            assert await reader.read() == b""
        assert proxy.carried == 10


async def test_dropped_connections_break_and_new_ones_until_it_is_mended() -> None:
    async with echoing() as proxy, connected(proxy) as (reader, writer):
        assert await _said(reader, writer, b"a") == b"a"
        proxy.drop()
        async with asyncio.timeout(SOON):
            with pytest.raises(ConnectionError):
                await reader.readexactly(1)
            async with connected(proxy) as (late, _):
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    await late.readexactly(1)
        proxy.mend()
        async with connected(proxy) as (reader, writer):
            assert await _said(reader, writer, b"b") == b"b"


async def test_a_stall_holds_up_what_is_sent_until_it_is_mended() -> None:
    async with echoing() as proxy, connected(proxy) as (reader, writer):
        assert await _said(reader, writer, b"a") == b"a"
        proxy.stall()
        writer.write(b"b")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.readexactly(1)
        proxy.mend()
        async with asyncio.timeout(SOON):
            assert await reader.readexactly(1) == b"b"


async def test_slow_connections_are_late_and_lose_nothing() -> None:
    async with echoing() as proxy, connected(proxy) as (reader, writer):
        proxy.slow(0.1)
        now = asyncio.get_running_loop().time
        begun = now()
        assert await _said(reader, writer, b"abc") == b"abc"
        assert now() - begun >= 0.2
