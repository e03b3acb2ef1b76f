"""Clocks that tests own: FakeClock moves when told, SkippingClock never waits, LoopClock is the event loop's time."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

START = datetime(2026, 1, 1, tzinfo=UTC)
# Far from the machine's monotonic clock and from zero, so that mixing clocks shows at once.
_MONOTONIC_START = 1_000_000.0
# Rounds of the loop that a woken task gets before the next sleeper wakes: enough for a chain of callbacks.
_SETTLE_ROUNDS = 20


class FakeClock:
    """A clock that stands still until `advance`; sleepers wake in the order of their time.

    >>> clock = FakeClock()
    >>> clock.set(START + timedelta(seconds=3))
    >>> clock.now() - START
    datetime.timedelta(seconds=3)
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def monotonic(self) -> float:
        return _MONOTONIC_START + self._elapsed

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), woken))
        await woken

    @property
    def sleepers(self) -> int:
        """How many tasks wait on this clock."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    def set(self, now: datetime) -> None:
        """Move to `now` without letting anybody run; who is due wakes when the loop runs next."""
        self._elapsed = (now - self._start).total_seconds()
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            self._wake_first()

    def tick(self, seconds: float) -> None:
        """`set`, relative."""
        self.set(self.now() + timedelta(seconds=seconds))

    async def advance(self, seconds: float) -> None:
        """Move forward, stopping at each sleeper's time so that what it does happens then."""
        await settle()
        target = self._elapsed + seconds
        while self._sleepers and self._sleepers[0][0] <= target:
            self._elapsed = self._sleepers[0][0]
            self._wake_first()
            await settle()
        self._elapsed = target

    def _wake_first(self) -> None:
        _, _, woken = heapq.heappop(self._sleepers)
        if not woken.done():
            woken.set_result(None)


class SkippingClock:
    """A clock that jumps over every sleep: for real sockets with virtual waits. `slept` lists them, in seconds."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._elapsed = 0.0

    def monotonic(self) -> float:
        return _MONOTONIC_START + self._elapsed

    def now(self) -> datetime:
        return START + timedelta(seconds=self._elapsed)

    def tick(self, seconds: float) -> None:
        """Let time pass."""
        self._elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._elapsed += max(seconds, 0.0)
        await asyncio.sleep(0)


class LoopClock:
    """The event loop's own time: virtual under looptime, so that `asyncio.timeout` and this clock agree."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0))


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(_SETTLE_ROUNDS):
        await asyncio.sleep(0)
