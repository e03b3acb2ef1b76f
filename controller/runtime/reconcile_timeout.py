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
    """The limit of one worker, entered for each of its reconciles. `task` is the worker's.

    A worker is cancelled for good only once its `limits` are `ending`. Until then a reconcile leaves its task with no
    more requests to cancel than it found: up to Python 3.12 a TaskGroup whose child fails while its block is left
    never takes its request back, and the next one to ask would take the worker for cancelled. `cut_off`: whether the
    last reconcile was over its time.
    """

    __slots__ = ("_limits", "_now", "cut_off", "expired", "started", "task")

    def __init__(self, task: asyncio.Task[Any], limits: "TimeLimits") -> None:
        self.task = task
        self.started: float | None = None
        self.expired = self.cut_off = False
        self._limits = limits
        self._now = asyncio.get_running_loop().time

    def __enter__(self) -> None:
        self.started = self._now()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.started = None
        self.cut_off, self.expired = self.expired, False
        if not (self.cut_off or self.task.cancelling()) or self._limits.ending:
            return
        # As asyncio.timeout: what remains after taking our own request back is somebody else's.
        remaining = self.task.uncancel()
        if self.cut_off and remaining == 0 and kind is asyncio.CancelledError:
            raise self.overrun() from error
        while remaining:
            remaining = self.task.uncancel()

    @property
    def ending(self) -> bool:
        """Whether the worker itself is cancelled, or is about to be."""
        return self._limits.ending

    def overrun(self) -> ReconcileTimeout:
        """What a reconcile that was cut off failed with."""
        return ReconcileTimeout(f"not done within {self._limits.seconds:g} s; cancelled")

    def expire(self) -> None:
        """Cancel the reconcile."""
        self.expired = True
        self.task.cancel()


class TimeLimits:
    """The limits of a controller's workers; `run` watches them. `seconds` None: there is no limit.

    A worker's cancellation cannot be told from one that its reconcile brought upon itself, neither by the exception
    nor by the task's count. It is meant when the task that started the workers is being cancelled too, which it is at
    the same moment also when one of them fails, or has said so with `end`.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._owner: asyncio.Task[Any] | None = None
        self._found = 0
        self._ended = False
        self._limits: list[TimeLimit] = []

    @property
    def ending(self) -> bool:
        """Whether workers that are cancelled now are cancelled for good."""
        return self._ended or (self._owner is not None and self._owner.cancelling() > self._found)

    def begin(self, owner: asyncio.Task[Any]) -> None:
        """Workers are about to be started by `owner`, in a task group that cancels them when it is cancelled."""
        self._owner, self._found, self._ended = owner, owner.cancelling(), False

    def end(self) -> None:
        """The owner was cancelled, and lets its task group cancel the workers."""
        self._ended = True

    def of_worker(self, task: asyncio.Task[Any]) -> TimeLimit:
        """The limit of a new worker."""
        limit = TimeLimit(task, self)
        self._limits.append(limit)
        return limit

    async def run(self) -> None:
        """Cancel reconciles that are over their limit, until cancelled."""
        if self.seconds is None:
            return
        now = asyncio.get_running_loop().time
        while True:
            due = self._expire(now())
            await asyncio.sleep(max(due - now(), _GRAIN_SECONDS))

    def _expire(self, now: float) -> float:
        """Cancel what is over at `now`; when to look again. What starts later is over later than that."""
        seconds = self.seconds or 0.0
        oldest = now
        for limit in self._limits:
            if limit.started is None or limit.expired:
                continue
            if now - limit.started >= seconds - _GRAIN_SECONDS:
                limit.expire()
            else:
                oldest = min(oldest, limit.started)
        return oldest + seconds
