"""A client that goes, at every stage of its request: the engine stops, the seat is back, and one outcome is counted."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest

from controller.gateway.gateway import Gateway
from tests.builders.gateway_configuration import configuration, endpoint, route
from tests.controller.gateway.conservation import conserved
from tests.controller.gateway.exchanging import ASK_STREAM, Client, Dial, eventually, request, serving
from tests.fakes.engine import STREAM_END, STREAM_HEAD, Engine, EngineConnection, answer, event, silent

MODEL = "team-a/llama"
WHOLE = request(ASK_STREAM)


def half_stream(connection: EngineConnection) -> None:
    connection.send(STREAM_HEAD + event(b'{"n":1}'))


def ends(client: Client) -> None:
    client.writer.close()


def resets(client: Client) -> None:
    sock = client.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


Stage = Callable[[Gateway, Engine, Client], Awaitable[None]]


async def in_its_head(gateway: Gateway, engine: Engine, client: Client) -> None:
    client.send(WHOLE[:40])
    await eventually(lambda: gateway.statistics().connections == 1)
    await asyncio.sleep(0.01)


async def in_its_body(gateway: Gateway, engine: Engine, client: Client) -> None:
    client.send(WHOLE[:-5])
    await eventually(lambda: gateway.statistics().connections == 1)
    await asyncio.sleep(0.01)


async def before_the_head(gateway: Gateway, engine: Engine, client: Client) -> None:
    engine.answers = [silent]
    client.send(WHOLE)
    await eventually(lambda: engine.requests)


async def after_the_head_alone(gateway: Gateway, engine: Engine, client: Client) -> None:
    engine.answers = [STREAM_HEAD]
    client.send(WHOLE)
    await eventually(lambda: engine.requests)
    await asyncio.sleep(0.01)


async def in_the_stream(gateway: Gateway, engine: Engine, client: Client) -> None:
    engine.answers = [half_stream]
    client.send(WHOLE)
    await client.head()
    await client.chunk()


async def with_another_request_sent_already(gateway: Gateway, engine: Engine, client: Client) -> None:
    engine.answers = [half_stream]
    client.send(WHOLE + WHOLE)
    await client.head()
    await client.chunk()


STAGES: list[tuple[Stage, int]] = [
    (in_its_head, 0),
    (in_its_body, 0),
    (before_the_head, 1),
    (after_the_head_alone, 1),
    (in_the_stream, 1),
    (with_another_request_sent_already, 1),
]


@pytest.mark.parametrize("goes", [ends, resets])
@pytest.mark.parametrize(("stage", "want_asked"), STAGES, ids=[stage.__name__ for stage, _ in STAGES])
async def test_a_client_that_goes(stage: Stage, want_asked: int, goes: Callable[[Client], None]) -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        await stage(gateway, engine, client)
        goes(client)
        await eventually(lambda: gateway.statistics().connections == 0)
        assert conserved(gateway)
        assert len(engine.requests) == want_asked
        assert gateway.statistics().qos.models[MODEL].cancelled == want_asked
        for connection in engine.connections:
            async with asyncio.timeout(30):
                await connection.lost.wait()
        engine.answers = [answer()]
        assert (await (await dial()).ask(request())).status == 200


async def occupy(dial: Dial, engine: Engine, seats: int) -> list[Client]:
    """Takes every seat of an engine that does not answer."""
    clients = [await dial() for _ in range(seats)]
    for client in clients:
        client.send(WHOLE)
    await eventually(lambda: len(engine.requests) == seats)
    return clients


async def test_a_client_that_goes_while_it_waits_never_reaches_an_engine() -> None:
    async with Engine([silent]) as engine, serving(configuration(route(endpoint(engine.port, seats=2)))) as served:
        gateway, dial = served
        holders = await occupy(dial, engine, 2)
        waiting = [await dial() for _ in range(5)]
        for client in waiting:
            client.send(WHOLE)
        await eventually(lambda: sum(gateway.statistics().qos.models[MODEL].queued.values()) == 5)
        for client in waiting[:4]:
            resets(client)
        await eventually(lambda: sum(gateway.statistics().qos.models[MODEL].queued.values()) == 1)
        ends(holders[0])
        await eventually(lambda: len(engine.requests) == 3)
        for client in (holders[1], waiting[4]):
            ends(client)
        await eventually(lambda: conserved(gateway) and gateway.statistics().connections == 0)
        assert len(engine.requests) == 3


async def test_a_client_that_goes_while_its_engine_is_being_connected() -> None:
    """An address where nobody answers: a listening socket whose queue is full."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        async with serving(configuration(route(endpoint(port)))) as (gateway, dial):
            client = await dial()
            client.send(WHOLE)
            await eventually(lambda: gateway.statistics().qos.models[MODEL].in_flight == 1)
            ends(client)
            await eventually(lambda: gateway.statistics().connections == 0)
            assert conserved(gateway)
        for filler in fillers:
            filler.close()


async def test_many_that_come_and_go_at_any_time_leave_nothing_behind() -> None:
    """Forty clients a round, each going after another while, from before its head is whole to after its answer."""

    def stream(connection: EngineConnection) -> None:
        loop = asyncio.get_running_loop()
        connection.send(STREAM_HEAD)
        for number in range(1, 5):
            loop.call_later(number * 0.004, send, connection, event(b'{"n":%d}' % number))
        loop.call_later(0.02, send, connection, STREAM_END)

    def send(connection: EngineConnection, data: bytes) -> None:
        if not connection.lost.is_set():
            connection.send(data)

    async with Engine([stream]) as engine, serving(configuration(route(endpoint(engine.port, seats=8)))) as served:
        gateway, dial = served
        for round_ in range(4):
            clients = [await dial() for _ in range(40)]
            for number, client in enumerate(clients):
                client.send(WHOLE if number % 3 else WHOLE[: 50 * (number % 7) + 1])
            for number, client in enumerate(clients):
                await asyncio.sleep(0.001 * (round_ + 1))
                (ends if number % 2 else resets)(client)
        await eventually(lambda: gateway.statistics().connections == 0 and conserved(gateway))
        engine.answers = [answer()]
        assert (await (await dial()).ask(request())).status == 200
