"""A bound on a rate: tokens come evenly, one is taken for each request, and what is not taken is kept for a second."""

from typing import Final

_BURST_SECONDS: Final = 1.0


class TokenBucket:
    """A bucket that is full at first. `rate`: tokens a second, above 0. It holds those of one second, and at least one.

    `now` in the calls is in seconds and does not go back.
    """

    __slots__ = ("_at", "_burst", "_tokens", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._burst = max(1.0, rate * _BURST_SECONDS)
        self._tokens = self._burst
        self._at = now

    def take(self, now: float) -> float:
        """Take a token. 0 when there was one, else the seconds until there is."""
        tokens = self._tokens + (now - self._at) * self.rate
        self._at = now
        if tokens > self._burst:
            tokens = self._burst
        if tokens >= 1.0:
            self._tokens = tokens - 1.0
            return 0.0
        self._tokens = tokens
        return (1.0 - tokens) / self.rate

    def put_back(self) -> None:
        """The token just taken was not needed after all."""
        self._tokens += 1.0
