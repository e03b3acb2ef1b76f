"""The work queue's decisions. Pure: no clock, no waiting; every method that needs the time is given `now` in seconds.

    add ───────> ready ──get──> processing ──done──> (gone)
    add_after ─> waiting ──due──> ready
                 added while processing: behind ──done──> ready

An item is wanted at most once, whatever was asked: of several requests the highest priority and the earliest time
count. One that is being worked on is not handed out, so that no two workers ever hold the same item, and what is
asked of it meanwhile is kept, so that no event is lost.

Of the ready items the highest priority comes first, and within a priority who was ready first. Getting and adding
cost O(log n).
"""

import heapq
from collections import defaultdict
from collections.abc import Hashable
from itertools import count
from typing import Generic, TypeVar

from controller.runtime.workqueue.statistics import ItemState, QueuedItem, QueueStatistics

ItemT = TypeVar("ItemT", bound=Hashable)

# 2**n beyond this is above any cap that makes sense, and n grows without end for an item that always fails.
_LARGEST_EXPONENT = 60
# Heaps are cleaned when more than half of them is stale; below this many entries that is not worth the while.
_FEW = 64


class _Entry(Generic[ItemT]):
    """What is wanted of one item. `since`: when it was added or got ready; `due` None: it need not wait.

    Heaps hold entries with the key they had when pushed; a key that the entry no longer has makes that place stale.
    """

    __slots__ = ("due", "item", "order", "priority", "since", "taken")

    def __init__(self, item: ItemT, priority: int, order: int, since: float, due: float | None) -> None:
        self.item, self.priority, self.order, self.since, self.due = item, priority, order, since, due
        self.taken = 0.0


