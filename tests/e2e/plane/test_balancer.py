"""The balancer takes turns, passes over who refuses, and carries bytes to the last one in both directions."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from e2e.plane import Balancer
from e2e.plane.ports import LOOPBACK

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MEBIBYTE = 1024 * 1024


@asynccontextmanager
async def backend(serve: Serve) -> AsyncIterator[int]:
    """A server whose connections have all ended when it is left."""
    serving: set[object] = set()
    idle = asyncio.Event()
    idle.set()

    async def watched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(writer)
        idle.clear()
        try:
            await serve(reader, writer)
        finally:
            writer.transport.abort()
            serving.discard(writer)
            if not serving:
                idle.set()

    async with await asyncio.start_server(watched, LOOPBACK, 0) as server:
        yield server.sockets[0].getsockname()[1]
        async with asyncio.timeout(30):
            await idle.wait()


def naming(name: bytes) -> Serve:
    """Says who it is, then echoes until the other side is done, and says so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(name)
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
        writer.write(b"bye")
        writer.close()
        await writer.wait_closed()

    return serve


async def ask(port: int, text: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.write(text)
    writer.write_eof()
    try:
        async with asyncio.timeout(30):
            return await reader.read()
    finally:
        writer.close()


def free_port() -> int:
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        port: int = held.getsockname()[1]
        return port


async def three(stack: AsyncExitStack) -> list[int]:
    return [await stack.enter_async_context(backend(naming(name))) for name in (b"a", b"b", b"c")]


async def test_backends_take_turns() -> None:
    async with AsyncExitStack() as stack:
        ports = await three(stack)
        with Balancer(ports) as balancer:
            answers = [await ask(balancer.port) for _ in range(6)]
            assert answers == [b"abye", b"bbye", b"cbye"] * 2
            assert balancer.statistics().accepted == dict.fromkeys(ports, 2)


async def test_a_half_closed_connection_still_answers_with_all_bytes() -> None:
    async with backend(naming(b"a")) as port:
        with Balancer([port]) as balancer:
            sent = bytes(range(256)) * 4096
            assert await ask(balancer.port, sent) == b"a" + sent + b"bye"


async def test_who_refuses_is_passed_over() -> None:
    async with backend(naming(b"a")) as port:
        with Balancer([free_port(), port]) as balancer:
            assert [await ask(balancer.port) for _ in range(4)] == [b"abye"] * 4
            assert balancer.statistics().passed_over == 2


async def test_with_nobody_to_take_it_a_connection_ends_at_once() -> None:
    with Balancer() as balancer:
        assert await ask(balancer.port) == b""
        assert balancer.statistics().unserved == 1
        balancer.add(free_port())
        assert await ask(balancer.port) == b""


async def test_a_removed_backend_finishes_what_it_has_and_gets_nothing_new() -> None:
    async with AsyncExitStack() as stack:
        first, second, _ = await three(stack)
        with Balancer([first]) as balancer:
            reader, writer = await asyncio.open_connection(LOOPBACK, balancer.port)
            assert await reader.readexactly(1) == b"a"
            balancer.add(second)
            balancer.remove(first)
            assert balancer.backends == (second,)
            assert [await ask(balancer.port) for _ in range(3)] == [b"bbye"] * 3
            async with asyncio.timeout(
                5
            ):  # a client knows that a connection has ended before the balancer has counted it
                while balancer.statistics().open != {first: 1}:  # noqa: ASYNC110 - counted by another thread
                    await asyncio.sleep(0.01)
            writer.write(b"still here")
            assert await reader.readexactly(10) == b"still here"
            writer.close()


async def test_who_does_not_read_makes_the_other_wait() -> None:
    taken = 0

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        with suppress(ConnectionError):
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
                taken += 65536

    async with backend(flood) as port:
        with Balancer([port]) as balancer, socket.create_connection((LOOPBACK, balancer.port)):
            before = -1
            while taken != before:  # until the kernel's buffers and the balancer's are full
                before = taken
                await asyncio.sleep(0.2)
            assert 0 < taken < 32 * MEBIBYTE


async def test_a_broken_backend_breaks_the_client() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with backend(reset) as port:
        with Balancer([port]) as balancer:
            reader, writer = await asyncio.open_connection(LOOPBACK, balancer.port)
            writer.write(b"?")
            async with asyncio.timeout(30):
                assert await reader.read() == b""
            writer.close()


async def test_the_end_closes_what_is_open() -> None:
    async with backend(naming(b"a")) as port:
        with Balancer([port]) as balancer:
            reader, writer = await asyncio.open_connection(LOOPBACK, balancer.port)
            assert await reader.readexactly(1) == b"a"
        assert await reader.read() == b""
        writer.close()


def test_before_it_runs_it_has_no_port() -> None:
    with pytest.raises(RuntimeError, match="context manager"):
        _ = Balancer().port


def test_blocking_code_may_use_it() -> None:
    with (
        socket.create_server((LOOPBACK, 0)) as listening,
        Balancer([listening.getsockname()[1]]) as balancer,
        socket.create_connection((LOOPBACK, balancer.port)) as client,
    ):
        client.sendall(b"?")
        taken, _ = listening.accept()
        with taken:
            assert taken.recv(1) == b"?"


def test_a_port_that_is_taken_is_told_on_entering() -> None:
    with Balancer() as first, pytest.raises(OSError, match="in use"), Balancer(port=first.port):
        pass


def test_it_ends_without_a_word_while_connections_are_open(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server((LOOPBACK, 0)) as listening:
        with Balancer([listening.getsockname()[1]]) as balancer:
            client = socket.create_connection((LOOPBACK, balancer.port), timeout=5)
            served, _ = listening.accept()
            client.sendall(b"?")
            assert served.recv(1) == b"?"
        client.close()
        served.close()
    assert [record.getMessage() for record in caplog.records] == []
