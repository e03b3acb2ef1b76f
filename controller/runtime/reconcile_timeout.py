"""A time limit for every reconcile of a controller, watched by one task.

`asyncio.timeout` costs about 5 us a use (measured: a timer made and cancelled), as much as all else around a
reconcile. All reconciles of a controller have the same limit, so the oldest one always runs out first, and one task
that sleeps until then serves all.
"""

import asyncio
from types import TracebackType
from typing import Any

# Timers may fire a hair early: without a floor that hair becomes a busy loop.
_GRAIN_SECONDS = 0.001


class ReconcileTimeout(TimeoutError):
    """A reconcile took longer than its controller allows, and was cancelled."""


class TimeLimit:
    """The limit of one worker, entered for each of its reconciles. `task` is the worker's."""

    __slots__ = ("_now", "_seconds", "expired", "started", "task")

    def __init__(self, task: asyncio.Task[Any], seconds: float | None) -> None:
        self.task = task
        self.started: float | None = None
        self.expired = False
        self._seconds = seconds
        self._now = asyncio.get_running_loop().time

    def __enter__(self) -> None:
        self.started = self._now()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.started = None
        if not self.expired:
            return
        self.expired = False
        # As asyncio.timeout: what remains after taking our own request back is a cancellation of the worker itself.
        if self.task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise ReconcileTimeout(f"not done within {self._seconds:g} s; cancelled") from error

    def expire(self) -> None:
        """Cancel the reconcile."""
        self.expired = True
        self.task.cancel()


class TimeLimits:
    """The limits of a controller's workers; `run` watches them. `seconds` None: there is no limit."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._limits: list[TimeLimit] = []

    def of_worker(self, task: asyncio.Task[Any]) -> TimeLimit:
        """The limit of a new worker."""
        limit = TimeLimit(task, self._seconds)
        self._limits.append(limit)
        return limit

    async def run(self) -> None:
        """Cancel reconciles that are over their limit, until cancelled."""
        if self._seconds is None:
            return
        now = asyncio.get_running_loop().time
        while True:
            due = self._expire(now())
            await asyncio.sleep(max(due - now(), _GRAIN_SECONDS))

    def _expire(self, now: float) -> float:
        """Cancel what is over at `now`; when to look again. What starts later is over later than that."""
        seconds = self._seconds or 0.0
        oldest = now
        for limit in self._limits:
            if limit.started is None or limit.expired:
                continue
            if now - limit.started >= seconds - _GRAIN_SECONDS:
                limit.expire()
            else:
                oldest = min(oldest, limit.started)
        return oldest + seconds
