"""What the gateway asks about partitions when it is one of several replicas (`forwarding.Ownership`).

Gateway ── narrow, owner, orders, fence ──> ShardOwnership ──> Coordinator ──> Leases
   ^────────────────── settle ────────────────────────┘   └──> Residents <── Settling <── replicas, engines
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from random import Random
from typing import Final

import orjson

from controller.gateway.configuration import Endpoint, ServiceRoute
from controller.gateway.forwarding import NOBODY, Peer
from controller.gateway.gateway import Gateway
from controller.gateway.shards.coordinator import Coordinator, Replica
from controller.gateway.shards.destinations import Turns, weight
from controller.gateway.shards.handover import Stand
from controller.gateway.shards.keeper import ShardKeeper
from controller.gateway.shards.lease_view import Member
from controller.gateway.shards.partitions import occupied_by, shard_of
from controller.gateway.shards.residents import Left
from controller.gateway.shards.shares import bounded_seats, narrow
from controller.gateway.shards.timing import ShardTiming
from controller.qos.request import IN_FLIGHT
from controller.qos.settings import QoSSettings
from controller.runtime.client.client import Client
from controller.runtime.clock import Clock
from controller.runtime.election.fence import Fence

STATUS_PATH: Final = "/replica"
"""Where the peer port says what this replica has in flight."""


@dataclass(frozen=True, slots=True)
class ShardStatistics:
    """`held` and `claiming` shards now; `terms` begun since the start; `members` there are; seats that others' requests
    may still use at engines of ours (`residents`)."""

    held: int
    claiming: int
    terms: int
    members: int
    residents: int


class ShardOwnership:
    """The partitions of one replica of a gateway. `run` takes part; `attach` says whose they are.

    Everything here belongs to one event loop.
    """

    def __init__(
        self, client: Client, replica: Replica, *, clock: Clock, rng: Random, timing: ShardTiming | None = None
    ) -> None:
        self.timing = timing or ShardTiming()
        lease = self.timing.lease
        self.patience = lease.duration + lease.retry_period + lease.request_timeout
        self.coordinator = Coordinator(
            client, replica, in_flight=self._left, changed=self.settle, clock=clock, rng=rng, timing=self.timing
        )
        self.changed: list[Callable[[], None]] = []
        self._clock = clock
        self._gateway: Gateway | None = None
        self._seats: Mapping[str, Mapping[str, int]] = {}
        self._plans: dict[str, Peer | Turns[Peer | None] | None] = {}
        self._waiting: dict[str, Mapping[str, int]] = {}
        self._quiet: set[str] = set()
        self._settling = False

    @property
    def identity(self) -> str:
        """Of this replica."""
        return self.coordinator.replica.identity

    def attach(self, gateway: Gateway) -> None:
        """Tell `gateway` whenever its part changes, and have it tell other replicas what it has in flight."""
        self._gateway = gateway
        gateway.peer_pages[STATUS_PATH] = self.status

    def settle(self) -> None:
        """Something about who has what has changed."""
        self._plans.clear()
        if self._gateway is not None and not self._settling:
            self._settling = True  # several changes in one turn of the loop are one
            self._gateway.loop.call_soon(self._settle)

    def _settle(self) -> None:
        """Have the dispatcher know what has changed, once; before a request is told that it is ours to order, too."""
        if self._settling and self._gateway is not None:
            self._settling = False
            self._gateway.settle()
            for tell in self.changed:
                tell()

    # --- what the gateway asks ---

    def narrow(self, settings: QoSSettings) -> QoSSettings:
        """See Ownership."""
        self._plans.clear()
        bounded = bounded_seats(settings.models, (one for part in settings.partitions.values() for one in part.members))
        seats = {
            key: {one.endpoint: bounded[one.endpoint] for one in part.members}
            for key, part in settings.partitions.items()
        }
        if seats != self._seats:
            self._seats = seats
            self.coordinator.occupy(occupied_by(seats))
            for tell in self.changed:
                tell()
        return narrow(settings, self.coordinator.has, self._taken)

    def owner(self, route: ServiceRoute) -> Peer | None:
        """See Ownership."""
        if self._settling:
            self._settle()
        try:
            plan = self._plans[route.key]
        except KeyError:
            plan = self._plans[route.key] = self._plan(route)
        return plan.next() if isinstance(plan, Turns) else plan

    def orders(self, route: ServiceRoute) -> bool:
        """See Ownership. A service without engines is ordered, and so refused, anywhere."""
        if self._settling:
            self._settle()
        places = self._places(route)
        return not places or any(self.coordinator.has(partition) for partition, _ in places)

    def is_there(self, identity: str) -> bool:
        """See Ownership."""
        return self.coordinator.member(identity) is not None

    def fence(self, partition: str) -> Fence:
        """See Ownership."""
        return self.coordinator.keepers[shard_of(partition)].fence

    # --- what others ask ---

    def status(self) -> bytes:
        """For other replicas, as JSON: what this one has in flight by endpoint, and waiting by service."""
        waiting: Counter[str] = Counter()
        if self._gateway is not None:
            for key, model in self._gateway.manager.statistics().models.items():
                waiting[key] = sum(model.queued.values())
        return orjson.dumps(
            {
                "identity": self.identity,
                "inFlight": self.in_flight(),
                "waiting": {key: n for key, n in waiting.items() if n},
            }
        )

    def heard(self, identity: str, waiting: Mapping[str, int]) -> None:
        """What another replica has waiting, by service."""
        if self._waiting.get(identity) != waiting:
            self._waiting[identity] = waiting
            self._plans.clear()

    def in_flight(self, *, begun_before: float = inf) -> Counter[str]:
        """What this replica has at engines, by endpoint; only what was dispatched before a time."""
        return Counter(at.uid for at in self._used(begun_before))

    def first_shard(self) -> int | None:
        """A shard that is this replica's alone, to tell its counts from others' by; None: it has none."""
        held = (keeper.shard for keeper in self.coordinator.keepers if keeper.stand is Stand.HOLDING)
        return min(held, default=None)

    def statistics(self) -> ShardStatistics:
        """Counts as they are now."""
        keepers = self.coordinator.keepers
        stands = Counter(keeper.stand for keeper in keepers)
        return ShardStatistics(
            held=stands[Stand.HOLDING],
            claiming=stands[Stand.CLAIMING],
            terms=sum(keeper.terms for keeper in keepers),
            members=len(self.coordinator.others()) + 1,
            residents=sum(self.taken().values()),
        )

    # --- what settling asks ---

    def held(self) -> Iterator[tuple[ShardKeeper, dict[str, int]]]:
        """Each shard that is held, with its endpoints and their seats."""
        for shard, endpoints in self._by_shard().items():
            keeper = self.coordinator.keepers[shard]
            if keeper.stand is Stand.HOLDING:
                yield keeper, endpoints

    def taken(self) -> dict[str, int]:
        """Seats of our endpoints that others may use, where they may use any."""
        now = self._clock.monotonic()
        found = {
            endpoint: keeper.residents.taken(endpoint, seats, now)
            for keeper, endpoints in self.held()
            for endpoint, seats in endpoints.items()
            if keeper.residents is not None
        }
        return {endpoint: seats for endpoint, seats in found.items() if seats}

    def endpoint(self, uid: str) -> Endpoint | None:
        """Where an engine is; None: it is gone."""
        pool = self._gateway.pools.get(uid) if self._gateway is not None else None
        return pool.endpoint if pool is not None else None

    def hush(self, endpoint: str, quiet: bool) -> None:
        """Have nothing new sent to an endpoint, or again something."""
        if (endpoint in self._quiet) is not quiet:
            (self._quiet.add if quiet else self._quiet.discard)(endpoint)
            self.settle()

    def _used(self, begun_before: float = inf) -> Iterator[Endpoint]:
        """The endpoint of each request that this replica has at an engine."""
        gateway = self._gateway
        if gateway is None:
            return
        for connection in gateway.clients():
            exchange = connection.exchange
            if exchange is None or exchange.state != IN_FLIGHT or exchange.pool is None:
                continue
            if exchange.manager is gateway.manager and exchange.dispatched <= begun_before:
                yield exchange.pool.endpoint

    def _by_shard(self) -> dict[int, dict[str, int]]:
        found: dict[int, dict[str, int]] = {}
        for partition, endpoints in self._seats.items():
            found.setdefault(shard_of(partition), {}).update(endpoints)
        return found

    def _taken(self, partition: str, endpoint: str, seats: int) -> int:
        if endpoint in self._quiet:
            return seats
        residents = self.coordinator.keepers[shard_of(partition)].residents
        return residents.taken(endpoint, seats, self._clock.monotonic()) if residents is not None else seats

    def _left(self, shard: int) -> Left:
        """What is in flight in a shard, of everybody."""
        left: dict[str, Mapping[str, int] | None] = {}
        residents = self.coordinator.keepers[shard].residents
        endpoints = self._by_shard().get(shard, {})
        if residents is not None:
            left |= residents.left(endpoints, self._clock.monotonic())
        # Also what is at an endpoint that is gone from the configuration here, and not yet elsewhere.
        own = Counter(at.uid for at in self._used() if shard_of(at.partition) == shard)
        return left | {self.identity: own} if own else left

    def _places(self, route: ServiceRoute) -> list[tuple[str, int]]:
        """Partition and seats of each engine to which the service's requests may be sent."""
        found = [
            (endpoint.partition, self._seats.get(endpoint.partition, {}).get(endpoint.uid, 0))
            for endpoint in route.endpoints
            if endpoint.ready
        ]
        return [(partition, seats) for partition, seats in found if seats]

    def _plan(self, route: ServiceRoute) -> Peer | Turns[Peer | None] | None:
        """None: ours alone. A Peer: that one's, or NOBODY's. Else by turns."""
        places = self._places(route)
        if not places:
            return None
        seats: Counter[str] = Counter()
        peers: dict[str, Peer | None] = {}
        for partition, free in places:
            mine = self.coordinator.has(partition)
            owner = None if mine else self.coordinator.owner(partition)
            if mine or owner is not None:
                identity = self.identity if owner is None else owner.identity
                peers[identity] = None if owner is None else _peer(owner)
                seats[identity] += free
        if len(peers) < 2:
            return next(iter(peers.values())) if peers else NOBODY
        waiting = {one: self._waiting.get(one, {}).get(route.key, 0) for one in peers}
        return Turns([(peer, weight(seats[one], waiting[one])) for one, peer in sorted(peers.items())])


def _peer(member: Member) -> Peer:
    return Peer(member.identity, member.host, member.port)
