"""The orderly end: what is under way is answered, nothing new begins, and it ends in time."""

import asyncio
import socket
import time

import pytest

from controller.gateway.gateway import Gateway
from tests.builders.gateway_configuration import configuration, endpoint, route
from tests.controller.gateway.conservation import left_over
from tests.controller.gateway.exchanging import ASK_STREAM, eventually, request, serving
from tests.fakes.engine import STREAM_END, STREAM_HEAD, Engine, event, silent


async def begin_drain(gateway: Gateway, group: asyncio.TaskGroup, seconds: float) -> asyncio.Task[None]:
    task = group.create_task(gateway.drain(seconds))
    await asyncio.sleep(0.01)
    return task


async def test_what_is_under_way_is_answered_and_its_connection_closed() -> None:
    engine = Engine([STREAM_HEAD + event(b'{"n":1}')])
    async with engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        client.send(request(ASK_STREAM))
        await client.head()
        await client.chunk()
        async with asyncio.TaskGroup() as group:
            drained = await begin_drain(gateway, group, 10)
            await asyncio.sleep(1.2)  # by now idle ones are closed
            assert not drained.done()
            engine.connections[0].send(event(b'{"n":2}') + STREAM_END)
            assert [await client.chunk(), await client.chunk()] == [b'data: {"n":2}\n\n', b""]
            assert await client.ended()
        assert left_over(gateway) == []


async def test_a_request_on_an_open_connection_is_answered_with_the_word_that_it_was_the_last() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        assert "connection" not in (await client.ask(request())).headers
        async with asyncio.TaskGroup() as group:
            await begin_drain(gateway, group, 10)
            got = await client.ask(request())
            assert (got.status, got.headers["connection"]) == (200, "close")
            assert await client.ended()


async def test_nobody_new_is_let_in() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        await gateway.drain(0.1)
        with pytest.raises(ConnectionRefusedError):
            await dial()


async def test_what_was_sent_during_a_stall_is_answered() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        await client.ask(request())
        here, there = socket.socketpair()

        def stall() -> None:
            """While the loop reads: it runs what is due by then before it reads anything else."""
            asyncio.get_running_loop().remove_reader(here)
            client.send(request())
            time.sleep(1.3)  # longer than idle connections are kept

        with here, there:
            async with asyncio.TaskGroup() as group:
                await begin_drain(gateway, group, 10)
                asyncio.get_running_loop().add_reader(here, stall)
                there.send(b"now")
                assert (await client.read()).status == 200
                assert await client.ended()


async def test_who_is_idle_is_closed_after_a_moment() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        await client.ask(request())
        async with asyncio.timeout(3):
            await gateway.drain(60)
        assert await client.ended()


async def test_it_ends_in_time_and_what_is_left_is_cut() -> None:
    async with Engine([silent]) as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        client.send(request())
        await eventually(lambda: engine.requests)
        async with asyncio.timeout(2):
            await gateway.drain(0.2)
        assert gateway.statistics().connections == 1
    assert await client.ended()
