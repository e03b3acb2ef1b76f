"""Which agents are alive: judged by changes seen with our own monotonic clock, never by the Lease's timestamps."""

from collections.abc import Callable, Iterable
from heapq import heappop, heappush

from controller.runtime.cache.store import StoreEvent
from controller.runtime.clock import Clock
from controller.runtime.objects.lease import Lease

#: How long a change of the Lease vouches for the inventory, seconds: four heartbeats of ten seconds.
FRESH_SECONDS = 40.0


class Heartbeats:
    """Follows the agents' Leases. The first sight of a Lease proves nothing: it may be an hour old."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_at = clock.monotonic()
        self._renewed: dict[str, str | None] = {}
        self._changed_at: dict[str, float] = {}
        self._revived: list[Callable[[], None]] = []
        self._until: list[tuple[float, str]] = []
        self._watched: set[str] = set()

    def take(self, event: StoreEvent[Lease]) -> None:
        """Apply one informer event of a Lease, named for its node."""
        name = event.object.metadata.name
        if event.new is None:
            self._renewed.pop(name, None)
            self._changed_at.pop(name, None)
            return
        renewed = event.new.spec.renew_time
        if (name in self._renewed and renewed != self._renewed[name]) or (not event.initial and event.old is None):
            self._seen(name)
        self._renewed[name] = renewed

    def on_revival(self, call: Callable[[], None]) -> None:
        """Call `call` whenever a node that was not fresh becomes so."""
        self._revived.append(call)

    def _seen(self, name: str) -> None:
        revived = not self.fresh(name)
        self._changed_at[name] = self._clock.monotonic()
        if name not in self._watched:
            self._watched.add(name)
            heappush(self._until, (self._changed_at[name] + FRESH_SECONDS, name))
        for call in self._revived if revived else ():
            call()

    def fresh(self, node: str) -> bool:
        """Whether the node's agent was seen to renew its Lease within the last 40 s."""
        changed_at = self._changed_at.get(node)
        return changed_at is not None and self._clock.monotonic() - changed_at <= FRESH_SECONDS

    def lapsed(self) -> list[str]:
        """The nodes that were fresh and are not any more, each told once. Costs nothing while none is due."""
        now, names = self._clock.monotonic(), []
        while self._until and self._until[0][0] < now:
            _, name = heappop(self._until)
            if self.fresh(name):
                heappush(self._until, (self._changed_at[name] + FRESH_SECONDS, name))
            else:
                self._watched.discard(name)
                names.append(name)
        return names

    def unsettled(self, nodes: Iterable[str]) -> bool:
        """Whether it is too early to count a silent node out: we started lately and have not heard of every one."""
        if self._clock.monotonic() - self._started_at > FRESH_SECONDS:
            return False
        return not all(self.fresh(node) for node in nodes)
