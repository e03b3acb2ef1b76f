"""What tests of traffic share: a gateway before two engines on one partition, with a record of what these do."""

import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import aiohttp

from controller.gateway.configuration import Endpoint, GatewayConfiguration
from controller.gateway.gateway import Gateway
from controller.qos.settings import ModelSettings
from e2e.engine.engine import Neighbours
from e2e.engine.record import Entry
from e2e.engine.server import serving
from e2e.engine.settings import EngineSettings
from e2e.engine.speed import Speed
from e2e.run.traffic.caller import Caller
from e2e.run.traffic.judgement import Roles
from tests.builders.gateway_configuration import KEY, Keys, configuration, route

ROLES = Roles("team-a/assistant", "team-a/drafts", minimum=3, maximum=6, seats=8)
SPEED = Speed(floor=0.004, read=0.004)
SEATS = 8
"""Of each engine, and of the partition: what one has the other has not."""


@dataclass
class Stage:
    """A gateway before two engines on one partition."""

    gateway: Gateway
    url: str
    caller: Caller
    services: dict[str, str]
    record: io.StringIO

    def recorded(self) -> int:
        return len(self.record.getvalue())

    def entries(self, start: int = 0) -> list[Entry]:
        return [Entry.read(line) for line in self.record.getvalue()[start:].splitlines()]


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
        limited = ModelSettings(ROLES.flooded, "realtime", maximum=maximum, queue_length=16, queue_timeout=5.0)
        made = configuration(
            replace(route(endpoints[ROLES.neighbour], name="assistant", settings=promised), shared_seats=ROLES.seats),
            replace(route(endpoints[ROLES.flooded], name="drafts", settings=limited), shared_seats=ROLES.seats),
        )
        gateway = await stack.enter_async_context(running(made))
        port = await gateway.serve("127.0.0.1", 0)
        url = f"http://127.0.0.1:{port}"
        session = await stack.enter_async_context(aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)))
        caller = Caller(session, {"team-a": KEY.decode()})
        yield Stage(gateway, url, caller, {one.uid: service for service, one in endpoints.items()}, record)


def running(made: GatewayConfiguration) -> Gateway:
    return Gateway(made, authenticator=Keys())
