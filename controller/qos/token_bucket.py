"""A bound on a rate: tokens come evenly, one is taken for each request, and what is not taken is kept for a second."""

from typing import Final

_BURST_SECONDS: Final = 1.0
# Parts of tenants are counted over a second, or over as long as so many tokens take.
_TOKENS_A_WINDOW: Final = 10


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


class SharedBucket(TokenBucket):
    """A bucket of which no tenant takes more than its part while others want theirs. It holds two tokens at least.

    The lower half of it is for those who have had less than an even part of the rate so far in this window: who asks
    alone has the whole rate, and who asks for more than its part leaves the others theirs.
    """

    __slots__ = ("_before", "_began", "_had", "_window")

    def __init__(self, rate: float, now: float) -> None:
        super().__init__(rate, now)
        self._burst = self._tokens = max(2.0, self._burst)
        self._window = max(_BURST_SECONDS, _TOKENS_A_WINDOW / rate)
        self._began = now
        self._had: dict[str, int] = {}
        self._before = 1

    def take_for(self, tenant: str, now: float) -> float:
        """Take a token for this tenant. 0 when it has got one, else the seconds until there is one for it."""
        if now >= self._began + self._window:
            self._before = len(self._had)
            self._had = {}
            self._began = now
        had = self._had
        count = had.get(tenant, 0)
        left = self._tokens + (now - self._at) * self.rate - 1.0
        if left > self._burst - 1.0:
            left = self._burst - 1.0
        seconds = -left / self.rate if left < 0 else 0.0
        if 0 <= left < self._burst / 2:
            seconds = self._ahead(count, len(had) + (tenant not in had), now)
        self._at = now
        if seconds:
            self._tokens = left + 1.0
            had[tenant] = count
        else:
            self._tokens = left
            had[tenant] = count + 1
        return seconds

    def _ahead(self, count: int, tenants: int, now: float) -> float:
        """Seconds until one who has had so many has had no more than its part; 0: it has not."""
        if tenants < self._before:
            tenants = self._before
        if tenants <= 1:
            return 0.0
        part = self.rate / tenants
        ahead = count - part * (now - self._began)
        return ahead / part if ahead >= 1.0 else 0.0
