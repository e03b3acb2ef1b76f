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

    `valid_until`: until when it is open unless it is extended, by `monotonic`; -infinity where it is closed or not yet
    open. In the thread that extends and closes it, and there alone, comparing the two is the same as `open`: for those
    who ask so often that a call counts.

    One thread extends it, any thread closes it or asks. Each is one reference written or read: there is no lock, and
    nobody who asks is kept waiting.
    """

    def __init__(self, lease: str, identity: str, monotonic: Callable[[], float]) -> None:
        self.lease = lease
        self._identity = identity
        self.monotonic = monotonic
        self.valid_until = -inf
        self._closed: LeaseLost | None = None
        self.holder = ""

    @property
    def open(self) -> bool:
        """Whether a write may go out now."""
        return self._closed is None and self.monotonic() < self.valid_until

    def check(self) -> None:
        """Return at once, or raise LeaseLost."""
        if not self.open:
            raise self.lost()

    def extend(self, valid_until: float) -> None:
        """Stay open until `valid_until` (monotonic seconds)."""
        if self._closed is None:
            self.valid_until = valid_until

    def close(self, why: str) -> LeaseLost:
        """Let nothing pass any more; the reason that `check` gives from now on. The first close counts."""
        if self._closed is None:
            self._closed = self._error(why)
            self.valid_until = -inf
        return self._closed

    def lost(self) -> LeaseLost:
        """Why a write may not go out now."""
        if self._closed is not None:
            return self._error(self._closed.why)
        if self.valid_until == -inf:
            return self._error("not acquired yet")
        return self._error(f"not renewed, {self.monotonic() - self.valid_until:.3g} s past the end of its validity")

    def _error(self, why: str) -> LeaseLost:
        return LeaseLost(self.lease, self._identity, self.holder, why)
