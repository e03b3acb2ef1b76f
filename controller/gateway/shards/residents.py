"""Requests of other replicas that may still run at the engines of a shard, and so the seats that are not ours. Pure.

Who takes a shard over must not fill seats that those before it still use. All it has are upper bounds; but the number
of such requests only falls, for nobody else may dispatch there. So each bound holds from then on, and the least counts.

    from the Lease     what the one before wrote as it gave the shard back: its own, and what it knew of others
    from the sender    what it says of itself when asked: exact
    from the engine    how many it has in all, less those that are surely ours

Nothing is known of one that was lost: its requests may hold every seat, until it or the engine says otherwise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TypeAlias

Counts: TypeAlias = Mapping[str, int]
"""Requests in flight by endpoint."""
Left: TypeAlias = Mapping[str, Counts | None]
"""The same by the identity of the replica that sent them; None: nothing is known of it. "" is one without a name."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """How a shard was got, in seconds of the new holder's monotonic clock.

    `at`: when. `counted_from`: an engine that was asked before then may not have counted what was sent last, so its
    answer is no bound. `gone_after`: by then whatever others sent has ended, also at an engine that never says.
    """

    at: float
    counted_from: float
    gone_after: float


@dataclass(slots=True)
class _AtEndpoint:
    by_sender: dict[str, float] = field(default_factory=dict)
    measured: float = inf
    since: float = 0.0

    @property
    def bound(self) -> float:
        return min(self.measured, sum(self.by_sender.values()))


class Residents:
    """The bounds of one shard for one term of its holder, `own`; `left` is what stood in the Lease."""

    def __init__(self, own: str, left: Left, takeover: Takeover) -> None:
        self._takeover = takeover
        # What is ours is in our own books.
        others = {sender: counts for sender, counts in left.items() if sender != own}
        self._lost = frozenset(sender for sender, counts in others.items() if counts is None)
        self._endpoints: dict[str, _AtEndpoint] = {}
        for sender, counts in others.items():
            for endpoint, count in (counts or {}).items():
                self._at(endpoint).by_sender[sender] = count

    def taken(self, endpoint: str, seats: int, now: float) -> int:
        """How many of the endpoint's `seats` others may use at `now`; all, as long as nothing is known."""
        if now >= self._takeover.gone_after:
            return 0
        return int(min(seats, self._at(endpoint).bound))

    def tell(self, sender: str, counts: Counts, endpoints: Iterable[str], now: float) -> None:
        """`sender` itself says what it has in flight at `endpoints`; one that it does not name has none of it."""
        for endpoint in endpoints:
            at = self._at(endpoint)
            count = counts.get(endpoint, 0)
            if count < at.by_sender.get(sender, 0):
                at.by_sender[sender] = count
                at.since = now

    def measure(self, endpoint: str, reported: int, ours: int, *, asked: float, now: float) -> None:
        """The engine says that it has `reported` requests, of which `ours` are surely ours. `asked`: when, monotonic.

        `ours` must not count a request that the engine may not have counted: more seats would seem free than are.
        """
        at = self._at(endpoint)
        others = max(reported - ours, 0)
        if asked >= self._takeover.counted_from and others < at.bound:
            at.measured = others
            at.since = now

    def unsettled(self, endpoints: Iterable[str], now: float) -> list[str]:
        """Those of `endpoints` where others may have requests."""
        return [endpoint for endpoint in endpoints if self.taken(endpoint, 1, now)]

    def needs_engine(self, endpoint: str, answering: frozenset[str]) -> bool:
        """Whether the engine has to be asked: somebody may have requests there who is not among those that answer."""
        at = self._at(endpoint)
        return at.bound > 0 and any(count for sender, count in at.by_sender.items() if sender not in answering)

    def unmoved(self, endpoint: str, now: float) -> float:
        """Seconds for which the bound at an endpoint has not fallen."""
        return now - max(self._at(endpoint).since, self._takeover.at)

    def left(self, endpoints: Counts, now: float) -> dict[str, dict[str, int] | None]:
        """What the next one must know of others, for `endpoints` with their seats."""
        left: dict[str, dict[str, int] | None] = {}
        for endpoint, seats in endpoints.items():
            at = self._at(endpoint)
            for sender, count in at.by_sender.items() if self.taken(endpoint, seats, now) else ():
                of_sender = left.setdefault(sender, {})
                at_most = min(count, at.bound)
                if at_most == inf:
                    left[sender] = None
                elif of_sender is not None and at_most:
                    of_sender[endpoint] = int(at_most)
        return {sender: counts for sender, counts in left.items() if counts is None or counts}

    def _at(self, endpoint: str) -> _AtEndpoint:
        found = self._endpoints.get(endpoint)
        if found is None:
            found = self._endpoints[endpoint] = _AtEndpoint(dict.fromkeys(self._lost, inf), since=self._takeover.at)
        return found
