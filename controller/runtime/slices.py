"""Work that takes long, done on the event loop in slices: everybody else has a turn in between.

    found = await Slices(clock).run(searching(snapshot, demand))

What is worked on is a generator that pauses between its steps. A slice ends with the first step that ends after its
time is over, so it takes no longer than that and one step more.
"""

from collections.abc import Generator
from contextlib import closing
from typing import Final, TypeVar

from controller.runtime.clock import Clock

#: Of one slice, seconds: several kinds of work may run at once, and a lease is renewed or a webhook answered between.
SLICE_SECONDS: Final = 0.01
#: Turns of the loop that others get between two slices: an answer to a request takes several, one after the other.
TURNS: Final = 8

T = TypeVar("T")


class Slices:
    """Runs generators to their end in slices of `seconds`. Cancellation closes the generator at its last pause."""

    def __init__(self, clock: Clock, seconds: float = SLICE_SECONDS) -> None:
        self._clock = clock
        self._seconds = seconds
        self._pauses = 0
        self._busy = 0.0

    @property
    def pauses(self) -> int:
        """How often others had their turn: while it stays the same, nothing can have changed."""
        return self._pauses

    @property
    def busy_seconds(self) -> float:
        """What all slices took together, without the pauses."""
        return self._busy

    async def run(self, work: Generator[None, None, T]) -> T:
        """What the generator returns in the end; raises what it raises."""
        with closing(work):
            while (done := self._slice(work)) is None:
                self._pauses += 1
                for _ in range(TURNS):
                    await self._clock.sleep(0)
        outcome: T = done.value
        return outcome

    def _slice(self, work: Generator[None, None, T]) -> StopIteration | None:
        begun = self._clock.monotonic()
        try:
            next(work)
            while self._clock.monotonic() - begun < self._seconds:
                next(work)
        except StopIteration as done:
            return done
        finally:
            self._busy += self._clock.monotonic() - begun
        return None
