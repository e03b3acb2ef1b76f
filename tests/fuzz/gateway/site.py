"""A gateway with its clients and engines, all on wires, and what people may do to it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from controller.gateway.configuration import Caller, GatewayConfiguration, Limits
from controller.gateway.exchange import Exchange
from controller.gateway.gateway import Gateway
from controller.gateway.latency import LatencyTable
from controller.qos.request import Request
from controller.qos.settings import ModelSettings
from tests.builders.gateway_configuration import caller, configuration, endpoint, route
from tests.fakes.clock import LoopClock
from tests.fuzz.gateway.wire import Wire, WireLoop

LIMITS = replace(
    Limits(),
    body_bytes=131_072,
    connections=5,
    head_seconds=2.0,
    body_seconds=3.0,
    idle_seconds=20.0,
    write_seconds=4.0,
    upstream_connect_seconds=1.0,
    upstream_first_byte_seconds=6.0,
    upstream_silence_seconds=3.0,
    upstream_idle_seconds=5.0,
    upstream_idle_connections=2,
    buffer_bytes=16_384,
)
MAXIMUM = 2
"""Requests of gemma in flight at once, whatever is reloaded."""
SHARED = "node-0/shared/0"

DRAIN_SECONDS = 8.0

REFUSES, HANGS, LATE, AT_ONCE = "refuses", "hangs", "late", "at once"


def told(turn: int) -> GatewayConfiguration:
    """The configuration of a turn; the first has everything."""
    one = replace(endpoint(1, seats=2), partition=SHARED)
    two = endpoint(2, seats=1 + turn % 3, ready=turn % 4 != 1)
    three = replace(endpoint(3, seats=3, takes_priority=True), partition=SHARED)
    settings = ModelSettings(
        "team-a/llama", ("standard", "batch")[turn % 2], minimum=turn % 2, queue_length=3, queue_timeout=5.0
    )
    llama = route(*([one, two] if turn % 5 != 2 else [two]), settings=settings)
    gemma = route(
        three, name="gemma", settings=ModelSettings("team-a/gemma", "realtime", maximum=MAXIMUM, max_rate=50.0)
    )
    services = [llama] if turn % 7 == 3 else [llama, gemma]
    return configuration(*services, limits=LIMITS, let_in=turn % 6 == 5)


class SlowKeys:
    """Knows one key at once, and another after a second."""

    def find(self, token: bytes) -> "Caller | asyncio.Future[Caller | None] | None":
        if token == b"sk-slow":
            later: asyncio.Future[Caller | None] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(1.0, _tell, later)
            return later
        return caller() if token == b"sk-test" else None


def _tell(later: "asyncio.Future[Caller | None]") -> None:
    if not later.done():
        later.set_result(caller())


class Site:
    """`clients` and `engines` are the wires that there were, in their order. `connects` is how engines are reached."""

    def __init__(self, loop: WireLoop, gateway: Gateway) -> None:
        self.loop = loop
        self.gateway = gateway
        self.clients: list[Wire] = []
        self.engines: list[Wire] = []
        self.deaf: set[Wire] = set()
        self.heard: dict[Wire, int] = {}
        self.connects = AT_ONCE
        self.draining: asyncio.Task[None] | None = None
        self.arrived = 0
        self._tables: dict[int, LatencyTable] = {}
        self._arrive = gateway.manager.arrive
        gateway.manager.arrive = self._count  # type: ignore[method-assign]
        loop.connecting = self._connecting
        loop.connected = lambda _port, wire: self.engines.append(wire)

    def _count(self, request: Request, now: float) -> None:
        assert isinstance(request, Exchange)
        self.arrived += 1
        self._tables[id(request.lane.table)] = request.lane.table
        self._arrive(request, now)

    @property
    def outcomes(self) -> Counter[tuple[int, str]]:
        """How requests ended, also those of services that have been taken away meanwhile."""
        return sum((Counter(table.outcomes) for table in self._tables.values()), Counter())

    def _connecting(self, _port: int) -> float:
        if self.connects == REFUSES:
            raise ConnectionRefusedError("refused")
        return {AT_ONCE: 0.0, LATE: 0.4, HANGS: 1000.0}[self.connects]

    def is_asked(self, engine: Wire) -> bool:
        """Whether something was sent to an engine since it said something."""
        return len(engine.written) > self.heard.get(engine, 0)

    async def settle(self) -> None:
        """Let everything happen that needs no time; all but the deaf read what there is for them."""
        for _ in range(4):
            for _ in range(4):
                await asyncio.sleep(0)
            for wire in (*self.clients, *self.engines):
                if wire.unread and wire not in self.deaf:
                    wire.take()

    async def quiet(self) -> None:
        """Every client leaves, and time passes until every wait has ended; engines' connections are the gateway's to end."""
        self.deaf.clear()
        await self.settle()
        for wire in self.clients:
            wire.end()
        await self.settle()
        for _ in range(4):
            await asyncio.sleep(LIMITS.idle_seconds)
            await self.settle()


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WireLoop)
    async with Gateway(told(0), authenticator=SlowKeys(), random=lambda: 0.5, clock=LoopClock()) as gateway:
        await gateway.serve("10.0.0.2", 8080)
        yield Site(loop, gateway)
