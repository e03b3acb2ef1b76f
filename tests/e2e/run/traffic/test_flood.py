import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest

from controller.gateway.configuration import Endpoint, GatewayConfiguration
from controller.gateway.gateway import Gateway
from controller.qos.settings import ModelSettings
from e2e.engine.engine import Neighbours
from e2e.engine.record import Entry
from e2e.engine.server import serving
from e2e.engine.settings import EngineSettings
from e2e.engine.speed import Speed
from e2e.run.traffic.caller import Caller
from e2e.run.traffic.flood import Flood
from e2e.run.traffic.judgement import Roles, judge
from e2e.run.traffic.latencies import Latencies
from tests.builders.gateway_configuration import KEY, Keys, configuration, route

ROLES = Roles("team-a/assistant", "team-a/drafts", minimum=4, maximum=4)
SPEED = Speed(floor=0.004, read=0.004)
SEATS = 8


@dataclass
class Stage:
    """A gateway before two engines on one partition."""

    gateway: Gateway
    caller: Caller
    services: dict[str, str]
    record: io.StringIO

    def entries(self) -> list[Entry]:
        return [Entry.read(line) for line in self.record.getvalue().splitlines()]


@asynccontextmanager
async def stage(*, maximum: int | None = ROLES.maximum) -> AsyncIterator[Stage]:
    record, neighbours = io.StringIO(), Neighbours()
    async with AsyncExitStack() as stack:
        endpoints = {}
        for service in (ROLES.neighbour, ROLES.flooded):
            settings = EngineSettings(
                model=service, engine=f"pod-of-{service}", partition="node-0/gpu/0", seats=SEATS, speed=SPEED
            )
            served = await stack.enter_async_context(serving(settings, record=record, neighbours=neighbours))
            endpoints[service] = Endpoint(settings.engine, "127.0.0.1", served.port, settings.partition, SEATS)
        promised = ModelSettings(ROLES.neighbour, "standard", minimum=ROLES.minimum)
        limited = ModelSettings(ROLES.flooded, "batch", maximum=maximum, queue_length=16, queue_timeout=5.0)
        made = configuration(
            route(endpoints[ROLES.neighbour], name="assistant", settings=promised),
            route(endpoints[ROLES.flooded], name="drafts", settings=limited),
        )
        gateway = await stack.enter_async_context(running(made))
        port = await gateway.serve("127.0.0.1", 0)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=aiohttp.TCPConnector(limit=0))
        )
        caller = Caller(session, {"team-a": KEY.decode()})
        yield Stage(gateway, caller, {one.uid: service for service, one in endpoints.items()}, record)


def running(made: GatewayConfiguration) -> Gateway:
    return Gateway(made, authenticator=Keys())


@pytest.mark.alone
async def test_guarantees_hold_while_one_of_two_models_is_flooded() -> None:
    async with stage() as found:
        flood = Flood(found.caller, Latencies(), ROLES)
        scene = await flood.play(calm_seconds=1.0, flood_seconds=3.0)
        judged = judge(ROLES, scene, found.entries(), found.services)
    assert judged.problems == ()
    assert judged.most_flooded == ROLES.maximum
    assert {sent.reason for sent in scene.flood} == {"", "QueueFull"}


async def test_a_maximum_that_nobody_keeps_is_noticed_by_the_engines_record() -> None:
    async with stage(maximum=None) as found:
        flood = Flood(found.caller, Latencies(), ROLES)
        scene = await flood.play(calm_seconds=0.2, flood_seconds=1.0)
        judged = judge(ROLES, scene, found.entries(), found.services)
    assert f"{ROLES.flooded} had {SEATS} requests in flight, {ROLES.maximum} may be" in judged.problems
