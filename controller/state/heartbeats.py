"""Which agents are alive: judged by changes seen with our own monotonic clock, never by the Lease's timestamps."""

from typing import Any

from controller.runtime.cache.store import StoreEvent
from controller.runtime.clock import Clock

#: How long a change of the Lease vouches for the inventory, seconds: four heartbeats of ten seconds.
FRESH_SECONDS = 40.0


class Heartbeats:
    """Follows the agents' Leases. The first sight of a Lease proves nothing: it may be an hour old."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._renewed: dict[str, Any] = {}
        self._changed_at: dict[str, float] = {}

    def take(self, event: StoreEvent) -> None:
        """Apply one informer event of a Lease, named for its node."""
        name = event.object["metadata"]["name"]
        if event.new is None:
            self._renewed.pop(name, None)
            self._changed_at.pop(name, None)
            return
        renewed = event.new.get("spec", {}).get("renewTime")
        if (name in self._renewed and renewed != self._renewed[name]) or (not event.initial and event.old is None):
            self._changed_at[name] = self._clock.monotonic()
        self._renewed[name] = renewed

    def fresh(self, node: str) -> bool:
        """Whether the node's agent was seen to renew its Lease within the last 40 s."""
        changed_at = self._changed_at.get(node)
        return changed_at is not None and self._clock.monotonic() - changed_at <= FRESH_SECONDS

    def next_expiry(self) -> float | None:
        """Monotonic time at which the next fresh node turns stale, None when none is fresh."""
        now = self._clock.monotonic()
        ends = [at + FRESH_SECONDS for at in self._changed_at.values() if now - at <= FRESH_SECONDS]
        return min(ends, default=None)