class WorkQueue(Generic[ItemT]):
    """A queue of distinct items by priority (higher first, 0 is usual), then in the order in which they got ready.

    `first_delay` doubles with each failure of an item up to `longest_delay` (seconds).
    """

    def __init__(self, *, first_delay: float = 0.005, longest_delay: float = 1000.0) -> None:
        if not 0 < first_delay <= longest_delay:
            raise ValueError(f"first_delay {first_delay}: give one above 0 and up to longest_delay {longest_delay}")
        self._first_delay, self._longest_delay = first_delay, longest_delay
        self._wanted: dict[ItemT, _Entry[ItemT]] = {}
        self._processing: dict[ItemT, _Entry[ItemT]] = {}
        self._ready: list[tuple[int, int, _Entry[ItemT]]] = []  # (-priority, order, entry)
        self._later: list[tuple[float, int, _Entry[ItemT]]] = []  # (due, order, entry)
        self._depths: defaultdict[int, int] = defaultdict(int)
        self._depth = self._waiting = 0
        self._order = count()
        self._failures: dict[ItemT, int] = {}
        self._adds = self._retries = self._done = 0
        self._queue_seconds = self._work_seconds = 0.0
        self._shut = False

    @property
    def shut(self) -> bool:
        """Whether `shut_down` was called."""
        return self._shut

    @property
    def drained(self) -> bool:
        """Whether it is shut down and nothing will ever be ready again."""
        return self._shut and not self._wanted

    def add(self, item: ItemT, now: float, priority: int = 0) -> bool:
        """Ask for work on `item`; whether that made one more item ready to be taken.

        An item that is wanted already keeps its place, or moves up when `priority` is higher; a delay ends.
        """
        if self._shut:
            return False
        entry = self._wanted.get(item)
        if entry is None:
            entry = self._wanted[item] = _Entry(item, priority, 0, now, None)
            return self._make_ready(entry, now)
        if entry.due is None:
            if priority > entry.priority:
                self._raise(entry, priority)
            return False
        entry.priority = max(priority, entry.priority)
        entry.due = None
        self._waiting -= 1
        return self._make_ready(entry, now)

    def add_after(self, item: ItemT, seconds: float, now: float, priority: int | None = None) -> bool:
        """`add` in `seconds` (zero or less: at once), unless it is wanted earlier anyway.

        `priority` None: the one with which the item is being worked on, 0 when it is not.
        """
        if self._shut:
            return False
        if priority is None:
            working = self._processing.get(item)
            priority = 0 if working is None else working.priority
        if seconds <= 0:
            return self.add(item, now, priority)
        due = now + seconds
        entry = self._wanted.get(item)
        if entry is None:
            entry = self._wanted[item] = _Entry(item, priority, 0, now, due)
            self._waiting += 1
            self._push_later(entry, due)
            return False
        if priority > entry.priority:
            self._raise(entry, priority)
        if entry.due is not None and due < entry.due:
            entry.due = due
            self._push_later(entry, due)
        return False

    def add_rate_limited(self, item: ItemT, now: float, priority: int | None = None) -> float:
        """Count a failure of `item` and `add_after` its delay, which is returned (seconds)."""
        failures = self._failures.get(item, 0)
        self._failures[item] = failures + 1
        self._retries += 1
        delay = min(self._first_delay * 2.0 ** min(failures, _LARGEST_EXPONENT), self._longest_delay)
        self.add_after(item, delay, now, priority)
        return delay

    def forget(self, item: ItemT) -> None:
        """Forget the failures of `item`: its next one waits `first_delay` again."""
        self._failures.pop(item, None)

    def failures(self, item: ItemT) -> int:
        """Failures of `item` since it was last forgotten."""
        return self._failures.get(item, 0)

    def get(self, now: float) -> ItemT | None:
        """Take the next item to work on, None when none is ready. Each one taken must be given to `done`."""
        if self._later and self._later[0][0] <= now:
            self.release(now)
        while self._ready:
            key, _, entry = heapq.heappop(self._ready)
            if entry.priority != -key:
                continue  # stale: it was raised, and has another place
            item = entry.item
            del self._wanted[item]
            self._depth -= 1
            self._depths[entry.priority] -= 1
            self._queue_seconds += now - entry.since
            entry.taken = now
            self._processing[item] = entry
            return item
        return None

    def waited(self, item: ItemT) -> float:
        """Seconds that an item was ready before its worker took it. Raises ValueError when no worker has it."""
        entry = self._being_processed(item)
        return entry.taken - entry.since

    def done(self, item: ItemT, now: float) -> bool:
        """The work on `item` ended; whether it is ready again, having been added meanwhile.

        Raises ValueError when no worker has it.
        """
        entry = self._being_processed(item)
        del self._processing[item]
        self._work_seconds += now - entry.taken
        self._done += 1
        behind = self._wanted.get(item)
        if behind is None or behind.due is not None:
            return False
        self._push_ready(behind)
        return True

    def next_due(self) -> float | None:
        """When the first delayed item becomes ready, None when nothing is delayed."""
        later = self._later
        while later and later[0][2].due != later[0][0]:
            heapq.heappop(later)
        return later[0][0] if later else None

    def release(self, now: float) -> int:
        """Make ready what is due; how many items more can be taken. `get` does it too."""
        released = 0
        while (due := self.next_due()) is not None and due <= now:
            _, _, entry = heapq.heappop(self._later)
            entry.due = None
            self._waiting -= 1
            released += self._make_ready(entry, now)
        return released

    def shut_down(self, *, drain: bool = False) -> None:
        """Take no more items, and drop those that wait: state is read anew by whoever starts next.

        `drain`: what is ready or behind is still handed out, until `drained`; otherwise it is dropped as well.
        """
        self._shut = True
        self._later.clear()
        self._waiting = 0
        if drain:
            self._wanted = {item: entry for item, entry in self._wanted.items() if entry.due is None}
            return
        self._wanted.clear()
        self._ready.clear()
        self._depth = 0
        self._depths = defaultdict(int, dict.fromkeys(self._depths, 0))

    def statistics(self, now: float) -> QueueStatistics:
        """The figures at `now`."""
        ages = [now - entry.taken for entry in list(self._processing.values())]
        return QueueStatistics(
            depth=self._depth,
            depths=dict(self._depths),
            waiting=self._waiting,
            processing=len(ages),
            failing=len(self._failures),
            adds=self._adds,
            retries=self._retries,
            done=self._done,
            queue_seconds=self._queue_seconds,
            work_seconds=self._work_seconds,
            unfinished=sum(ages),
            longest=max(ages, default=0.0),
        )

    def items(self, limit: int, now: float) -> list[QueuedItem[ItemT]]:
        """Up to `limit` items: those with workers, then the wanted ones in the order in which they will be taken."""
        found = [self._describe(entry, ItemState.PROCESSING, now) for entry in self._processing.values()]
        ready = heapq.nsmallest(limit, (place for place in self._ready if place[2].priority == -place[0]))
        found += [self._describe(entry, ItemState.READY, now) for _, _, entry in ready]
        behind = (entry for item, entry in self._wanted.items() if entry.due is None and item in self._processing)
        found += [self._describe(entry, ItemState.BEHIND, now) for entry in behind]
        later = heapq.nsmallest(limit, (place for place in self._later if place[2].due == place[0]))
        found += [self._describe(entry, ItemState.WAITING, now) for _, _, entry in later]
        return found[:limit]

    def _describe(self, entry: _Entry[ItemT], state: ItemState, now: float) -> QueuedItem[ItemT]:
        since = entry.taken if state is ItemState.PROCESSING else entry.since
        due_in = None if entry.due is None else entry.due - now
        return QueuedItem(entry.item, state, entry.priority, now - since, due_in, self.failures(entry.item))

    def _being_processed(self, item: ItemT) -> _Entry[ItemT]:
        entry = self._processing.get(item)
        if entry is None:
            raise ValueError(f"item {item!r}: not being worked on; call done once for each get")
        return entry

    def _make_ready(self, entry: _Entry[ItemT], now: float) -> bool:
        """Give the entry its place in the order of this moment; whether it can be taken now."""
        self._adds += 1
        entry.order, entry.since = next(self._order), now
        if entry.item in self._processing:
            return False
        self._push_ready(entry)
        return True

    def _raise(self, entry: _Entry[ItemT], priority: int) -> None:
        before, entry.priority = entry.priority, priority
        if entry.due is None and entry.item not in self._processing:
            self._depth -= 1
            self._depths[before] -= 1
            self._push_ready(entry)

    def _push_ready(self, entry: _Entry[ItemT]) -> None:
        self._depth += 1
        self._depths[entry.priority] += 1
        heapq.heappush(self._ready, (-entry.priority, entry.order, entry))
        if len(self._ready) > 2 * self._depth + _FEW:
            self._ready = [place for place in self._ready if place[2].priority == -place[0]]
            heapq.heapify(self._ready)

    def _push_later(self, entry: _Entry[ItemT], due: float) -> None:
        heapq.heappush(self._later, (due, next(self._order), entry))
        if len(self._later) > 2 * self._waiting + _FEW:
            self._later = [place for place in self._later if place[2].due == place[0]]
            heapq.heapify(self._later)
