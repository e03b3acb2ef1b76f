"""A controller: turns events into requests and runs a reconcile function for each, N at a time.

In: events of informers through mappings, and `enqueue`. Out: calls of `reconcile`. A reconcile that fails is retried
with growing delays and never ends a worker; what it returns says when to come back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import structlog
from opentelemetry.metrics import Meter

from controller.runtime.cache.informer import Informer
from controller.runtime.cache.store import StoreEvent
from controller.runtime.clock import Clock, RealClock
from controller.runtime.controller_metrics import ControllerMetrics
from controller.runtime.reconcile import Request, Result, TerminalError
from controller.runtime.workqueue.queue import AsyncWorkQueue
from controller.runtime.workqueue.work_queue import QueueStatistics

ReconcileFunction = Callable[[Request], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class ControllerStatistics:
    """Counts since the start, and the queue's figures.

    `requeued`: results with a requeue_after; `errors`: everything raised, the next two included: `terminal`:
    TerminalError, `timeouts`: cut off by the reconcile timeout.
    """

    workers: int
    active: int
    successes: int
    requeued: int
    errors: int
    terminal: int
    timeouts: int
    queue: QueueStatistics


@dataclass(slots=True)
class _Counts:
    active: int = 0
    successes: int = 0
    requeued: int = 0
    errors: int = 0
    terminal: int = 0
    timeouts: int = 0


class _CancelledItself(Exception):
    """A reconcile ended with a cancellation that nobody asked its worker for."""


class Controller:
    """Runs `reconcile` for requests. `name` labels logs and metrics.

    `workers`: reconciles at a time (never two of one request). `reconcile_timeout`: seconds until one is cancelled
    and counted as failed. `longest_delay`: cap of the delay between failures of one request, seconds.
    `sync_timeout`: seconds that `run` waits for the watched informers' first lists.
    """

    def __init__(
        self,
        name: str,
        reconcile: ReconcileFunction,
        *,
        workers: int = 1,
        clock: Clock | None = None,
        reconcile_timeout: float = 60.0,
        longest_delay: float = 1000.0,
        sync_timeout: float = 120.0,
        meter: Meter | None = None,
    ) -> None:
        if workers < 1:
            raise ValueError(f"workers {workers} of controller {name!r}: give at least 1")
        self.name = name
        self._reconcile = reconcile
        self._workers = workers
        self._clock = clock or RealClock()
        self._reconcile_timeout = reconcile_timeout
        self._sync_timeout = sync_timeout
        self._queue: AsyncWorkQueue[Request] = AsyncWorkQueue(self._clock, longest_delay=longest_delay)
        self._informers: list[Informer] = []
        self._counts = _Counts()
        self._reconciles = 0
        self._metrics = ControllerMetrics(meter, name, workers, self._queue.statistics)
        self._log = structlog.get_logger(__name__).bind(controller=name)

    def __str__(self) -> str:
        return f"controller {self.name}"

    def watch(self, informer: Informer, map_event: Callable[[StoreEvent], Iterable[Request]]) -> None:
        """Enqueue what `map_event` answers to each event of `informer`. It must be quick and only look."""

        def enqueue_all(event: StoreEvent) -> None:
            for request in map_event(event):
                self._queue.add(request)

        self._informers.append(informer)
        informer.add_handler(enqueue_all)

    def enqueue(self, request: Request) -> None:
        """Ask for a reconcile of `request`, soon. From the event loop only."""
        self._queue.add(request)

    def enqueue_after(self, request: Request, seconds: float) -> None:
        """Ask for a reconcile of `request` in `seconds`. From the event loop only."""
        self._queue.add_after(request, seconds)

    async def run(self) -> None:
        """Reconcile until `stop` or cancelled. Raises CacheNotSynced when an informer has no first list in time.

        Cancelling it cancels the reconciles under way; `stop` lets them finish.
        """
        for informer in self._informers:
            await informer.wait_synced(self._sync_timeout)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._queue.run(), name=f"{self.name} delays")
            for number in range(self._workers):
                tasks.create_task(self._work(), name=f"{self.name} worker {number}")

    def stop(self) -> None:
        """Start no more reconciles; `run` returns when those under way have ended."""
        self._queue.shut_down()

    def statistics(self) -> ControllerStatistics:
        """The figures of this moment."""
        counts = self._counts
        return ControllerStatistics(
            workers=self._workers,
            active=counts.active,
            successes=counts.successes,
            requeued=counts.requeued,
            errors=counts.errors,
            terminal=counts.terminal,
            timeouts=counts.timeouts,
            queue=self._queue.statistics(),
        )

    async def _work(self) -> None:
        while (request := await self._queue.get()) is not None:
            self._active(1)
            started = self._clock.monotonic()
            try:
                outcome = await self._process(request)
                self._metrics.reconciled(outcome, self._clock.monotonic() - started)
            finally:
                self._active(-1)
                self._queue.done(request)

    async def _process(self, request: Request) -> str:
        """Reconcile `request` and arrange what follows; the outcome's name in metrics."""
        self._reconciles += 1
        log = self._log.bind(object=request.key, reconcile_id=self._reconciles)
        limit = asyncio.timeout(self._reconcile_timeout)
        try:
            async with limit:
                result = await self._uncancelled(request)
            return self._after_result(request, result)
        except TerminalError as error:
            self._queue.forget(request)
            self._counts.errors += 1
            self._counts.terminal += 1
            self._metrics.failed(terminal=True)
            log.error("reconcile failed for good", error=str(error))
            return "error"
        except Exception as error:
            self._counts.errors += 1
            self._counts.timeouts += limit.expired()
            self._metrics.failed(terminal=False)
            delay = self._queue.add_rate_limited(request)
            log.warning("reconcile failed", retry_in_seconds=delay, timed_out=limit.expired(), exc_info=error)
            return "error"

    async def _uncancelled(self, request: Request) -> Result:
        try:
            return await self._reconcile(request)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody cancelled this worker: the reconcile awaited something that was cancelled elsewhere. A task
            # group takes a child that ends so for a finished one, and the worker would be missing from then on.
            raise _CancelledItself("the reconcile ended with a cancellation of its own") from error

    def _after_result(self, request: Request, result: Result) -> str:
        requeue_after = result.requeue_after
        self._queue.forget(request)
        if requeue_after is None:
            self._counts.successes += 1
            return "success"
        self._queue.add_after(request, requeue_after)
        self._counts.requeued += 1
        return "requeue_after"

    def _active(self, change: int) -> None:
        self._counts.active += change
        self._metrics.active(change)
