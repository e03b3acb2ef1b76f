"""A hundred reloads while clients ask: no request fails, none is lost, and what is asked of a draining engine ends there."""

import asyncio
from dataclasses import replace

import pytest

from controller.gateway.configuration import GatewayConfiguration
from controller.qos.settings import ModelSettings
from tests.builders.gateway_configuration import configuration, endpoint, route
from tests.controller.gateway.conservation import conserved
from tests.controller.gateway.exchanging import ASK_STREAM, Dial, eventually, request, serving
from tests.fakes.engine import STREAM_END, STREAM_HEAD, Engine, EngineConnection, answer, event

RELOADS = 100


def soon(connection: EngineConnection) -> None:
    """An answer in two pieces, some milliseconds apart."""
    loop = asyncio.get_running_loop()
    connection.send(STREAM_HEAD + event(b'{"n":1}'))
    loop.call_later(0.004, connection.send, event(b'{"n":2}') + STREAM_END)


def turned(number: int, engines: list[Engine]) -> GatewayConfiguration:
    """The configuration of a turn: an engine that drains or is gone, other seats, bounds and classes."""
    there = [
        endpoint(engine.port, uid=f"pod-{index}", seats=2 + (number + index) % 5)
        for index, engine in enumerate(engines)
    ]
    index = number % len(there)
    if number % 3 == 0:
        there[index] = replace(there[index], ready=False)
    elif number % 3 == 1:
        del there[index]
    settings = ModelSettings(
        "team-a/llama",
        ("standard", "batch", "realtime")[number % 3],
        minimum=number % 2,
        maximum=None if number % 4 else 6,
    )
    other = route(name=f"other-{number}")
    return configuration(route(*there, settings=settings), other)


async def ask_until(dial: Dial, end: asyncio.Event, statuses: list[int]) -> None:
    client = await dial()
    while not end.is_set():
        got = await client.ask(request(ASK_STREAM))
        assert got.body == b'data: {"n":1}\n\ndata: {"n":2}\n\n'
        statuses.append(got.status)


async def test_a_hundred_reloads_cost_no_request() -> None:
    async with Engine([soon]) as one, Engine([soon]) as two, Engine([soon]) as three:
        engines = [one, two, three]
        async with serving(turned(2, engines)) as (gateway, dial):
            end, statuses = asyncio.Event(), list[int]()
            async with asyncio.TaskGroup() as group:
                for _ in range(16):
                    group.create_task(ask_until(dial, end, statuses))
                for number in range(RELOADS):
                    await asyncio.sleep(0.01)
                    # under load, however slow the machine
                    await eventually(lambda wanted=5 * number: len(statuses) >= wanted)
                    gateway.reload(turned(number, engines))
                end.set()
            await eventually(lambda: conserved(gateway))
            asked = sum(len(engine.requests) for engine in engines)
            assert gateway.statistics().reloads == RELOADS
            assert set(statuses) == {200}
            assert len(statuses) == asked > 4 * RELOADS


async def test_a_request_of_a_service_that_is_taken_away_ends_as_it_began() -> None:
    engine = Engine([STREAM_HEAD + event(b'{"n":1}')])
    async with engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        client.send(request(ASK_STREAM))
        await client.head()
        gateway.reload(configuration(route(name="other")))
        assert (await (await dial()).ask(request())).status == 404
        engine.connections[0].send(event(b'{"n":2}') + STREAM_END)
        assert [await client.chunk() for _ in range(3)] == [b'data: {"n":1}\n\n', b'data: {"n":2}\n\n', b""]
        assert (await client.ask(request())).status == 404
        assert conserved(gateway)


async def test_who_waits_for_a_service_that_is_taken_away_is_told() -> None:
    engine = Engine([STREAM_HEAD + event(b"1"), answer()])
    async with engine, serving(configuration(route(endpoint(engine.port, seats=1)))) as (gateway, dial):
        holder, waiter = await dial(), await dial()
        holder.send(request(ASK_STREAM))
        await holder.head()
        waiter.send(request())
        await eventually(lambda: sum(gateway.statistics().qos.models["team-a/llama"].queued.values()) == 1)
        gateway.reload(configuration(route(name="other")))
        got = await waiter.read()
        assert (got.status, got.headers["x-aim-reason"]) == (503, "UnknownModel")
        holder.writer.close()
        await eventually(lambda: conserved(gateway))


async def test_a_configuration_that_cannot_be_served_changes_nothing() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        wrong = ModelSettings("team-a/llama", "standard", minimum=-1)
        with pytest.raises(ValueError, match="minimum"):
            gateway.reload(configuration(route(endpoint(engine.port), settings=wrong)))
        assert (await (await dial()).ask(request())).status == 200
        assert gateway.statistics().reloads == 0
