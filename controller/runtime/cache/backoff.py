"""Growing, jittered waits between failures of one list or watch. Pure: given `now` and a random source."""

from random import Random


class Backoff:
    """0.8 s, doubled with each failure up to 30 s, then times a random 1-2, and never above the cap.

    Starts over when the last failure is two minutes old. The figures are client-go's for its reflector.
    """

    def __init__(
        self, rng: Random, *, first: float = 0.8, factor: float = 2.0, cap: float = 30.0, quiet: float = 120.0
    ) -> None:
        self._rng = rng
        self._first, self._factor, self._cap, self._quiet = first, factor, cap, quiet
        self._next = first
        self._failed_at: float | None = None

    def failed(self, now: float) -> float:
        """Record a failure at `now` (seconds); how many seconds to wait."""
        if self._failed_at is None or now - self._failed_at > self._quiet:
            self._next = self._first
        self._failed_at = now
        delay = min(self._next * (1.0 + self._rng.random()), self._cap)
        self._next = min(self._next * self._factor, self._cap)
        return delay
