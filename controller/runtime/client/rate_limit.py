"""A limit of our own on requests a second, for API servers that cannot protect themselves. Off unless asked for."""

from controller.runtime.clock import Clock


class TokenBucket:
    """`burst` tokens that come back at `qps` a second. Pure: the time is handed in.

    A token may be taken before it is there: whoever does waits for it, and the next one waits longer. That keeps
    order without a queue.
    """

    def __init__(self, qps: float, burst: int, now: float) -> None:
        if qps <= 0 or burst < 1:
            raise ValueError(
                f"qps {qps}, burst {burst}: give a positive rate and at least one request; None is no limit"
            )
        self._qps = qps
        self._burst = float(burst)
        self._tokens = float(burst)
        self._counted_at = now

    def take(self, now: float) -> float:
        """Take a token; the seconds until it is there, 0 when it is."""
        self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._qps) - 1.0
        self._counted_at = now
        return max(0.0, -self._tokens / self._qps)

    def give_back(self) -> None:
        """Undo a `take` that was not used."""
        self._tokens += 1.0


class RateLimiter:
    """Makes callers wait for their token, first come first served."""

    def __init__(self, qps: float, burst: int | None, clock: Clock) -> None:
        self._clock = clock
        self._bucket = TokenBucket(qps, burst if burst is not None else max(1, int(2 * qps)), clock.monotonic())

    async def wait(self) -> None:
        """Return when a request may go out. Cancelled, it leaves its token to those who come later."""
        delay = self._bucket.take(self._clock.monotonic())
        if not delay:
            return
        try:
            await self._clock.sleep(delay)
        except BaseException:
            self._bucket.give_back()
            raise
