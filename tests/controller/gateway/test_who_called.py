"""One gateway, several callers in turn: each is served as who it is, however often somebody else asked the same before."""

import asyncio
from dataclasses import replace

from controller.gateway.configuration import Caller
from controller.gateway.errors import Problem
from controller.gateway.reload import Lane, Serving
from controller.qos.settings import TenantSettings
from tests.builders.gateway_configuration import Keys, caller, configuration, endpoint, route
from tests.controller.gateway.exchanging import eventually, request, serving
from tests.fakes.engine import Engine, answer, silent

BOTH = frozenset({"team-a", "team-b"})


def lane(serving: Serving, who: Caller) -> Lane:
    found = serving.lane("llama", who, None)
    assert not isinstance(found, Problem)
    return found


def test_a_ceiling_holds_also_after_another_caller_asked_without_one() -> None:
    served = Serving(configuration(route(endpoint(1), qos_class="realtime")))
    asked = [lane(served, who).qos_class for who in (caller(), caller(ceiling="batch"), caller())]
    assert asked == ["realtime", "batch", "realtime"]


def test_callers_of_equal_rights_reach_each_their_own_service() -> None:
    served = Serving(configuration(route(endpoint(1)), route(endpoint(2), namespace="team-b")))
    callers = [replace(caller(tenant), namespaces=BOTH) for tenant in ("team-a", "team-b", "team-a")]
    assert [lane(served, who).model for who in callers] == ["team-a/llama", "team-b/llama", "team-a/llama"]


async def test_a_tenants_rate_is_its_own() -> None:
    callers = {b"a": replace(caller("team-a"), namespaces=BOTH), b"b": replace(caller("team-b"), namespaces=BOTH)}
    async with Engine() as engine:
        given = replace(configuration(route(endpoint(engine.port))), tenants={"team-b": TenantSettings(max_rate=1)})
        async with serving(given, Keys(callers)) as (_, dial):
            client = await dial()
            statuses = [(await client.ask(request(key=key))).status for key in (b"b", b"b", b"a", b"a", b"a")]
    assert statuses == [200, 429, 200, 200, 200]


async def test_tenants_take_turns_at_a_seat() -> None:
    """One waits with twenty requests before the other comes with one, which is served second and not last."""
    callers = {
        b"flood": replace(caller("team-a"), namespaces=BOTH),
        b"other": replace(caller("team-b"), namespaces=BOTH),
    }
    order: list[str] = []
    async with Engine([silent, answer()]) as engine:
        given = configuration(route(endpoint(engine.port, seats=1)))
        async with serving(given, Keys(callers)) as (gateway, dial):

            def queued() -> int:
                return sum(gateway.statistics().qos.models["team-a/llama"].queued.values())

            async def ask(key: bytes) -> None:
                assert (await (await dial()).ask(request(key=key))).status == 200
                order.append(key.decode())

            async with asyncio.TaskGroup() as asking:
                for _ in range(20):
                    asking.create_task(ask(b"flood"))
                await eventually(lambda: queued() == 19)
                asking.create_task(ask(b"other"))
                await eventually(lambda: queued() == 20)
                engine.connections[0].send(answer())
    assert order.index("other") <= 2
