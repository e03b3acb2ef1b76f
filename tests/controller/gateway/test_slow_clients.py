"""Clients that take their time: each wait has an end, and none of them makes the gateway hold more than it may."""

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from controller.gateway.configuration import Limits
from tests.builders.gateway_configuration import KEY, configuration, endpoint, route
from tests.controller.gateway.conservation import conserved
from tests.controller.gateway.exchanging import ASK, ASK_STREAM, Client, Dial, eventually, request, serving
from tests.fakes.engine import STREAM_HEAD, Engine, EngineConnection, answer, event, silent


def transport(client: Client) -> asyncio.Transport:
    return cast("asyncio.Transport", client.writer.transport)


SHORT = replace(Limits(), head_seconds=0.3, body_seconds=0.3, idle_seconds=0.6, write_seconds=0.5, buffer_bytes=16_384)
SLOW = [
    ("in its head", request()[:30], 408, "HeadTimeout"),
    ("before the head's last line", request(b"")[:-2], 408, "HeadTimeout"),
    ("in its body", request()[:-1], 408, "BodyTimeout"),
    (
        "in a chunk",
        request().partition(b"content-length")[0] + b"transfer-encoding: chunked\r\n\r\n5\r\nab",
        408,
        "BodyTimeout",
    ),
]


@pytest.mark.parametrize(("sent", "want", "want_reason"), [row[1:] for row in SLOW], ids=[row[0] for row in SLOW])
async def test_a_client_that_stops(sent: bytes, want: int, want_reason: str) -> None:
    async with (
        Engine() as engine,
        serving(configuration(route(endpoint(engine.port)), limits=SHORT)) as (gateway, dial),
    ):
        client = await dial()
        client.send(sent)
        got = await client.read()
        assert (got.status, got.headers["x-aim-reason"]) == (want, want_reason)
        assert await client.ended()
        assert conserved(gateway)
    assert engine.requests == []


async def test_a_byte_now_and_then_makes_a_head_no_younger() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)), limits=SHORT)) as (_, dial):
        client = await dial()
        reading = asyncio.get_running_loop().create_task(client.read())
        sent = 0
        for byte in request() * 2:
            client.send(bytes([byte]))
            sent += 1
            await asyncio.sleep(0.02)
            if reading.done():
                break
        assert (await reading).status == 408
        assert sent < 75  # what is sent in a second and a half: fewer where all is slower


async def test_a_client_that_asks_nothing_is_closed_in_silence() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)), limits=SHORT)) as (_, dial):
        fresh, used = await dial(), await dial()
        assert (await used.ask(request())).status == 200
        assert await fresh.ended()
        assert await used.ended()


def flood(connection: EngineConnection) -> None:
    """Sends a stream without an end as fast as the gateway takes it."""
    connection.send(STREAM_HEAD)
    loop = asyncio.get_running_loop()
    piece = event(b'{"text":"%b"}' % (b"x" * 8000))

    def more() -> None:
        if not connection.lost.is_set():
            if connection.transport.get_write_buffer_size() < 1 << 20:
                connection.send(piece)
            loop.call_later(0.0002, more)

    more()


async def begin_stream(dial: Dial) -> Client:
    client = await dial()
    transport(client).pause_reading()
    client.send(request(ASK_STREAM))
    return client


async def test_who_does_not_read_a_stream_stops_its_engine_and_is_cut_off_in_the_end() -> None:
    limits = replace(SHORT, write_seconds=1.5)
    async with Engine([flood]) as engine, serving(configuration(route(endpoint(engine.port)), limits=limits)) as served:
        gateway, dial = served
        await begin_stream(dial)
        await eventually(lambda: engine.connections)
        await eventually(lambda: engine.connections[0].transport.get_write_buffer_size() >= 1 << 20)
        (server,) = gateway._servers
        (held,) = server.connections
        assert held.transport.get_write_buffer_size() < 8 * limits.buffer_bytes
        await eventually(lambda: gateway.statistics().connections == 0)
        await eventually(lambda: engine.connections[0].lost.is_set())
        assert conserved(gateway)


