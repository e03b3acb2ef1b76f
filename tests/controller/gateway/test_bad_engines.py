"""Engines that answer wrongly, late, or not at all: the client is told or cut off, and every seat comes back."""

import asyncio
import json
import socket
import struct
from collections.abc import Callable
from dataclasses import replace

import httptools
import pytest

from controller.gateway.configuration import Limits
from tests.builders.gateway_configuration import configuration, endpoint, route
from tests.controller.gateway.conservation import conserved, left_over
from tests.controller.gateway.exchanging import ASK_STREAM, eventually, request, serving
from tests.fakes.engine import STREAM_END, STREAM_HEAD, Engine, EngineConnection, answer, dies, event, silent

Reply = bytes | Callable[[EngineConnection], None]
SHORT = replace(Limits(), upstream_first_byte_seconds=0.3, upstream_silence_seconds=0.3, retries=0)
HEAD = b"HTTP/1.1 200 OK\r\n"


def then_close(data: bytes) -> Callable[[EngineConnection], None]:
    def send(connection: EngineConnection) -> None:
        connection.send(data)
        connection.transport.close()

    return send


def then(first: bytes, second: Reply) -> Callable[[EngineConnection], None]:
    """Sends the second in a piece of its own, a while after the first."""

    def send(connection: EngineConnection) -> None:
        connection.send(first)
        asyncio.get_running_loop().call_later(0.05, reply, connection, second)

    return send


def reply(connection: EngineConnection, what: Reply) -> None:
    """Does to a connection what a row says."""
    if callable(what):
        what(connection)
    else:
        connection.send(what)


def resets(connection: EngineConnection) -> None:
    """The kernel sends a reset and no end."""
    connection.transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    connection.transport.abort()


