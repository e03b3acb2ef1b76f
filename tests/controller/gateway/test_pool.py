import asyncio
import errno
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from controller.gateway.configuration import Limits
from controller.gateway.exchange import Exchange
from controller.gateway.gateway import Gateway
from controller.gateway.pool import Pool
from controller.gateway.upstream import UpstreamConnection
from tests.builders.gateway_configuration import Keys, configuration, endpoint, route
from tests.controller.gateway.conservation import conserved
from tests.controller.gateway.exchanging import eventually, request, serving
from tests.fakes.engine import Engine, EngineConnection, answer


async def test_a_connection_that_is_not_used_is_closed_before_its_engine_would_close_it() -> None:
    limits = replace(Limits(), upstream_idle_seconds=0.4)
    async with (
        Engine() as engine,
        serving(configuration(route(endpoint(engine.port)), limits=limits)) as (gateway, dial),
    ):
        client = await dial()
        await client.ask(request())
        await asyncio.sleep(0.2)
        assert not engine.connections[0].lost.is_set()
        async with asyncio.timeout(3):
            await engine.connections[0].lost.wait()
        assert gateway.resting == set()
        assert (await client.ask(request())).status == 200
        assert len(gateway.resting) == 1
    assert len(engine.connections) == 2


async def test_connections_are_as_many_as_requests_at_once_and_the_last_used_is_used_first() -> None:
    waiting: list[EngineConnection] = []
    async with Engine([waiting.append]) as engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        clients = [await dial() for _ in range(3)]
        for client in clients:
            client.send(request())
        await eventually(lambda: len(waiting) == 3)
        for connection in waiting:
            connection.send(answer())
        for client in clients:
            await client.read()
        last = waiting[-1]
        waiting.clear()
        for _ in range(3):
            clients[0].send(request())
            await eventually(lambda: waiting)
            assert waiting.pop() is last
            last.send(answer())
            await clients[0].read()
    assert len(engine.connections) == 3


async def test_no_more_connections_are_kept_than_allowed() -> None:
    limits = replace(Limits(), upstream_idle_connections=1)
    waiting: list[EngineConnection] = []
    async with (
        Engine([waiting.append]) as engine,
        serving(configuration(route(endpoint(engine.port)), limits=limits)) as (_, dial),
    ):
        clients = [await dial() for _ in range(2)]
        for client in clients:
            client.send(request())
        await eventually(lambda: len(waiting) == 2)
        for connection in waiting:
            connection.send(answer())
        async with asyncio.timeout(3):
            await waiting[1].lost.wait()
        assert not waiting[0].lost.is_set()


async def test_an_engine_that_cannot_be_reached_gets_nothing_until_it_can_be_again() -> None:
    away, other = Engine(), Engine()
    async with away, other, serving(configuration(route(endpoint(away.port), endpoint(other.port)))) as (gateway, dial):
        pool, client = gateway.pools[f"pod-{away.port}"], await dial()
        await away.stop()
        assert [(await client.ask(request())).status for _ in range(20)] == [200] * 20
        assert not pool.reachable
        assert gateway.statistics().unreachable == 1
        assert gateway.statistics().engine_failures == {"EngineUnreachable": 1}
        assert gateway.statistics().qos.models["team-a/llama"].given_back == 1
        async with Engine(port=away.port) as back:
            await eventually(lambda: pool.reachable)
            assert [(await client.ask(request())).status for _ in range(20)] == [200] * 20
            assert back.requests
        assert gateway.statistics().engine_failures == {"EngineUnreachable": 1}


async def test_the_only_engine_comes_back_too() -> None:
    away = Engine()
    async with away, serving(configuration(route(endpoint(away.port)))) as (gateway, dial):
        client = await dial()
        await away.stop()
        assert [(await client.ask(request())).status for _ in range(3)] == [502, 503, 503]
        async with Engine(port=away.port):
            await eventually(lambda: gateway.pools[f"pod-{away.port}"].reachable)
            assert (await client.ask(request())).status == 200


async def test_an_engine_that_is_gone_is_not_tried_for_ever() -> None:
    away = Engine()
    async with away, serving(configuration(route(endpoint(away.port)))) as (gateway, dial):
        await away.stop()
        await (await dial()).ask(request())
        assert len(gateway._running) == 1
        gateway.reload(configuration(route()))
        await eventually(lambda: not gateway._running)


async def test_an_address_that_is_none_costs_its_requests_and_nothing_else() -> None:
    nowhere = replace(endpoint(1), host="x" * 70 + ".example")
    async with Engine() as engine, serving(configuration(route(nowhere, endpoint(engine.port)))) as (_, dial):
        client = await dial()
        assert [(await client.ask(request())).status for _ in range(4)] == [200] * 4


async def test_an_engine_is_not_to_blame_for_what_the_gateway_itself_is_short_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def short(_pool: Pool) -> UpstreamConnection:
        raise OSError(errno.EMFILE, "Too many open files")

    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        with monkeypatch.context() as patched:
            patched.setattr(Pool, "_open", short)
            assert (await client.ask(request())).status == 502
        assert gateway.pools[f"pod-{engine.port}"].reachable
        assert (await client.ask(request())).status == 200


@pytest.mark.parametrize("turns", range(2))
async def test_an_engine_that_closes_what_it_has_just_accepted_keeps_nobody_waiting(turns: int) -> None:
    class Closes(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            later(turns, cast("asyncio.Transport", transport).abort)

    def later(turns: int, call: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_soon(later, turns - 1, call) if turns else call()

    server = await asyncio.get_running_loop().create_server(Closes, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, serving(configuration(route(endpoint(port)))) as (gateway, dial):
        client = await dial()
        for _ in range(5):
            assert (await client.ask(request())).status in (502, 503)
        await eventually(lambda: conserved(gateway))


class Told:
    """Stands for a request, and for a connection that was closed before anybody looked at it."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.transport = self

    def is_closing(self) -> bool:
        return True

    def not_connected(self, error: Exception) -> None:
        self.errors.append(error)


async def test_a_connection_that_was_closed_unseen_is_neither_kept_nor_used() -> None:
    async with Gateway(configuration(route(endpoint(1))), authenticator=Keys()) as gateway:
        pool, request = gateway.pools["pod-1"], Told()
        pool._waiting.append(cast("Exchange", request))
        for _ in range(2):
            pool.add(cast("UpstreamConnection", Told()))
        assert (len(request.errors), pool._idle, len(pool._waiting)) == (1, [], 0)
