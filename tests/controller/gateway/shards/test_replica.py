"""Whole replicas in one process: real sockets between them, TLS, simulated engines, and a store in place of the cluster."""

import asyncio
import contextlib
import io
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from controller.gateway.configuration import Endpoint, GatewayConfiguration
from controller.gateway.forwarding import Peer
from controller.gateway.gateway import Gateway
from controller.gateway.peer_name import PEER_NAME
from controller.gateway.shards.coordinator import Replica
from controller.gateway.shards.partitions import SHARDS
from controller.gateway.shards.peer_tls import PeerTls
from controller.gateway.shards.replica import GatewayReplica, PeerAddress
from controller.gateway.shards.timing import ShardTiming
from controller.qos.settings import ModelSettings
from controller.runtime.certs.authority import issue_leaf, make_authority
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import LEASES
from controller.runtime.clock import RealClock
from controller.runtime.election.lease import LeaseTiming
from e2e.engine.judge import excesses, seats_of
from e2e.engine.record import Entry
from e2e.engine.server import Served, serving
from e2e.engine.settings import EngineSettings
from e2e.engine.speed import Speed
from tests.builders.gateway_configuration import Keys, configuration, route
from tests.controller.gateway.exchanging import Client as HttpClient
from tests.controller.gateway.exchanging import Got, eventually, request
from tests.fakes.store import FakeStore
from tests.fakes.store_transport import StoreTransport

SEATS = 2
ENGINES = 6
SECOND = 0.02  # of a token
TIMING = ShardTiming(lease=LeaseTiming(2, 1.4, 0.4), look=0.1, engine_lag=0.2, ask=0.05)


def ask(model: str, tokens: int = 4, *, stream: bool = False) -> bytes:
    body = {"model": model, "messages": [{"role": "user", "content": "x"}], "max_tokens": tokens, "ignore_eos": True}
    return request(json.dumps(body | ({"stream": True} if stream else {})).encode())


class One:
    """A replica: its gateway, its port, and the wire that ends with it."""

    def __init__(self, name: str, gateway: Gateway, replica: GatewayReplica, port: int, wire: StoreTransport) -> None:
        self.name, self.gateway, self.replica, self.port, self.wire = name, gateway, replica, port, wire
        self.end = asyncio.Event()
        self.ended = asyncio.Event()
        self.coming = 0
        """Clients that have chosen this replica, and not sent their request yet."""

    @property
    def held(self) -> int:
        return self.replica.ownership.statistics().held

    async def client(self) -> HttpClient:
        return HttpClient(*await asyncio.open_connection("127.0.0.1", self.port))

    async def ask(self, data: bytes) -> Got:
        self.coming += 1
        try:
            client = await self.client()
            client.send(data)
        finally:
            self.coming -= 1
        try:
            return await client.read()
        except asyncio.IncompleteReadError as error:
            state = "draining" if self.gateway.draining else "serving"
            raise AssertionError(f"{self.name}, {state}, closed after {error.partial!r}") from error
        finally:
            client.writer.close()

    async def leave(self) -> None:
        """As it is when it is asked to end: nobody sends it anything new by then."""
        await eventually(lambda: not self.coming)
        await self.replica.leave()
        await self.gateway.drain(5)
        self.end.set()
        await self.ended.wait()


class Site:
    """Engines on six partitions of two models, a store, and replicas."""

    def __init__(self, stack: AsyncExitStack, tasks: asyncio.TaskGroup) -> None:
        self.stack, self._tasks = stack, tasks
        self.store = FakeStore(RealClock(), [LEASES])
        self.records: list[io.StringIO] = []
        self.engines: list[Served] = []
        self.replicas: list[One] = []
        now = datetime.now(UTC)
        authority = make_authority("replicas", now, timedelta(days=1))
        self._leaf = issue_leaf(authority, [PEER_NAME], now, timedelta(hours=1), purpose="peer")
        self.configuration = GatewayConfiguration()

    async def begin(self) -> None:
        endpoints = []
        for number in range(ENGINES):
            uid, partition = f"pod-{number}", f"node-{number}/0000:05:00.0/0"
            record = io.StringIO()
            settings = EngineSettings(
                "m", seats=SEATS, engine=uid, partition=partition, speed=Speed(floor=SECOND), names=("llama", "mixtral")
            )
            served = await self.stack.enter_async_context(serving(settings, record=record))
            self.records.append(record)
            self.engines.append(served)
            endpoints.append(Endpoint(uid, "127.0.0.1", served.port, partition, SEATS))
        most = ModelSettings("team-a/mixtral", "standard", maximum=3)
        self.configuration = configuration(
            route(*endpoints[:3], name="llama"), route(*endpoints[3:], name="mixtral", settings=most)
        )

    async def join(self, name: str) -> One:
        ready: asyncio.Future[One] = asyncio.get_running_loop().create_future()
        self._tasks.create_task(self._run(name, ready))
        one = await ready
        self.replicas.append(one)
        return one

    async def _run(self, name: str, ready: "asyncio.Future[One]") -> None:
        clock, tls = RealClock(), PeerTls()
        tls.replace(self._leaf, datetime.now(UTC))
        wire = StoreTransport(self.store, name)
        client = Client(ClientConfiguration("http://store"), clock=clock, transport=wire)
        replica = GatewayReplica(
            client,
            Replica(name, "gateway", "gateways"),
            PeerAddress("127.0.0.1", 0, "127.0.0.1"),
            tls=tls,
            engine_tls=None,
            clock=clock,
            rng=Random(name),
            timing=TIMING,
        )
        gateway = Gateway(
            self.configuration, authenticator=Keys(), ownership=replica.ownership, peer_tls=replica.peer_contexts
        )
        async with gateway, replica.taking_part(gateway):
            one = One(name, gateway, replica, await gateway.serve("127.0.0.1", 0), wire)
            ready.set_result(one)
            await one.end.wait()
            if one in self.replicas:
                self.replicas.remove(one)
        one.ended.set()

    async def even(self, within: float = 8.0) -> None:
        """Wait until all shards are held, evenly, and no seat is anybody else's."""

        def settled() -> bool:
            found = [one.replica.ownership.statistics() for one in self.replicas]
            held = [one.held for one in found]
            return sum(held) == SHARDS and max(held) - min(held) <= 1 and not sum(one.residents for one in found)

        await eventually(settled, within=within)

    def judged(self) -> list[object]:
        """What the engines saw more of than may be."""
        entries = [Entry.read(line) for record in self.records for line in record.getvalue().splitlines()]
        assert entries
        by_model = {f"pod-{number}": "llama" if number < 3 else "mixtral" for number in range(ENGINES)}
        return [
            *excesses(entries, lambda entry: entry.engine, seats_of(entries)),
            *excesses(entries, lambda entry: by_model[entry.engine], {"mixtral": 3}),
        ]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack, asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        found = Site(stack, tasks)
        await found.begin()
        yield found
        for one in found.replicas:
            one.end.set()


