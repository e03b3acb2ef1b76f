"""The cyclic garbage collector, kept away from big lists.

A list allocates containers that live on, so each collection that it triggers walks them and finds nothing, and a
full one holds up the event loop: 0.4 s for 10,000 pods as dicts. So it is off while parts of a list are taken in
(reference counting goes on), and what a big first list brought is never walked again. It is on while the server is
waited for, however long that takes.
"""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

BIG_LIST_OBJECTS: Final = 1000
"""From here on a first list is taken out of the collector's sight: fewer are walked in some 10 ms."""


BURST_GAP_SECONDS: Final = 0.05
"""A stream that was silent for so long is waited for: chunks of one that goes on come within a millisecond or two."""


class _Pauses:
    """How many lists are taken in now. One for the process, as the collector is."""

    running = 0
    was_enabled = False


@contextmanager
def paused() -> Iterator[None]:
    """Keep the collector off: for work on what is there, never around a wait for others.

    Pauses may overlap (lists of several informers do): the last to end turns it on again.
    """
    _begin()
    try:
        yield
    finally:
        _end()


class Burst:
    """A pause from each `goes_on` until nobody called it for BURST_GAP_SECONDS."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._last = 0.0
        # One timer for many calls: it looks when the last of them was.
        self._timer: asyncio.TimerHandle | None = None

    def goes_on(self) -> None:
        """Another part came."""
        self._last = self._loop.time()
        if self._timer is None:
            _begin()
            self._wait(BURST_GAP_SECONDS)

    def end(self) -> None:
        """There is no more to come."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            _end()

    def _wait(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        left = self._last + BURST_GAP_SECONDS - self._loop.time()
        if left > 0:
            self._wait(left)
        else:
            self.end()


@contextmanager
def paused_in_bursts() -> Iterator[Burst]:
    """Keep the collector off while a stream brings one thing after another, and on while it is waited for."""
    collect_young()
    burst = Burst()
    try:
        yield burst
    finally:
        burst.end()


def collect_young() -> None:
    """To be called before a list, so that little garbage is still there when a freeze would keep it for ever."""
    if _Pauses.running == 0:
        gc.collect(1)


def _begin() -> None:
    if _Pauses.running == 0:
        _Pauses.was_enabled = gc.isenabled()
        gc.disable()
    _Pauses.running += 1


def _end() -> None:
    _Pauses.running -= 1
    if _Pauses.running == 0 and _Pauses.was_enabled:
        gc.enable()


def spare(objects: int) -> None:
    """Never walk again what is alive now, if a list of that many objects made it worth it.

    Such objects are still freed as soon as nobody refers to them, unless they are part of a cycle. No collection is
    made first: it would hold up the event loop for as long as this is to save.
    """
    if objects >= BIG_LIST_OBJECTS:
        gc.freeze()
