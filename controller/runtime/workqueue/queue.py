"""The work queue with waiting: workers block in `get` until an item is ready or the queue is shut down."""

import asyncio
from collections import deque
from typing import Generic

from controller.runtime.clock import Clock
from controller.runtime.workqueue.statistics import QueuedItem, QueueStatistics
from controller.runtime.workqueue.work_queue import ItemT, WorkQueue

# Rounding may leave a due time a hair ahead of the clock: without a floor that hair becomes a busy loop.
_SHORTEST_SLEEP_SECONDS = 0.001


class AsyncWorkQueue(Generic[ItemT]):
    """A WorkQueue for tasks of one event loop. `run` must be running for delayed items to become ready.

    All methods but `get` and `run` return at once and may be called from event handlers.
    """

    def __init__(self, clock: Clock, *, first_delay: float = 0.005, longest_delay: float = 1000.0) -> None:
        self._clock = clock
        self._queue: WorkQueue[ItemT] = WorkQueue(first_delay=first_delay, longest_delay=longest_delay)
        self._getters: deque[asyncio.Future[None]] = deque()
        self._sleep: asyncio.Timeout | None = None
        self._changed = asyncio.Event()
        self._wakes_at: float | None = None

    async def run(self) -> None:
        """Release delayed items when they are due, until `shut_down`."""
        while not self._queue.shut:
            self._changed.clear()
            due = self._queue.next_due()
            self._wakes_at = due
            if due is None:
                await self._changed.wait()
                continue
            await self._sleep_until(due)
            for _ in range(self._queue.release(self._clock.monotonic())):
                self._wake_one()

    def add(self, item: ItemT, priority: int = 0) -> None:
        """See `WorkQueue.add`."""
        if self._queue.add(item, self._clock.monotonic(), priority):
            self._wake_one()

    def add_after(self, item: ItemT, seconds: float, priority: int | None = None) -> None:
        """See `WorkQueue.add_after`."""
        if self._queue.add_after(item, seconds, self._clock.monotonic(), priority):
            self._wake_one()
        self._wake_earlier()

    def add_rate_limited(self, item: ItemT, priority: int | None = None) -> float:
        """See `WorkQueue.add_rate_limited`."""
        delay = self._queue.add_rate_limited(item, self._clock.monotonic(), priority)
        self._wake_earlier()
        return delay

    def forget(self, item: ItemT) -> None:
        """See `WorkQueue.forget`."""
        self._queue.forget(item)

    async def get(self) -> ItemT | None:
        """The next item, waiting for one; None once the queue is shut down (and drained, if that was asked for).

        A cancelled wait takes nothing.
        """
        queue = self._queue
        while not queue.drained:
            now = self._clock.monotonic()
            released = queue.release(now)
            item = queue.get(now)
            # `run` finds nothing left to release: those who wait for the others must hear of them from here.
            for _ in range(released if item is None else released - 1):
                self._wake_one()
            if item is not None:
                return item
            await self._wait_for_item()
        return None

    def waited(self, item: ItemT) -> float:
        """See `WorkQueue.waited`."""
        return self._queue.waited(item)

    def done(self, item: ItemT) -> None:
        """See `WorkQueue.done`."""
        if self._queue.done(item, self._clock.monotonic()):
            self._wake_one()
        elif self._queue.drained:
            self._wake_all()

    def shut_down(self, *, drain: bool = False) -> None:
        """Take no more items, and drop delayed ones; `run` returns. Items with workers are finished by them.

        `drain`: getters still get what is ready, and return None when all of it was given out; without it they
        return at once. A second call without `drain` drops what is left. How long draining may take is up to the
        caller.
        """
        self._queue.shut_down(drain=drain)
        self._wake_all()
        self._interrupt()

    def statistics(self) -> QueueStatistics:
        """The figures of this moment."""
        return self._queue.statistics(self._clock.monotonic())

    def items(self, limit: int) -> list[QueuedItem[ItemT]]:
        """See `WorkQueue.items`."""
        return self._queue.items(limit, self._clock.monotonic())

    async def _wait_for_item(self) -> None:
        getter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._getters.append(getter)
        try:
            await getter
        except asyncio.CancelledError:
            if getter.done() and not getter.cancelled():
                self._wake_one()  # this wake was meant for an item: pass it on
            elif getter in self._getters:
                self._getters.remove(getter)
            raise

    def _wake_one(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

    def _wake_all(self) -> None:
        for _ in range(len(self._getters)):
            self._wake_one()

    def _wake_earlier(self) -> None:
        due = self._queue.next_due()
        if due is not None and (self._wakes_at is None or due < self._wakes_at):
            self._interrupt()

    def _interrupt(self) -> None:
        self._changed.set()
        if self._sleep is not None:
            self._sleep.reschedule(asyncio.get_running_loop().time())
            self._sleep = None

    async def _sleep_until(self, due: float) -> None:
        try:
            async with asyncio.timeout(None) as self._sleep:
                await self._clock.sleep(max(due - self._clock.monotonic(), _SHORTEST_SLEEP_SECONDS))
        except TimeoutError:
            return  # interrupted: something is due earlier, or the queue was shut down
        finally:
            self._sleep = None
