"""What stands between a process and its writes: they may go out only while the lease is surely held."""

from collections.abc import Callable
from math import inf


class LeaseLost(BaseException):
    """This process does not hold the lease (any more): it must write nothing, and end.

    Not an Exception: `except Exception` at a worker's edge would make a failed reconcile of it, and try again.
    `lease` is namespace/name, `identity` this process, `holder` who holds it as far as is known ("": nobody).
    """

    def __init__(self, lease: str, identity: str, holder: str, why: str) -> None:
        super().__init__(f"lease {lease} is not held by {identity!r}: {why}; last known holder: {holder or 'nobody'!r}")
        self.lease = lease
        self.identity = identity
        self.holder = holder
        self.why = why


class Fence:
    """Open until a moment that is moved on with each renewal; once closed, closed for good.

    One thread extends it, any thread closes it or asks. Each is one reference written or read: there is no lock, and
    nobody who asks is kept waiting.
    """

    def __init__(self, lease: str, identity: str, monotonic: Callable[[], float]) -> None:
        self.lease = lease
        self._identity = identity
        self._monotonic = monotonic
        self._valid_until = -inf
        self._closed: LeaseLost | None = None
        self.holder = ""

    @property
    def open(self) -> bool:
        """Whether a write may go out now."""
        return self._closed is None and self._monotonic() < self._valid_until

    @property
    def valid_until(self) -> float:
        """Until when it stays open unless it is closed or extended, in monotonic seconds; -infinity: not yet open."""
        return self._valid_until

    def check(self) -> None:
        """Return at once, or raise LeaseLost."""
        if not self.open:
            raise self.lost()

    def extend(self, valid_until: float) -> None:
        """Stay open until `valid_until` (monotonic seconds)."""
        self._valid_until = valid_until

    def close(self, why: str) -> LeaseLost:
        """Let nothing pass any more; the reason that `check` gives from now on. The first close counts."""
        if self._closed is None:
            self._closed = self._error(why)
        return self._closed

    def lost(self) -> LeaseLost:
        """Why a write may not go out now."""
        if self._closed is not None:
            return self._error(self._closed.why)
        if self._valid_until == -inf:
            return self._error("not acquired yet")
        return self._error(f"not renewed, {self._monotonic() - self._valid_until:.3g} s past the end of its validity")

    def _error(self, why: str) -> LeaseLost:
        return LeaseLost(self.lease, self._identity, self.holder, why)
