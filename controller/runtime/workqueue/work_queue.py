"""The work queue's decisions. Pure: no clock, no waiting; every method that needs the time is given `now` in seconds.

    add ──> dirty + ready ──get──> processing ──done──> (gone, or ready again when it was added meanwhile)
    add_after ──> waiting (heap by due time) ──due──> add

An item in `dirty` wants work, one in `processing` is being worked on; an added item that is in `processing` is only
marked dirty, so that no two workers ever hold the same item, and no event is lost.
"""

import heapq
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT", bound=Hashable)

# 2**n beyond this is above any cap that makes sense, and n grows without end for an item that always fails.
_LARGEST_EXPONENT = 60


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """Figures of one moment; durations in seconds.

    `depth`: ready items; `waiting`: delayed ones; `processing`: with workers; `failing`: items with failures that
    were not forgotten; `unfinished`: summed age of what is with workers, `longest`: the oldest of it;
    `queue_seconds` and `work_seconds`: summed over all finished ones.
    """

    depth: int
    waiting: int
    processing: int
    failing: int
    adds: int
    retries: int
    done: int
    queue_seconds: float
    work_seconds: float
    unfinished: float
    longest: float


class WorkQueue(Generic[ItemT]):
    """A queue of distinct items in the order of their first add.

    `first_delay` doubles with each failure of an item up to `longest_delay` (seconds).
    """

    def __init__(self, *, first_delay: float = 0.005, longest_delay: float = 1000.0) -> None:
        if not 0 < first_delay <= longest_delay:
            raise ValueError(f"first_delay {first_delay}: give one above 0 and up to longest_delay {longest_delay}")
        self._first_delay, self._longest_delay = first_delay, longest_delay
        self._ready: deque[ItemT] = deque()
        self._dirty: dict[ItemT, float] = {}  # item -> when it was added
        self._processing: dict[ItemT, float] = {}  # item -> when a worker took it
        self._due: dict[ItemT, float] = {}
        self._heap: list[tuple[float, int, ItemT]] = []  # entries that `_due` contradicts are stale
        self._order = count()
        self._failures: dict[ItemT, int] = {}
        self._adds = self._retries = self._done = 0
        self._queue_seconds = self._work_seconds = 0.0
        self._shut = False

    @property
    def shut(self) -> bool:
        """Whether `shut_down` was called."""
        return self._shut

    def add(self, item: ItemT, now: float) -> None:
        """Ask for work on `item`; asking again before a worker has it changes nothing."""
        if self._shut or item in self._dirty:
            return
        self._adds += 1
        self._dirty[item] = now
        if item not in self._processing:
            self._ready.append(item)

    def add_after(self, item: ItemT, seconds: float, now: float) -> None:
        """Add `item` in `seconds`; of several delays the earliest counts. Zero or less: at once."""
        if self._shut:
            return
        if seconds <= 0:
            self.add(item, now)
            return
        due = now + seconds
        if item in self._due and self._due[item] <= due:
            return
        self._due[item] = due
        heapq.heappush(self._heap, (due, next(self._order), item))

    def add_rate_limited(self, item: ItemT, now: float) -> float:
        """Count a failure of `item` and add it after its delay, which is returned (seconds)."""
        failures = self._failures.get(item, 0)
        self._failures[item] = failures + 1
        self._retries += 1
        delay = min(self._first_delay * 2.0 ** min(failures, _LARGEST_EXPONENT), self._longest_delay)
        self.add_after(item, delay, now)
        return delay

    def forget(self, item: ItemT) -> None:
        """Forget the failures of `item`: its next one waits `first_delay` again."""
        self._failures.pop(item, None)

    def failures(self, item: ItemT) -> int:
        """Failures of `item` since it was last forgotten."""
        return self._failures.get(item, 0)

    def get(self, now: float) -> ItemT | None:
        """Take the next item to work on, None when none is ready. Each one taken must be given to `done`."""
        self.release(now)
        if not self._ready:
            return None
        item = self._ready.popleft()
        self._queue_seconds += now - self._dirty.pop(item)
        self._processing[item] = now
        return item

    def done(self, item: ItemT, now: float) -> None:
        """The work on `item` ended; when it was added meanwhile it is ready again. Raises ValueError if not taken."""
        if item not in self._processing:
            raise ValueError(f"item {item!r}: not being worked on; call done once for each get")
        self._work_seconds += now - self._processing.pop(item)
        self._done += 1
        if item in self._dirty:
            self._ready.append(item)

    def next_due(self) -> float | None:
        """When the first delayed item becomes ready, None when nothing is delayed."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def release(self, now: float) -> int:
        """Make ready what is due; how many delayed items that were. `get` does it too."""
        released = 0
        while (due := self.next_due()) is not None and due <= now:
            _, _, item = heapq.heappop(self._heap)
            del self._due[item]
            self.add(item, now)
            released += 1
        return released

    def shut_down(self) -> None:
        """Take no more items, and drop the waiting ones: state is read anew by whoever starts next."""
        self._shut = True
        self._ready.clear()
        self._dirty.clear()
        self._due.clear()
        self._heap.clear()

    def statistics(self, now: float) -> QueueStatistics:
        """The figures at `now`."""
        ages = [now - since for since in self._processing.values()]
        return QueueStatistics(
            depth=len(self._ready),
            waiting=len(self._due),
            processing=len(self._processing),
            failing=len(self._failures),
            adds=self._adds,
            retries=self._retries,
            done=self._done,
            queue_seconds=self._queue_seconds,
            work_seconds=self._work_seconds,
            unfinished=sum(ages),
            longest=max(ages, default=0.0),
        )
