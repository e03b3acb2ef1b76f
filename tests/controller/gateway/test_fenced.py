"""Nothing is sent to an engine whose partition is not ours at that very moment, on both loops."""

import asyncio
from collections.abc import Callable, Coroutine
from math import inf
from typing import Any

import pytest
import uvloop

from controller.gateway.configuration import ServiceRoute
from controller.gateway.forwarding import NOBODY, Peer
from controller.gateway.gateway import Gateway
from controller.qos.settings import QoSSettings
from controller.runtime.election.fence import Fence
from tests.builders.gateway_configuration import Keys, configuration, endpoint, route
from tests.controller.gateway.exchanging import Dial, eventually, request

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Clock:
    """Moves by `steps`, one a look, and then not."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps: list[float] = []

    def __call__(self) -> float:
        self.now += self.steps.pop(0) if self.steps else 0.0
        return self.now


class Owner:
    """All is ours, by fences that tests own; `elsewhere` is who has it once that is over."""

    patience = 0.3

    def __init__(self) -> None:
        self.clock = Clock()
        self.fence_now = self.renew()
        self.elsewhere: Peer | None = None

    def renew(self) -> Fence:
        self.fence_now = Fence("ns/lease", "me", self.clock)
        self.fence_now.extend(self.clock.now + 7.0)
        return self.fence_now

    def narrow(self, settings: QoSSettings) -> QoSSettings:
        return settings

    def owner(self, route: ServiceRoute) -> Peer | None:
        return self.elsewhere

    def orders(self, route: ServiceRoute) -> bool:
        return self.elsewhere is None

    def is_there(self, identity: str) -> bool:
        return True

    def fence(self, partition: str) -> Fence:
        return self.fence_now


class Engine:
    """Answers whatever it is sent; `got` has the requests, `gone` the connections that ended."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.gone = 0
        self.answers = True

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.got.append(await reader.readexactly(length))
                if self.answers:
                    writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone += 1
        finally:
            writer.close()


Body = Callable[[Gateway, Dial, Owner, Engine], Coroutine[Any, Any, None]]


async def within(body: Body) -> None:
    engine, owner = Engine(), Owner()
    async with asyncio.timeout(20), await asyncio.start_server(engine, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        found = configuration(route(endpoint(port)))
        async with Gateway(found, authenticator=Keys(), ownership=owner) as gateway:
            dial = Dial(await gateway.serve("127.0.0.1", 0))
            try:
                await body(gateway, dial, owner, engine)
            finally:
                dial.close()


@pytest.fixture(params=sorted(LOOPS))
def run(request: pytest.FixtureRequest) -> Callable[[Body], None]:
    def go(body: Body) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(within(body))

    return go


def test_what_is_ours_is_sent(run: Callable[[Body], None]) -> None:
    async def body(gateway: Gateway, dial: Dial, owner: Owner, engine: Engine) -> None:
        client = await dial()
        assert (await client.ask(request())).status == 200
        assert (await client.ask(request())).status == 200

    run(body)


def test_nothing_is_sent_once_the_lease_has_run_out_and_nobody_is_refused_for_it_at_once(
    run: Callable[[Body], None],
) -> None:
    async def body(gateway: Gateway, dial: Dial, owner: Owner, engine: Engine) -> None:
        client = await dial()
        assert (await client.ask(request())).status == 200
        owner.clock.now += 7.0
        client.send(request())
        await asyncio.sleep(0.2)
        assert len(engine.got) == 1
        owner.renew()
        gateway.settle()
        assert (await client.read()).status == 200
        assert len(engine.got) == 2

    run(body)


def test_who_never_gets_an_owner_is_told_so(run: Callable[[Body], None]) -> None:
    async def body(gateway: Gateway, dial: Dial, owner: Owner, engine: Engine) -> None:
        owner.fence_now.close("given to another")
        owner.elsewhere = NOBODY
        answer = await (await dial()).ask(request())
        assert answer.status == 503
        assert answer.headers["x-aim-reason"] == "NoEndpoint"
        assert engine.got == []

    run(body)


def test_a_process_that_is_stopped_before_its_request_goes_out_and_wakes_too_late_withdraws_it(
    run: Callable[[Body], None],
) -> None:
    async def body(gateway: Gateway, dial: Dial, owner: Owner, engine: Engine) -> None:
        client = await dial()
        assert (await client.ask(request())).status == 200
        engine.answers = False
        owner.clock.steps = [0.0, 60.0]  # the look before it is sent, and the one after
        owner.elsewhere = None
        client.send(request())
        await eventually(lambda: engine.gone == 1)
        assert (
            gateway.manager.statistics().partitions[next(iter(gateway.manager.statistics().partitions))].in_flight == 0
        )
        engine.answers = True
        owner.renew()
        gateway.settle()
        assert (await client.read()).status == 200

    run(body)


def test_a_request_is_in_the_kernel_before_the_second_look(run: Callable[[Body], None]) -> None:
    async def body(gateway: Gateway, dial: Dial, owner: Owner, engine: Engine) -> None:
        client = await dial()
        assert (await client.ask(request())).status == 200
        waiting: list[int] = []
        pool = next(iter(gateway.pools.values()))
        looks = 0

        def clock() -> float:
            nonlocal looks
            looks += 1
            if looks == 2:
                waiting.append(pool._idle[0].transport.get_write_buffer_size() if pool._idle else in_use())
            return 0.0

        def in_use() -> int:
            (exchange,) = [one.exchange for one in gateway.clients() if one.exchange is not None]
            assert exchange.upstream is not None
            return exchange.upstream.transport.get_write_buffer_size()

        owner.fence_now.monotonic = clock
        assert (await client.ask(request())).status == 200
        assert looks == 2
        assert waiting == [0]

    run(body)


def test_a_fence_that_was_never_opened_lets_nothing_pass() -> None:
    fence = Fence("ns/lease", "me", lambda: 0.0)
    assert fence.valid_until == -inf
    fence.extend(5.0)
    assert fence.open
    fence.close("over")
    fence.extend(9.0)
    assert fence.valid_until == -inf
    assert not fence.open
