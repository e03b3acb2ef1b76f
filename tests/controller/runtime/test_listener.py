"""A listener says goodbye on open connections, and does not wait for those who say nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from controller.runtime.listener import Listener, Shutdown
from tests.fakes.clock import FakeClock

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


def application() -> web.Application:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    return app


@asynccontextmanager
async def running(listener: Listener) -> AsyncIterator[asyncio.Task[None]]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(listener.run(application()))
        await listener.wait_started(30)
        yield task
        task.cancel()
    assert not listener.listening


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """The head of the answer."""
    writer.write(GET)
    async with asyncio.timeout(30):
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(5)
    return head


async def refused(port: int) -> None:
    """Wait until nobody listens any more."""
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                return
            writer.close()
            await asyncio.sleep(0.01)


async def test_while_it_drains_open_connections_are_answered_and_told_to_go() -> None:
    listener = Listener("127.0.0.1", 0, shutdown=Shutdown(drain=5))
    async with running(listener) as task:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        assert b"Connection: close" not in await ask(reader, writer)
        task.cancel()
        await refused(listener.port)
        assert b"Connection: close" in await ask(reader, writer)
        assert await reader.read() == b""
        writer.close()


async def test_with_no_connection_left_it_stops_at_once() -> None:
    started = asyncio.get_running_loop().time()
    async with running(Listener("127.0.0.1", 0, shutdown=Shutdown(drain=5))):
        pass
    assert asyncio.get_running_loop().time() - started < 2


@pytest.mark.parametrize(
    "sent", [pytest.param(b"", id="nothing sent"), pytest.param(b"GET / HTTP/1.1\r\nHo", id="half a head sent")]
)
async def test_a_connection_without_a_request_is_closed_after_a_while(sent: bytes) -> None:
    clock = FakeClock()
    async with running(listener := Listener("127.0.0.1", 0, clock=clock)):
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(sent)
        await asyncio.sleep(0.05)  # until it has arrived
        await clock.advance(30)
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()


async def test_a_connection_that_made_a_request_may_idle() -> None:
    clock = FakeClock()
    async with running(listener := Listener("127.0.0.1", 0, clock=clock)):
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        await ask(reader, writer)
        await clock.advance(60)
        assert b"200 OK" in await ask(reader, writer)
        writer.close()


async def test_a_young_connection_is_given_time() -> None:
    clock = FakeClock()
    async with running(listener := Listener("127.0.0.1", 0, clock=clock)):
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        await asyncio.sleep(0.05)
        await clock.advance(10)
        assert b"200 OK" in await ask(reader, writer)
        writer.close()
