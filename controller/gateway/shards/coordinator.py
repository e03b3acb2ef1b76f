"""This replica among the others: says that it is there, sees who else is, and has the shards that are to be its own.

    Leases ── informer ──> LeaseView ── assign ──> which shards are to be ours ──> a ShardKeeper each
                               └──> owner of a partition, and where it is reached

Each replica decides for itself: takes part for what is to be its own, and gives back what is not, a few at a time and
only after a renewal that has just succeeded, for the next one gets it by the same API server.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Any, Final

import structlog

from controller.gateway.shards.assignment import assign
from controller.gateway.shards.handover import Stand
from controller.gateway.shards.keeper import ShardKeeper, Surroundings
from controller.gateway.shards.lease_view import (
    GROUP_LABEL,
    LeaseView,
    Member,
    replica_lease_name,
    shard_lease_name,
)
from controller.gateway.shards.partitions import SHARDS, shard_of
from controller.gateway.shards.replica_lease import ReplicaLease
from controller.gateway.shards.residents import Left
from controller.gateway.shards.shard_lease import ShardLease
from controller.gateway.shards.timing import ShardTiming
from controller.runtime.cache.informer import Informer
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.core import LEASES
from controller.runtime.client.errors import ApiError
from controller.runtime.clock import Clock
from controller.runtime.election.candidacy import Candidate
from controller.runtime.election.fence import Fence, LeaseLost
from controller.runtime.election.participant import Participant

_NAME_DIGITS: Final = 20
_GIVE_UP_SECONDS: Final = 1.0
_TIDY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Replica:
    """Who this is: its identity, which no other process ever has; whose replica; in which namespace the Leases are."""

    identity: str
    group: str
    namespace: str


class Coordinator:
    """A replica's shards. `in_flight(shard)` says what runs there as it is given back.

    `changed` is called, in the event loop, when the shards that are held here or elsewhere change.
    """

    def __init__(
        self,
        client: Client,
        replica: Replica,
        *,
        in_flight: Callable[[int], Left],
        changed: Callable[[], None],
        clock: Clock,
        rng: Random,
        timing: ShardTiming | None = None,
    ) -> None:
        self.replica = replica
        self.timing = timing or ShardTiming()
        self._client, self._clock, self._rng = client, clock, rng
        self._in_flight, self._changed = in_flight, changed
        self._view = LeaseView(replica.group)
        self._occupied: frozenset[int] = frozenset()
        self._held: frozenset[int] = frozenset()
        self._owners: dict[int, str] = {}
        self._members: dict[str, Member] = {}
        self._stopping = self._leaving_all = False
        self._stop, self._again, self._moved = asyncio.Event(), asyncio.Event(), asyncio.Event()
        token = sha256(replica.identity.encode()).hexdigest()[:_NAME_DIGITS]
        name = replica_lease_name(replica.group, token)
        self._lease = ReplicaLease(client, replica.namespace, name, group=replica.group)
        self._present: Participant | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self.keepers = self._make_keepers()
        self._informer: Informer[dict[str, Any]] = Informer(
            client,
            LEASES,
            namespace=replica.namespace,
            label_selector=f"{GROUP_LABEL}={replica.group}",
            clock=clock,
            rng=rng,
        )
        self._informer.add_handler(self._seen)
        self._log = structlog.get_logger(__name__).bind(identity=replica.identity)

    # --- what others ask ---

    def has(self, partition: str) -> bool:
        """Whether the partition's requests are ours to order."""
        return self.keepers[shard_of(partition)].stand is Stand.HOLDING

    def owner(self, partition: str) -> Member | None:
        """The other replica whose partition it is, as far as is known; None: ours, or nobody's just now."""
        holder = self._owners.get(shard_of(partition))
        return None if holder is None or holder == self.replica.identity else self._members.get(holder)

    def reached_at(self, address: str) -> None:
        """Where others reach this replica, "host:port"; to be said before it runs."""
        self._lease.address = address

    def member(self, identity: str) -> Member | None:
        """A replica that is there; None: it is not."""
        return self._members.get(identity)

    def others(self) -> list[Member]:
        """The other replicas that are there."""
        return [one for one in self._members.values() if one.identity != self.replica.identity]

    def occupy(self, shards: Collection[int]) -> None:
        """The shards that have partitions now."""
        if frozenset(shards) != self._occupied:
            self._occupied = frozenset(shards)
            self._again.set()

    # --- its course ---

    async def run(self) -> None:
        """Take part until `stop`. Whoever cancels it closes all fences, and leaves the Leases to run out."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                watch = tasks.create_task(self._informer.run(), name="watch leases")
                present = tasks.create_task(self._be_there(), name="replica lease")
                tidying = tasks.create_task(self._tidy(), name="remove leases of replicas that are gone")
                await self._decide_until_stopped()
                await self.leave()
                self._stop.set()
                await present
                watch.cancel()
                tidying.cancel()
        finally:
            for keeper in self.keepers:
                keeper.fence.close("the replica has ended")

    async def leave(self) -> None:
        """Give every shard back and take none any more; the others still reach this replica.

        It ends once that is done, or after as long as that may take where the API server does not answer.
        """
        self._leaving_all = True
        self._lease.leaving = True
        if self._present is not None:
            self._present.look()
        self._decide(self._clock.monotonic())
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * self.timing.lease.request_timeout + _GIVE_UP_SECONDS):
                while any(keeper.stand is not Stand.AWAY for keeper in self.keepers):
                    self._moved.clear()
                    await self._moved.wait()

    def stop(self) -> None:
        """`leave`, and make `run` return."""
        self._stopping = True
        self._again.set()

    def _make_keepers(self) -> tuple[ShardKeeper, ...]:
        group = self.replica.group
        around = Surroundings(
            self.replica.identity,
            self.timing,
            self._clock,
            self._rng,
            self._start,
            self._keeper_moved,
            lambda shard: self._view.last(shard_lease_name(group, shard)),
        )
        return tuple(self._make_keeper(shard, around) for shard in range(SHARDS))

    def _start(self, work: Coroutine[None, None, None], name: str) -> None:
        if self._tasks is None:
            raise RuntimeError(f"{name}: nothing can be started before the replica runs")
        self._tasks.create_task(work, name=name)

    def _make_keeper(self, shard: int, around: Surroundings) -> ShardKeeper:
        replica = self.replica
        name = shard_lease_name(replica.group, shard)
        lease = ShardLease(
            self._client,
            replica.namespace,
            name,
            group=replica.group,
            own=replica.identity,
            leaving=lambda: self._in_flight(shard),
        )
        return ShardKeeper(shard, lease, around, f"{replica.namespace}/{name}")

    def _keeper_moved(self) -> None:
        self._moved.set()
        held = frozenset(keeper.shard for keeper in self.keepers if keeper.stand is Stand.HOLDING)
        if held != self._held:
            self._held = held
            self._changed()

    def _seen(self, event: StoreEvent[dict[str, Any]]) -> None:
        if event.type is EventType.DELETED:
            self._view.forget(event.object["metadata"]["name"])
        else:
            name = self._view.see(event.object, self._clock.monotonic())
            shard = self._view.shard(name)
            if shard is not None and self._view.free(name):
                self.keepers[shard].look()
        self._again.set()

    async def _decide_until_stopped(self) -> None:
        while not self._stopping:
            self._again.clear()
            self._decide(self._clock.monotonic())
            with suppress(TimeoutError):
                async with asyncio.timeout(self.timing.look):
                    await self._again.wait()

    def _decide(self, now: float) -> None:
        held = dict.fromkeys(self._held, self.replica.identity)
        owners = self._view.holders(now) | held
        members = self._view.members(now)
        if (members, owners) != (self._members, self._owners):
            self._members, self._owners = members, owners
            self._changed()
        if self._leaving_all:
            for keeper in self.keepers:
                keeper.want(False)
        elif self.replica.identity in members:  # else others do not know of us: it is no time to take anything
            staying = [one.identity for one in members.values() if not one.leaving]
            # Whose lease ran out while the API server was away has the first claim: nothing need move.
            self._want(assign(staying, self._view.last_holders() | held, self._occupied), now)

    def _want(self, assigned: Mapping[int, str], now: float) -> None:
        giving = sum(keeper.stand is Stand.RELEASING for keeper in self.keepers)
        for keeper in self.keepers:
            if assigned.get(keeper.shard) == self.replica.identity:
                keeper.want(True)
            elif keeper.stand is not Stand.HOLDING:
                keeper.want(False)
            elif giving < self.timing.handovers and keeper.just_renewed(now):
                giving += 1
                keeper.want(False)

    # --- being there ---

    async def _be_there(self) -> None:
        identity, claimed = self.replica.identity, False
        while not self._stop.is_set():
            participant = self._present = Participant(
                self._lease,
                Candidate(identity, self.timing.lease, claimed=claimed),
                Fence(f"{self.replica.namespace}/{self._lease.name}", identity, self._clock.monotonic),
                clock=self._clock,
                rng=self._rng,
                log=self._log,
                on_leading=lambda: None,
            )
            claimed = True
            try:
                await participant.run(self._stop)
            except LeaseLost as lost:
                self._log.warning("the other replicas may not know of this one", error=str(lost))
        await self._remove(self._lease.name)

    async def _tidy(self) -> None:
        """Remove what replicas that are gone have left; whichever replica comes first."""
        while True:
            await self._clock.sleep(_TIDY_SECONDS * self._rng.uniform(0.5, 1.5))
            for name, version in self._view.long_gone(self._clock.monotonic(), self.timing.forget):
                await self._remove(name, version)

    async def _remove(self, name: str, version: str | None = None) -> None:
        try:
            async with asyncio.timeout(self.timing.lease.request_timeout):
                await self._client.delete(LEASES, name, self.replica.namespace, resource_version=version)
        except (ApiError, TimeoutError) as error:
            # Somebody else has removed it, or will.
            self._log.info("lease not removed", lease=name, error=str(error))
