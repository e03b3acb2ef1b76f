"""Deadlines of many connections, looked at a few times a second: a wheel of slots, each with the connections due in it.

A deadline that moves later costs one assignment: the connection stays in its slot, and is put into the right one when
that slot comes up. Only one that moves earlier is put elsewhere at once. So a deadline is noticed up to one slot late,
which is nothing beside the seconds it stands for, and a request in the steady state touches no timer at all.
"""

from math import ceil, inf
from typing import Protocol

SLOT_SECONDS = 0.25


class Timed(Protocol):
    """Something with a deadline. `deadline` may be set later at any time, and earlier through `TimerWheel.watch`."""

    deadline: float
    slot: int

    def expire(self, now: float) -> None:
        """Its deadline has passed."""
        ...


class TimerWheel:
    """Holds what has a deadline; somebody calls `turn` every `SLOT_SECONDS`. `now` is when that was last.

    As `now` lags by one slot at most, deadlines are counted from it, which saves asking for the time.
    """

    def __init__(self, now: float) -> None:
        self.now = now
        self._slots: dict[int, set[Timed]] = {}
        self._turned = ceil(now / SLOT_SECONDS)

    def __len__(self) -> int:
        return sum(map(len, self._slots.values()))

    def watch(self, item: Timed, deadline: float) -> None:
        """Call `item.expire` once `deadline` has passed, unless it has been moved. `inf`: never."""
        item.deadline = deadline
        if deadline == inf:
            return
        slot = max(ceil(deadline / SLOT_SECONDS), self._turned + 1)
        if item.slot and item.slot <= slot:
            return
        self.forget(item)
        self._put(item, slot)

    def forget(self, item: Timed) -> None:
        """Hold it no longer; what is not held is ignored."""
        found = self._slots.get(item.slot)
        if found is not None:
            found.discard(item)
        item.slot = 0

    def turn(self, now: float) -> None:
        """Expire what is due at `now`, in the order of the slots."""
        self.now = now
        for slot in range(self._turned + 1, int(now / SLOT_SECONDS) + 1):
            self._turned = slot
            for item in self._slots.pop(slot, ()):
                if item.slot == slot:
                    self._look_at(item, now)

    def _look_at(self, item: Timed, now: float) -> None:
        item.slot = 0
        if item.deadline <= now:
            item.expire(now)
        elif item.deadline < inf:
            self._put(item, max(ceil(item.deadline / SLOT_SECONDS), self._turned + 1))

    def _put(self, item: Timed, slot: int) -> None:
        item.slot = slot
        self._slots.setdefault(slot, set()).add(item)