BEFORE: list[tuple[str, Reply, int]] = [
    ("ends", dies, 502),
    ("resets", resets, 502),
    ("closes", then_close(b""), 502),
    ("says nothing", silent, 504),
    ("begins a head and says no more", b"HTTP/1.1 200 OK\r\ncontent-", 504),
    ("begins a head and closes", then_close(b"HTTP/1.1 200"), 502),
    ("speaks no HTTP", b"\x15\x03\x03\x00\x02\x02\x28", 502),
    ("speaks a page", b"<html>no</html>\r\n\r\n", 502),
    ("sends nulls", b"\0" * 1000, 502),
    ("sends a head that does not end", HEAD + b"x: " + b"y" * 40_000, 502),
    ("sends a thousand headers", HEAD + b"x: y\r\n" * 1000 + b"\r\n", 502),
    ("sends two lengths", HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}", 502),
    ("sends a length beside chunks", HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}", 502),
    ("sends a folded line", HEAD + b"x: y\r\n z\r\ncontent-length: 2\r\n\r\n{}", 502),
    ("sends a coding nobody knows", HEAD + b"transfer-encoding: gzip\r\n\r\n{}", 502),
    ("switches to another protocol", b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n", 502),
    ("sends a version nobody asked for", b"HTTP/2 200\r\n\r\n", 502),
    ("sends chunks that are none", STREAM_HEAD + b"zz\r\n", 502),
    ("sends a head and resets", then(STREAM_HEAD, resets), 502),
    ("sends a head and says no more", STREAM_HEAD, 504),
    ("says to wait for ever", b"HTTP/1.1 100 Continue\r\n\r\n" * 3, 504),
]


@pytest.mark.parametrize(("reply", "want"), [row[1:] for row in BEFORE], ids=[row[0] for row in BEFORE])
async def test_before_its_answer_an_engine(reply: Reply, want: int) -> None:
    async with Engine([reply]) as engine, serving(configuration(route(endpoint(engine.port)), limits=SHORT)) as served:
        gateway, dial = served
        client = await dial()
        got = await client.ask(request(ASK_STREAM))
        assert got.status == want
        assert json.loads(got.body)["error"]["code"].startswith(("Engine", "BadAnswer"))
        await eventually(lambda: conserved(gateway))
        async with asyncio.timeout(30):
            await engine.connections[0].lost.wait()
        engine.answers = [answer()]
        assert (await client.ask(request())).status == 200


@pytest.mark.parametrize(
    "reply", [row[1] for row in BEFORE if row[2] == 502], ids=[row[0] for row in BEFORE if row[2] == 502]
)
async def test_another_engine_answers_for_one_that(reply: Reply) -> None:
    async with Engine([reply]) as bad, Engine() as good:
        service = route(endpoint(bad.port, uid="bad"), endpoint(good.port, uid="good"))
        async with serving(configuration(service, limits=replace(SHORT, retries=2))) as (gateway, dial):
            client = await dial()
            statuses = [(await client.ask(request())).status for _ in range(4)]
            assert statuses == [200] * 4
            assert conserved(gateway)


FIRST = STREAM_HEAD + event(b'{"n":1}')
DURING: list[tuple[str, Reply]] = [
    ("resets", then(FIRST, resets)),
    ("closes before the last chunk", then_close(FIRST)),
    ("says no more", FIRST),
    ("sends chunks that are none", then(FIRST, b"zz\r\n")),
    ("sends half a size, and then no other half", then(FIRST + b"0\r", b"zz")),
    ("sends an event with half a chunk's end, and then no other half", then(FIRST[:-1], b"zz\n\n\r\n")),
    ("ends a chunk too late", then(FIRST, b"3\r\nabcdef\r\n")),
    ("sends trailers", then(FIRST, b"0\r\nx: y\r\n\r\n")),
    ("closes within a chunk", then_close(FIRST + b"ff\r\nabc")),
    ("closes within a length", then_close(HEAD + b"content-length: 100\r\n\r\n{}")),
    ("resets at the end without a length", then(HEAD + b"\r\n{}", resets)),
]


@pytest.mark.parametrize("reply", [row[1] for row in DURING], ids=[row[0] for row in DURING])
async def test_in_its_answer_an_engine(reply: Reply) -> None:
    """And the client cannot take what came for a whole answer, unless it is told in an event that it is none."""
    async with Engine([reply]) as engine, serving(configuration(route(endpoint(engine.port)), limits=SHORT)) as served:
        gateway, dial = served
        client = await dial()
        client.send(request(ASK_STREAM))
        async with asyncio.timeout(30):
            raw = await read_all(client.reader)
        assert raw.startswith(HEAD)
        httptools.HttpResponseParser(object()).feed_data(raw)  # what there is of it is an answer
        if raw.endswith(STREAM_END):
            assert b'data: {"error":' in raw
            assert b'"n":1' in raw
        await eventually(lambda: conserved(gateway))
        assert sum(gateway.statistics().engine_failures.values()) == 1
        async with asyncio.timeout(30):
            await engine.connections[0].lost.wait()


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """All that comes, also when a reset ends it."""
    raw = b""
    try:
        while piece := await reader.read(1000):
            raw += piece
    except ConnectionResetError:
        pass
    return raw


BEYOND = [
    ("after a length", answer() + answer(b'{"other":1}')),
    ("after the last chunk", FIRST + STREAM_END + answer(b'{"other":1}')),
    ("of an answer that has no body", b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nother"),
]


@pytest.mark.parametrize("reply", [row[1] for row in BEYOND], ids=[row[0] for row in BEYOND])
async def test_what_an_engine_sends_beyond_its_answer_is_nobodys(reply: bytes) -> None:
    engine = Engine([reply, answer(b'{"mine":1}')])
    async with engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        client.send(request(ASK_STREAM))
        assert b"other" not in (await client.read()).body
        got = await client.ask(request())
        assert got.body == b'{"mine":1}'
        assert conserved(gateway)
    assert len(engine.connections) == 2


async def test_what_an_engine_sends_unasked_is_nobodys() -> None:
    engine = Engine([answer(b'{"n":1}'), answer(b'{"n":2}')])
    async with engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        assert (await client.ask(request())).body == b'{"n":1}'
        engine.connections[0].send(answer(b'{"unasked":1}'))
        async with asyncio.timeout(30):
            await engine.connections[0].lost.wait()
        assert (await client.ask(request())).body == b'{"n":2}'


async def test_an_engine_that_closed_a_kept_connection_costs_nobody_a_request() -> None:
    async with (
        Engine() as engine,
        serving(configuration(route(endpoint(engine.port)), limits=SHORT)) as (gateway, dial),
    ):
        client = await dial()
        for _ in range(5):
            assert (await client.ask(request())).status == 200
            engine.connections[-1].transport.abort()
        assert gateway.statistics().engine_failures == {}
        assert conserved(gateway)


async def test_an_engine_that_is_not_there_is_told_apart() -> None:
    async with Engine() as engine:
        port = engine.port
    async with serving(configuration(route(endpoint(port)), limits=SHORT)) as (gateway, dial):
        client = await dial()
        got = await client.ask(request())
        assert got.status == 502
        assert gateway.statistics().engine_failures == {"EngineUnreachable": 1}
        assert conserved(gateway)


async def test_an_engine_that_ends_its_side_is_asked_no_more_but_its_answer_counts() -> None:
    """Half open: it sends its end at once, and its answer before it."""

    def half_open(connection: EngineConnection) -> None:
        connection.send(answer())
        connection.transport.write_eof()

    async with Engine([half_open]) as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        for _ in range(3):
            assert (await client.ask(request())).status == 200
        await eventually(lambda: conserved(gateway))


async def test_a_slow_engine_is_waited_for_as_long_as_pieces_come() -> None:
    async def drip(connection: EngineConnection) -> None:
        for byte in FIRST + STREAM_END:
            connection.send(bytes([byte]))
            await asyncio.sleep(0.02)  # all of it takes longer than the longest silence may, each piece much less

    tasks: list[asyncio.Task[None]] = []
    async with (
        Engine([lambda connection: tasks.append(asyncio.get_running_loop().create_task(drip(connection)))]) as engine,
        serving(
            configuration(
                route(endpoint(engine.port)),
                limits=replace(SHORT, upstream_first_byte_seconds=10.0, upstream_silence_seconds=1.0),
            )
        ) as (gateway, dial),
    ):
        client = await dial()
        got = await client.ask(request(ASK_STREAM))
        assert got.body == b'data: {"n":1}\n\n'
        assert left_over(gateway) == []
