"""The gateway as a whole: what its connections share, the dispatcher's callbacks, reload and the orderly end.

    ClientConnection ── lane, arrive ──> QoSManager ── dispatch ──> Pool ──> UpstreamConnection
           ^ answer, problem                 │ refuse                              │
           └─────────────── Exchange <───────┴──────── begin, finish, broken ──────┘

It reads no cluster and no file: somebody hands it configurations, and answers who a token is.
"""

import asyncio
import os
import random as randomness
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, cast
from urllib.parse import unquote

import msgspec
import structlog

from controller.gateway.client_connection import ClientConnection
from controller.gateway.configuration import Caller, Endpoint, GatewayConfiguration
from controller.gateway.engine_failures import EngineFailures
from controller.gateway.errors import Problem
from controller.gateway.exchange import Exchange
from controller.gateway.fenced import FencedPool
from controller.gateway.forwarding import NOBODY, Forwarding, Ownership, PeerContexts
from controller.gateway.heads import request_heads, response_heads
from controller.gateway.latency import LatencyTable
from controller.gateway.outbox import Outbox
from controller.gateway.pool import Pool
from controller.gateway.reload import MakeTable, Serving, Tables, without
from controller.gateway.routes import Operation
from controller.gateway.server import Server
from controller.gateway.timers import SLOT_SECONDS, TimerWheel
from controller.qos.manager import QoSManager
from controller.qos.refusal import Refusal
from controller.qos.request import DONE, QUEUED, Request
from controller.qos.service_counts import ServiceCounts
from controller.qos.settings import Member, QoSSettings
from controller.qos.statistics import QoSStatistics
from controller.runtime.clock import Clock, RealClock

_CLOSE_IDLE_AFTER_SECONDS = 1.0
_DRAIN_POLL_SECONDS = 0.02


Found = Caller | Problem | None
"""The caller; None for a token nobody has; a Problem where that cannot be told now."""


class Authenticator(Protocol):
    """Who shows a token."""

    def find(self, token: bytes) -> Found | Awaitable[Found]:
        """At once where that is known, else in a while."""
        ...


@dataclass(frozen=True, slots=True)
class GatewayStatistics:
    """Connections of clients now, accepted and turned away since the start; failures of engines by reason since then;
    requests that were for no service, or not for this caller, by reason; the dispatcher's own figures; engines that
    cannot be reached now."""

    connections: int
    accepted: int
    turned_away: int
    engine_failures: dict[str, int]
    unrouted: dict[str, int]
    reloads: int
    qos: QoSStatistics
    unreachable: int = 0


