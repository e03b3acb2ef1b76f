"""Seats of others are found out by asking replicas and engines, which here are servers on the loopback address."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import pytest
from aiohttp import web

from controller.gateway.configuration import Endpoint, ServiceRoute
from controller.gateway.gateway import Gateway
from controller.gateway.shards.coordinator import Replica
from controller.gateway.shards.handover import Stand
from controller.gateway.shards.lease_view import Member
from controller.gateway.shards.ownership import STATUS_PATH, ShardOwnership
from controller.gateway.shards.partitions import shard_of
from controller.gateway.shards.residents import Left, Residents, Takeover
from controller.gateway.shards.settling import Settling
from controller.gateway.shards.timing import ShardTiming
from controller.qos.request import IN_FLIGHT
from controller.qos.settings import Member as Pod
from controller.qos.settings import ModelSettings, PartitionSettings, QoSClass, QoSSettings
from controller.runtime.client.client import Client
from controller.runtime.clock import RealClock
from tests.controller.gateway.exchanging import eventually

PARTITION, POD, SEATS = "node-0/0000:05:00.0/0", "pod-0", 4
TIMING = ShardTiming(engine_lag=0.1, ask=0.02, look=0.05, quiet_after=0.3)
SETTINGS = QoSSettings(
    (QoSClass("standard", 1),),
    {"a/m": ModelSettings("a/m", "standard")},
    {PARTITION: PartitionSettings(PARTITION, (Pod(POD, "a/m", SEATS),))},
)


@dataclass
class Other:
    """An engine and a replica at once: what they say, and how often each was asked."""

    has: int | None = 0
    in_flight: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    silent: bool = False
    asked: list[str] = field(default_factory=list)
    port: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.path == STATUS_PATH:
            if self.silent:
                raise web.HTTPServiceUnavailable
            body = {"identity": "other", "inFlight": self.in_flight, "waiting": self.waiting}
            return web.json_response(body)
        if self.has is None:
            return web.Response(text="# nothing about requests\n")
        return web.Response(text=f"vllm:num_requests_running {self.has}\nvllm:num_requests_waiting 0\n")


@dataclass
class Exchange:
    """One of ours at the engine, since `dispatched`."""

    pool: Any
    manager: Any
    dispatched: float
    state: int = IN_FLIGHT


@dataclass
class Connection:
    exchange: Any


class Stub:
    """What ownership asks of a gateway."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.loop = asyncio.get_running_loop()
        self.manager = object()
        self.pools = {endpoint.uid: type("Pool", (), {"endpoint": endpoint})()}
        self.peer_pages: dict[str, object] = {}
        self.connections: list[Connection] = []
        self.settled = 0

    def dispatch(self, ago: float) -> Exchange:
        exchange = Exchange(self.pools[POD], self.manager, self.loop.time() - ago)
        self.connections.append(Connection(exchange))
        return exchange

    def clients(self) -> list[Connection]:
        return self.connections

    def settle(self) -> None:
        self.settled += 1


@dataclass
class Site:
    other: Other
    ownership: ShardOwnership
    gateway: Stub

    def taken(self) -> int:
        return self.ownership.taken().get(POD, 0)

    def free(self) -> int:
        (member,) = self.ownership.narrow(SETTINGS).partitions[PARTITION].members
        return member.seats if member.ready else 0