async def test_who_reads_again_gets_the_rest() -> None:
    body = b'{"text":"%b"}' % (b"x" * 64_000_000)  # more than sockets' buffers hold together, so the engine waits
    async with (
        Engine([answer(body)]) as engine,
        serving(configuration(route(endpoint(engine.port)))) as (gateway, dial),
    ):
        client = await begin_stream(dial)
        await eventually(lambda: engine.requests)
        await asyncio.sleep(0.3)
        transport(client).resume_reading()
        assert (await client.read()).body == body
        assert conserved(gateway)


async def test_requests_in_a_row_whose_answers_nobody_reads_are_not_answered_on_and_on() -> None:
    """Each answer is small, so no single one fills the buffer: what is held stays bounded all the same."""
    body = b'{"text":"%b"}' % (b"x" * 10_000)
    limits = replace(SHORT, write_seconds=1.5)
    async with (
        Engine([answer(body)]) as engine,
        serving(configuration(route(endpoint(engine.port)), limits=limits)) as served,
    ):
        gateway, dial = served
        client = await dial()
        transport(client).pause_reading()
        client.send(request() * 3000)
        await eventually(lambda: gateway.statistics().connections == 1)
        (server,) = gateway._servers
        (held,) = server.connections
        most = 0
        async with asyncio.timeout(20):
            while gateway.statistics().connections:
                most = max(most, held.transport.get_write_buffer_size())
                await asyncio.sleep(0.01)
        assert most < 4 * limits.buffer_bytes
        assert len(engine.requests) < 3000
        await eventually(lambda: conserved(gateway))


async def test_requests_in_a_row_are_answered_on_once_their_answers_are_read() -> None:
    body = b'{"text":"%b"}' % (b"x" * 10_000)
    async with (
        Engine([answer(body)]) as engine,
        serving(configuration(route(endpoint(engine.port)))) as (gateway, dial),
    ):
        client = await dial()
        transport(client).pause_reading()
        client.send(request() * 1000)
        (server,) = gateway._servers
        await eventually(lambda: any(one._paused for one in server.connections), within=10)
        transport(client).resume_reading()
        for _ in range(1000):
            assert (await client.read()).status == 200
        assert conserved(gateway)


async def test_requests_sent_ahead_are_held_up_to_a_bound() -> None:
    async with Engine([silent]) as engine, serving(configuration(route(endpoint(engine.port)), limits=SHORT)) as served:
        gateway, dial = served
        client = await dial()
        client.send(request())
        await eventually(lambda: engine.requests)
        client.send(request() * 100_000)
        await asyncio.sleep(0.2)
        (server,) = gateway._servers
        (held,) = server.connections
        assert len(held._held) < SHORT.buffer_bytes + (1 << 18)
        client.writer.transport.abort()
        engine.connections[0].send(answer())  # a client that is not read is seen to have gone when it is written to
        await eventually(lambda: conserved(gateway) and gateway.statistics().connections == 0)


async def test_a_body_longer_than_allowed_is_refused_however_it_comes() -> None:
    limits = replace(Limits(), body_bytes=100)
    long = b'{"model":"llama","messages":["%b"]}' % (b"x" * 200)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %b\r\n" % KEY
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)), limits=limits)) as (_, dial):
        statuses = [
            (await (await dial()).ask(request(long))).status,
            (await (await dial()).ask(request(long)[:-100])).status,
            (
                await (await dial()).ask(
                    head + b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(long), long)
                )
            ).status,
            (await (await dial()).ask(request(ASK))).status,
        ]
    assert statuses == [413, 413, 413, 200]
    assert len(engine.requests) == 1


async def test_connections_beyond_those_of_one_client_are_closed() -> None:
    limits = replace(Limits(), connections_per_client=3)
    async with (
        Engine() as engine,
        serving(configuration(route(endpoint(engine.port)), limits=limits)) as (gateway, dial),
    ):
        clients = [await dial() for _ in range(5)]
        await eventually(lambda: gateway.statistics().turned_away == 2)
        assert (await clients[0].ask(request())).status == 200
        clients[0].writer.close()
        await eventually(lambda: gateway.statistics().connections == 2)
        assert (await (await dial()).ask(request())).status == 200
