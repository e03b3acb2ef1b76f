"""One thread for a library that blocks and must not be called twice at a time.

A call that takes too long cannot be stopped: its caller is let go, the thread stays with it, and later calls wait
their own time for the thread. One whose caller is gone before it began is never made.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

THREAD_NAME = "gpu-library"

T = TypeVar("T")


class StillBusy(TimeoutError):
    """The thread was not free in time: the call was not made. The text names the one it is with."""


class LibraryWorker:
    """Calls in order, one at a time, each with a limit. The thread begins with the first call and never keeps the
    process alive."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._current = ""

    async def call(self, what: str, work: Callable[[], T], limit_seconds: float) -> T:
        """The result of `work`, or its exception. Raises StillBusy, or TimeoutError when it does not end in time.

        Cancelled or late, `work` goes on when it has begun and is never begun when it has not.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
            self._thread.start()
        job = _Job(what, work, asyncio.get_running_loop())
        self._jobs.put(job)
        try:
            async with asyncio.timeout(limit_seconds):
                return await job.result
        except TimeoutError:
            if job.withdraw():
                raise StillBusy(f"{self._current} has not come back") from None
            raise
        finally:
            job.withdraw()

    def close(self) -> None:
        """Let the thread end once it has made the calls that wait."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._current = job.what
            job.run()


class _Job(Generic[T]):
    def __init__(self, what: str, work: Callable[[], T], loop: asyncio.AbstractEventLoop) -> None:
        self.what = what
        self.result: asyncio.Future[T] = loop.create_future()
        self._work = work
        self._loop = loop
        self._lock = threading.Lock()
        self._begun = False
        self._withdrawn = False

    def withdraw(self) -> bool:
        """Whether the work has not begun; it never will then."""
        with self._lock:
            self._withdrawn = not self._begun
            return self._withdrawn

    def run(self) -> None:
        with self._lock:
            if self._withdrawn:
                return
            self._begun = True
        try:
            value = self._work()
        except Exception as error:  # noqa: BLE001 - it is the caller's, who is in another thread
            self._hand_over(self.result.set_exception, error)
        else:
            self._hand_over(self.result.set_result, value)

    def _hand_over(self, settle: Callable[[Any], None], outcome: Any) -> None:
        def settle_once() -> None:
            if not self.result.done():
                settle(outcome)

        try:
            self._loop.call_soon_threadsafe(settle_once)
        except RuntimeError:
            # the loop was closed while the library was busy: nobody is left to hear of it
            return