class Gateway:
    """Serves one configuration after another. An asynchronous context manager: it owns what runs within it.

    `engine_tls` is for engines that speak HTTPS. With `ownership` there are other replicas, which are sent what is
    theirs to order, by `peer_tls`; without it, all is ordered here. `random` gives numbers from 0 up to 1. `make_table`
    makes what a service's requests are counted in. Raises ValueError for a configuration that cannot be served, with
    all its problems.
    """

    def __init__(
        self,
        configuration: GatewayConfiguration,
        *,
        authenticator: Authenticator,
        engine_tls: ssl.SSLContext | None = None,
        ownership: Ownership | None = None,
        peer_tls: PeerContexts | None = None,
        random: Callable[[], float] = randomness.random,
        clock: Clock | None = None,
        make_table: MakeTable = LatencyTable,
    ) -> None:
        self._make_table = make_table
        self.serving = Serving(configuration, None, make_table)
        self.limits = self.serving.limits
        self.find_caller = authenticator.find
        self.engine_tls = engine_tls
        self.draining = False
        self.pools: dict[str, Pool] = {}
        self.resting: set[Pool] = set()
        """Those that have connections at rest; all others need no look."""
        self.engine_failures = EngineFailures()
        self.held_bodies = 0
        self.unrouted: dict[str, int] = {}
        self.reloads = 0
        self._reach_changed = False
        self.forwarding = Forwarding(self, ownership, peer_tls) if ownership is not None else None
        self.peer_pages: dict[str, Callable[[], bytes]] = {}
        """What other replicas may GET besides, by path: JSON."""
        self.random = random
        self.time = (clock or RealClock()).monotonic  # not the loop's, which uvloop rounds to milliseconds
        self._log = structlog.get_logger(__name__)
        self._servers: list[Server] = []
        self._wake: asyncio.TimerHandle | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._requests = 0
        self._id_prefix = os.urandom(6).hex().encode()
        self._make_head_readers()

    async def __aenter__(self) -> Self:
        """Begin; nothing listens yet."""
        self.loop = asyncio.get_running_loop()
        now = self.time()
        self.wheel = TimerWheel(now)
        self.outbox = Outbox(self.loop.call_soon)
        self.manager = QoSManager(
            self._settings(), now, on_dispatch=self._dispatch, on_refuse=self._refuse, jitter=self.random
        )
        self._make_pools()
        self._tasks = await asyncio.TaskGroup().__aenter__()
        self._tick = self.loop.call_later(SLOT_SECONDS, self._turn)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End at once: connections are cut, tasks cancelled. For an orderly end `drain` before."""
        for server in self._servers:
            server.stop()
            server.abort()
        for timer in (self._tick, self._wake):
            if timer is not None:
                timer.cancel()
        for pool in self.pools.values():
            pool.close()
        if self.forwarding is not None:
            self.forwarding.close()
        for task in tuple(self._running):
            task.cancel()
        await self._tasks.__aexit__(kind, error, trace)

    def start(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Run something that has to wait; it ends with the gateway at the latest. Returned to be cancelled sooner."""
        task = self._tasks.create_task(self._guarded(work, name), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _guarded(self, work: Coroutine[None, None, None], name: str) -> None:
        """What goes wrong with one connection is told, and ends no other."""
        try:
            await work
        except Exception:  # noqa: BLE001 - a task's edge: hundreds of clients must not pay for one
            self._log.exception("gateway task failed", task=name)

    async def serve(self, host: str, port: int, ssl: ssl.SSLContext | None = None, *, for_peers: bool = False) -> int:
        """Listen, over TLS with `ssl`; returns the port, which for `port` 0 is a free one. It may listen at several.

        `for_peers`: for other replicas, so `ssl` must admit none but them. Raises OSError when the address is taken.
        """
        server = Server(self, for_peers=for_peers)
        bound = await server.listen(host, port, ssl)
        self._servers.append(server)
        return bound

    def reload(self, configuration: GatewayConfiguration) -> None:
        """Serve another configuration from now on. Requests that wait or are under way go on.

        Raises ValueError for one that cannot be served, and goes on with the old one.
        """
        serving = Serving(configuration, self.serving, self._make_table)
        heads = (self.limits.head_bytes, self.limits.header_count)
        self.serving, self.limits = serving, serving.limits
        if heads != (self.limits.head_bytes, self.limits.header_count):
            self._make_head_readers()
        self._make_pools()
        self.reloads += 1
        self.settle()

    def settle(self) -> None:
        """Order what is ours to order by now; to be called when `ownership` has changed.

        Requests that wait here for engines which others dispatch by now are sent there.
        """
        now = self.time()
        self.manager.configure(self._settings(), now)
        if self.forwarding is not None:
            for connection in self.clients():
                exchange = connection.exchange
                if exchange is None or exchange.state != QUEUED or exchange.manager is not self.manager:
                    continue
                if not self.forwarding.ownership.orders(exchange.lane.route):
                    self.send_on(exchange)
            self.forwarding.look_again(now)
        self.look_ahead()

    def reach_changed(self) -> None:
        """An engine cannot be reached any more, or again: the dispatcher is told, once a turn of the loop."""
        if not self._reach_changed:
            self._reach_changed = True
            self.loop.call_soon(self._settle_reach)

    def _settle_reach(self) -> None:
        self._reach_changed = False
        self.settle()

    async def drain(self, seconds: float) -> None:
        """Accept no more, answer what is under way, closing each connection after it; at most `seconds`.

        Connections that are idle by then get a moment to send what is on its way, and are closed.
        """
        self.draining = True
        for server in self._servers:
            if not server.for_peers:  # replicas go on asking what is in flight here
                server.stop()
        until = self.time() + seconds
        # The moment is counted in looks: after a stall the loop's timers run before what came meanwhile is read.
        moment = round(min(seconds, _CLOSE_IDLE_AFTER_SECONDS) / _DRAIN_POLL_SECONDS)
        while self._under_way() and self.time() < until:
            if moment <= 0:
                for server in self._servers:
                    server.shut_idle()
            moment -= 1
            await asyncio.sleep(_DRAIN_POLL_SECONDS)

    def statistics(self) -> GatewayStatistics:
        """Counts as they are now."""
        return GatewayStatistics(
            connections=self._connections(),
            accepted=sum(server.accepted for server in self._servers),
            turned_away=sum(server.turned_away for server in self._servers),
            engine_failures=dict(self.engine_failures.by_reason),
            unrouted=dict(self.unrouted),
            reloads=self.reloads,
            qos=self.manager.statistics(),
            unreachable=sum(not pool.reachable for pool in self.pools.values()),
        )

    def clients(self) -> list[ClientConnection]:
        """Every connection of a client, or of another replica, as it is now."""
        return [connection for server in self._servers for connection in server.connections]

    @property
    def tables(self) -> Tables:
        """What requests took, by service and class."""
        return self.serving.tables

    @property
    def counts(self) -> dict[str, ServiceCounts]:
        """Requests counted against objectives, of each service that has some."""
        return self.serving.counts

    # --- what connections ask ---

    async def ask(self, answer: Awaitable[Found]) -> Found:
        """Wait for who shows a token, as long as a head may take."""
        try:
            async with asyncio.timeout(self.limits.head_seconds):
                return await answer
        except TimeoutError:
            return Problem(503, "AuthenticationUnavailable", "who shows this key could not be asked in time: ask again")
        except Exception:  # noqa: BLE001 - one token must not end the gateway
            self._log.exception("authenticator raised")
            return Problem(503, "AuthenticationUnavailable", "who shows this key could not be told: ask again")

    def unknown_caller(self, token: bytes | None) -> Problem:
        """The answer to one who may not call."""
        if token is None:
            return Problem(401, "NoKey", "no key: send Authorization: Bearer KEY")
        return Problem(401, "UnknownKey", "the key is not known here: send one of this cluster")

    def not_routed(self, problem: Problem) -> None:
        """Count a request that was answered before it was known to be for a service."""
        self.unrouted[problem.reason] = self.unrouted.get(problem.reason, 0) + 1

    def route(self, exchange: Exchange, now: float) -> None:
        """Hand a request to the dispatcher, or to the replica that orders it."""
        if self.forwarding is not None:
            if exchange.client.server.for_peers:
                if not self.forwarding.ownership.orders(exchange.lane.route):
                    exchange.not_ours()
                    return
            elif (owner := self.forwarding.owner(exchange)) is not None:
                self.forwarding.take(exchange, owner)
                return
        self.manager.arrive(exchange, now)
        if exchange.state == QUEUED and self._wake is None:
            self.look_ahead()

    def models(self, caller: Caller, host: str | None, path: str) -> bytes | Problem:
        """The answer to GET /v1/models, or of one model of them."""
        shown = self.serving.routes.models(caller, host)
        wanted = unquote(path.removeprefix(Operation.MODELS.value).lstrip("/"))  # clients escape a name's slash
        entries = [
            {"id": name, "object": "model", "created": 0, "owned_by": route.namespace}
            for name, route in shown
            if not wanted or wanted in (name, route.key, *route.model_ids)
        ]
        if not wanted:
            return msgspec.json.encode({"object": "list", "data": entries})
        if not entries:
            return Problem(404, "ModelNotFound", f"no model {wanted[:200]!r}: GET /v1/models lists them", param="model")
        return msgspec.json.encode(entries[0])

    def next_request_id(self) -> bytes:
        """An id that no other request of any replica has."""
        self._requests += 1
        return b"%b-%x" % (self._id_prefix, self._requests)

    def engine_failed(self, exchange: Exchange, reason: str, message: str) -> None:
        """Count and log an engine's failure; another replica's is none, for it may just have given a shard back."""
        if exchange.manager is not self.manager:
            return
        engine = exchange.pool.endpoint.uid if exchange.pool is not None else ""
        request_id = exchange.request_id.decode("latin-1")
        self.engine_failures.add(engine, request_id, exchange.model, reason, message, self.time())

    # --- the dispatcher's calls ---

    def _dispatch(self, request: Request, member: Member) -> None:
        self.pools[member.endpoint].send(request)  # type: ignore[arg-type] # exchanges are all that arrives; a cast costs time

    def send_on(self, exchange: Exchange) -> None:
        """A request that the dispatcher has, but may not dispatch any more, goes to who may."""
        if self.forwarding is None or exchange.state == DONE:
            return
        self.manager.cancel(exchange, self.time())
        if exchange.client.server.for_peers:
            exchange.not_ours()
        else:
            self.forwarding.take(exchange.renewed(), self.forwarding.owner(exchange) or NOBODY)

    def _refuse(self, request: Request, refusal: Refusal) -> None:
        cast("Exchange", request).refused(refusal)

    # --- time ---

    def look_ahead(self) -> None:
        """Let the dispatcher do what is due, and come again when it says."""
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        now = self.time()
        due = self.manager.advance(now)
        if due is not None:
            self._wake = self.loop.call_later(max(due - now, 0.0), self._awake)

    def _awake(self) -> None:
        self._wake = None
        self.look_ahead()

    def _turn(self) -> None:
        self._tick = self.loop.call_later(SLOT_SECONDS, self._turn)  # first, so that no fault below stops the clock
        now = self.time()
        self.wheel.turn(now)
        self.resting = {pool for pool in self.resting if pool.trim(now)}
        if self.forwarding is not None:
            self.forwarding.look_again(now)
        self.look_ahead()

    def _make_pools(self) -> None:
        """One for each endpoint; those that are unchanged are kept, those that are gone are closed as they empty."""
        before, self.pools = self.pools, {}
        for service in self.serving.configuration.services:
            for endpoint in service.endpoints:
                found = before.get(endpoint.uid)
                same = found is not None and (found.endpoint.host, found.endpoint.port, found.endpoint.tls) == (
                    endpoint.host,
                    endpoint.port,
                    endpoint.tls,
                )
                if found is not None and same:
                    found.endpoint = endpoint
                    self.pools[endpoint.uid] = before.pop(endpoint.uid)
                else:
                    self.pools[endpoint.uid] = self._make_pool(endpoint)
        for pool in before.values():
            pool.close()
        self.engine_failures.forget(before.keys() - self.pools.keys())

    def _make_pool(self, endpoint: Endpoint) -> Pool:
        if self.forwarding is None:
            return Pool(self, endpoint, self.engine_tls)
        return FencedPool(self, endpoint, self.engine_tls, self.forwarding.ownership.fence)

    def _settings(self) -> QoSSettings:
        """What is ours to order of what is to be served."""
        unreachable = frozenset(uid for uid, pool in self.pools.items() if not pool.reachable)
        settings = without(self.serving.settings, unreachable)
        return settings if self.forwarding is None else self.forwarding.ownership.narrow(settings)

    def _make_head_readers(self) -> None:
        limits = self.limits
        self.request_heads = request_heads(head_bytes=limits.head_bytes, header_count=limits.header_count)
        self.response_heads = response_heads(head_bytes=limits.head_bytes, header_count=limits.header_count)

    def _under_way(self) -> bool:
        """Whether there is a client, or a request of another replica."""
        return any(one.exchange is not None or not one.server.for_peers for one in self.clients())

    def _connections(self) -> int:
        return sum(len(server.connections) for server in self._servers)