@asynccontextmanager
async def load(site: Site, clients: int = 24) -> AsyncIterator[list[Got]]:
    """Clients that ask one after another, at whatever replica there is."""
    answers: list[Got] = []
    going = True

    async def one(number: int) -> None:
        rng = Random(number)
        while going:
            replica = rng.choice(site.replicas)
            model = rng.choice(["llama", "mixtral"])
            answers.append(await replica.ask(ask(model, rng.choice([1, 2, 10]), stream=rng.random() < 0.5)))

    async with asyncio.TaskGroup() as tasks:
        for number in range(clients):
            tasks.create_task(one(number))
        yield answers
        going = False


async def more(answers: list[Got], count: int = 20) -> None:
    """Wait until some more were answered: a change is under load on a slow machine too."""
    wanted = len(answers) + count
    await eventually(lambda: len(answers) >= wanted, within=8.0)


def refused(answers: list[Got]) -> list[bytes]:
    return [got.body for got in answers if got.status != 200]


async def test_one_replica_serves_all(site: Site) -> None:
    one = await site.join("a")
    await site.even()
    assert (await one.ask(ask("llama"))).status == 200
    assert (await one.ask(ask("mixtral", stream=True))).body.endswith(b"data: [DONE]\n\n")
    assert (await one.ask(ask("unknown"))).status == 404


async def test_whoever_is_asked_the_owner_orders(site: Site) -> None:
    await site.join("a")
    await site.join("b")
    await site.even()
    async with load(site) as answers:
        await asyncio.sleep(1.5)
    assert refused(answers) == []
    for one in site.replicas:
        models = one.gateway.manager.statistics().models
        assert sum(model.dispatched for model in models.values()) > len(answers) / 4
    assert site.judged() == []


async def test_joining_and_leaving_under_load_costs_no_request(site: Site) -> None:
    await site.join("a")
    await site.even()
    async with load(site) as answers:
        b = await site.join("b")
        await site.even()
        await more(answers)
        await site.join("c")
        await site.even()
        await more(answers)
        site.replicas.remove(b)  # as a Service does with one that is not Ready any more
        await b.leave()
        await site.even()
        await more(answers)
    assert refused(answers) == []
    assert site.judged() == []


async def test_who_hears_nothing_of_its_leases_sends_nothing_and_costs_no_request(site: Site) -> None:
    await site.join("a")
    b = await site.join("b")
    await site.even()
    async with load(site) as answers:
        b.wire.cut()
        await eventually(lambda: b.held == 0)
        before = sum(one.dispatched for one in b.gateway.manager.statistics().models.values())
        await asyncio.sleep(TIMING.lease.duration + 1)
        assert sum(one.dispatched for one in b.gateway.manager.statistics().models.values()) == before
        b.wire._alive.set()
        await site.even()
    assert refused(answers) == []
    assert site.judged() == []


async def test_nobody_but_replicas_reaches_the_port_for_them(site: Site) -> None:
    one = await site.join("a")
    await site.even()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", one.replica.port, ssl=context)
    writer.write(ask("llama"))
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        assert await reader.read() == b""
    writer.close()
    assert (await one.ask(b"GET /replica HTTP/1.1\r\nhost: gateway\r\n\r\n")).status == 404


async def test_what_a_peer_sends_is_served_here_or_nowhere(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = await site.join("a"), await site.join("b")
    await site.even()
    # Both take the other for the owner of everything: each request is sent once, and never back.
    for one, other in ((a, b), (b, a)):
        peer = Peer(other.replica.ownership.identity, "127.0.0.1", other.replica.port)
        monkeypatch.setattr(one.replica.ownership, "owner", lambda _, peer=peer: peer)
        monkeypatch.setattr(one.replica.ownership, "orders", lambda _: False)
        one.replica.ownership.patience = 0.5
    answer = await a.ask(ask("llama"))
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (503, "NoEndpoint")
    assert b.gateway.statistics().accepted <= 4


async def test_a_refusal_says_why_whichever_replica_is_asked(site: Site) -> None:
    gone = Endpoint("pod-gone", "127.0.0.1", 1, "node-gone/0000:05:00.0/0", SEATS)
    site.configuration = configuration(route(gone, name="llama"))
    a, b = await site.join("a"), await site.join("b")
    await site.even()
    for one in (a, b):  # one of the two has the only partition, the other sends it there
        got = await one.ask(ask("llama"))
        assert got.status in {502, 503}
        assert got.headers["x-aim-reason"] == json.loads(got.body)["error"]["code"]