@asynccontextmanager
async def site(left: Left, *, members: bool = True) -> AsyncIterator[Site]:
    other, app = Other(), web.Application()
    app.router.add_get("/{path:.*}", other.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    other.port = runner.addresses[0][1]
    clock = RealClock()
    ownership = ShardOwnership(
        cast("Client", None), Replica("me", "g", "ns"), clock=clock, rng=Random(1), timing=TIMING
    )
    gateway = Stub(Endpoint(POD, "127.0.0.1", other.port, PARTITION, SEATS))
    ownership.attach(cast("Gateway", gateway))
    ownership.narrow(SETTINGS)
    keeper = ownership.coordinator.keepers[shard_of(PARTITION)]
    keeper.stand = Stand.HOLDING
    now = clock.monotonic()
    keeper.residents = Residents("me", left, Takeover(now, now + 0.1, now + 600))
    if members:
        ownership.coordinator._members = {"other": Member("other", "127.0.0.1", other.port)}
    try:
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(Settling(ownership, clock=clock).run())
            yield Site(other, ownership, gateway)
            running.cancel()
    finally:
        await runner.cleanup()


async def test_what_another_left_falls_as_it_says_and_its_engine_is_left_in_peace() -> None:
    async with site({"other": {POD: 2}}) as here:
        here.other.in_flight = {POD: 2}
        await asyncio.sleep(0.1)
        assert (here.taken(), here.free()) == (2, SEATS - 2)
        here.other.in_flight = {POD: 1}
        await eventually(lambda: here.taken() == 1)
        here.other.in_flight = {}
        await eventually(lambda: here.taken() == 0)
        assert here.gateway.settled >= 2
        assert set(here.other.asked) == {STATUS_PATH}


async def test_of_one_that_is_lost_the_engine_is_asked_but_not_before_it_has_counted_all() -> None:
    async with site({"lost": None}, members=False) as here:
        here.other.has = 3
        assert (here.taken(), here.free()) == (SEATS, 0)
        await eventually(lambda: here.taken() == 3)
        here.other.has = 0
        await eventually(lambda: here.taken() == 0)
        assert here.free() == SEATS
        asked = len(here.other.asked)
        await asyncio.sleep(0.2)
        assert len(here.other.asked) == asked  # there is nothing left to be asked


async def test_a_member_that_does_not_answer_is_as_good_as_lost() -> None:
    async with site({"other": {POD: 2}}) as here:
        here.other.silent, here.other.has = True, 0
        await eventually(lambda: here.taken() == 0)
        assert "/metrics" in here.other.asked


async def test_an_engine_that_does_not_say_stays_as_it_is() -> None:
    async with site({"lost": None}, members=False) as here:
        here.other.has = None
        await asyncio.sleep(0.4)
        assert here.taken() == SEATS


async def test_ours_that_are_long_there_are_told_from_others() -> None:
    async with site({"lost": None}, members=False) as here:
        here.gateway.dispatch(ago=60.0)
        here.other.has = 2
        await eventually(lambda: here.taken() == 1)
        assert here.free() == SEATS - 1


async def test_where_ours_come_and_go_too_fast_the_engine_is_left_alone_for_a_moment_and_asked() -> None:
    async with site({"lost": {POD: 2}}, members=False) as here:
        exchange = here.gateway.dispatch(ago=0.0)
        here.other.has = 2  # one of ours, one of theirs: nobody can tell
        await asyncio.sleep(0.2)
        assert (here.taken(), here.free()) == (2, SEATS - 2)
        here.other.has = 1
        await eventually(lambda: here.free() == 0 or here.taken() < 2)
        here.gateway.connections.clear()
        exchange.state = 3
        here.other.has = 0
        await eventually(lambda: here.taken() == 0)
        assert here.free() == SEATS


async def test_what_waits_elsewhere_is_heard() -> None:
    async with site({}) as here:
        here.other.waiting = {"a/m": 7}
        await eventually(lambda: here.ownership._waiting.get("other") == {"a/m": 7})


@pytest.mark.parametrize("asked", ["orders", "owner"])
async def test_a_request_in_the_very_turn_in_which_a_partition_becomes_ours_meets_a_dispatcher_that_knows(
    asked: str,
) -> None:
    async with site({}) as here:
        await asyncio.sleep(0)
        before = here.gateway.settled
        route = ServiceRoute("a", "m", (), SETTINGS.models["a/m"], (here.gateway.pools[POD].endpoint,))
        here.ownership.settle()
        assert here.gateway.settled == before  # others may change in this turn, too
        assert getattr(here.ownership, asked)(route) is {"orders": True, "owner": None}[asked]
        assert here.gateway.settled == before + 1
        await asyncio.sleep(0.01)
        assert here.gateway.settled == before + 1
