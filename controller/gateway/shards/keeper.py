"""Takes part in the election of one shard whenever it is to be ours, and says whether we may dispatch it now.

coordinator ── want, look ──> ShardKeeper ── Participant ──> the shard's Lease
                                   └──> fence: may we send?     residents: whose requests are there besides?
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

import structlog

from controller.gateway.shards.handover import Act, Event, Stand, move
from controller.gateway.shards.lease_view import Seen
from controller.gateway.shards.residents import Residents, Takeover
from controller.gateway.shards.shard_lease import ShardLease
from controller.gateway.shards.timing import ShardTiming
from controller.runtime.clock import Clock
from controller.runtime.election.candidacy import Candidate
from controller.runtime.election.fence import Fence, LeaseLost
from controller.runtime.election.participant import Participant


class Starter(Protocol):
    """Runs something in somebody's task group."""

    def __call__(self, work: Coroutine[None, None, None], name: str, /) -> None:
        """Start it."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the keepers of a replica, `identity`, share. `changed` is called whenever one stands elsewhere.

    `last_seen` says how a shard's Lease was seen last, by whoever watches them all."""

    identity: str
    timing: ShardTiming
    clock: Clock
    rng: Random
    start: Starter
    changed: Callable[[], None]
    last_seen: Callable[[int], Seen | None]


class ShardKeeper:
    """One shard at this replica. `residents`: others' requests at its engines, in the present or the last term."""

    def __init__(self, shard: int, lease: ShardLease, surroundings: Surroundings, name: str) -> None:
        self.shard = shard
        self.stand = Stand.AWAY
        self.residents: Residents | None = None
        self.terms = 0
        self._lease = lease
        self._around = surroundings
        self._name = name
        self._claimed = False
        self._stop = asyncio.Event()
        self._participant: Participant | None = None
        self.fence = self._new_fence()
        self._log = structlog.get_logger(__name__).bind(lease=name, identity=surroundings.identity)

    @property
    def open(self) -> bool:
        """Whether its partitions may be dispatched at this moment: by the clock, which is read now."""
        return self.stand is Stand.HOLDING and self.fence.open

    def want(self, wanted: bool) -> None:
        """The shard is to be ours, or is not."""
        self._happened(Event.WANTED if wanted else Event.UNWANTED)

    def just_renewed(self, now: float) -> bool:
        """Whether the API server has answered lately, so that it can be expected to answer the next holder."""
        lease = self._around.timing.lease
        return self.fence.valid_until - now > lease.renew_deadline - 2 * lease.retry_period

    def look(self) -> None:
        """Its Lease has changed: if we wait for it, look now."""
        if self._participant is not None:
            self._participant.look()

    def _happened(self, event: Event) -> None:
        before = self.stand
        moved = move(before, event)
        self.stand = moved.stand
        match moved.act:
            case Act.CLAIM:
                self._claim()
            case Act.OPEN:
                self._open()
            case Act.GIVE_BACK:
                # Nothing more goes out from here on; only then is anything written.
                self.fence.close("it is given to another replica")
                self._stop.set()
        if before is not moved.stand:
            self._around.changed()

    def _claim(self) -> None:
        self._stop = asyncio.Event()
        self.fence = self._new_fence()
        participant = self._participant = Participant(
            self._lease,
            self._candidate(),
            self.fence,
            clock=self._around.clock,
            rng=self._around.rng,
            log=self._log,
            on_leading=self._leading,
        )
        self._claimed = True
        self._around.start(self._take_part(participant, self._stop), f"lease {self._name}")

    def _candidate(self) -> Candidate:
        # Once it has claimed the Lease, one with its name is its own, and need not be waited for. The time of another
        # holder runs since its last change was seen, whoever saw that: it began long before there was a reason to look.
        timing, seen = self._around.timing.lease, self._around.last_seen(self.shard)
        candidate = Candidate(self._around.identity, timing, claimed=self._claimed)
        if seen is None:
            return candidate
        return replace(candidate, record=seen.record, version=seen.version, changed_at=seen.at)

    async def _take_part(self, participant: Participant, stop: asyncio.Event) -> None:
        try:
            await participant.run(stop)
        except LeaseLost as lost:
            self._log.warning("shard lost", error=str(lost))
        finally:
            self._participant = None
        self._happened(Event.ENDED)

    def _leading(self) -> None:
        self._happened(Event.LEASED)

    def _open(self) -> None:
        now = self._around.clock.monotonic()
        got = self._lease.take_got()
        self.terms += 1
        if got.kept and self.residents is not None:
            return
        timing = self._around.timing
        # One that was lost could dispatch nothing for some seconds already: that long its lease was waited for.
        lag = timing.engine_lag if got.handed_over else 0.0
        self.residents = Residents(
            self._around.identity, got.left, Takeover(at=now, counted_from=now + lag, gone_after=now + timing.gone)
        )

    def _new_fence(self) -> Fence:
        return Fence(self._name, self._around.identity, self._around.clock.monotonic)
