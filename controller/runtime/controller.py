"""A controller: turns events into requests and runs a reconcile function for each, N at a time.

In: events of sources through predicates and mappings, and `enqueue`. Out: calls of `reconcile`. A reconcile that fails
is retried with growing delays and never ends a worker; what it returns says when to come back.
"""

import asyncio
from collections.abc import Sequence
from random import Random

from opentelemetry.metrics import Meter
from opentelemetry.trace import Tracer
from structlog.contextvars import bind_contextvars

from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock, RealClock
from controller.runtime.controller_metrics import ControllerMetrics
from controller.runtime.controller_statistics import ControllerStatistics
from controller.runtime.predicate import Predicate
from controller.runtime.reconcile import ReconcileFunction, Request
from controller.runtime.reconcile_id import IdSource, uuid_source
from controller.runtime.reconcile_timeout import TimeLimit, TimeLimits
from controller.runtime.reconciler import Reconciler
from controller.runtime.source import NORMAL, EventMapping, Handler, Source, controller_owner, handler_of, itself
from controller.runtime.workqueue.queue import AsyncWorkQueue
from controller.runtime.workqueue.statistics import QueuedItem

# How long workers may go on without letting others run, seconds: a backlog of reconciles that never wait for anything
# would otherwise hold up watches, probes and every other controller until it is empty.
_TURN_SECONDS = 0.005


class Controller:
    """Runs `reconcile` for requests. `name` labels logs, metrics and spans.

    `workers`: reconciles at a time (never two of one request). `reconcile_timeout`: seconds until one is cancelled
    and counted as failed; None: never. `longest_delay`: cap of the delay between failures of one request, seconds.
    `sync_timeout`: seconds that `run` waits for the first lists of its sources. `meter`, `tracer` None: no metrics, no
    spans, and no cost. `ids` names each reconcile in logs and spans; None: UUIDs.
    """

    def __init__(
        self,
        name: str,
        reconcile: ReconcileFunction,
        *,
        workers: int = 1,
        clock: Clock | None = None,
        reconcile_timeout: float | None = 60.0,
        longest_delay: float = 1000.0,
        sync_timeout: float = 120.0,
        meter: Meter | None = None,
        tracer: Tracer | None = None,
        ids: IdSource | None = None,
    ) -> None:
        if workers < 1:
            raise ValueError(f"workers {workers} of controller {name!r}: give at least 1")
        if reconcile_timeout is not None and reconcile_timeout <= 0:
            raise ValueError(f"reconcile_timeout {reconcile_timeout} of controller {name!r}: give seconds, or None")
        self.name = name
        self._workers = workers
        self._clock = clock or RealClock()
        self._sync_timeout = sync_timeout
        self._queue: AsyncWorkQueue[Request] = AsyncWorkQueue(self._clock, longest_delay=longest_delay)
        self._sources: list[tuple[Source, Handler]] = []
        self._attached = 0
        self._running = False
        self._limits = TimeLimits(reconcile_timeout)
        self._reconciler = Reconciler(name, reconcile, self._queue, tracer, ids or uuid_source(Random()))  # noqa: S311
        self._metrics = ControllerMetrics(meter, name, self.statistics)
        self._turn_ends = 0.0

    def __str__(self) -> str:
        return f"controller {self.name}"

    def for_(self, informer: Source, predicates: Sequence[Predicate] = (), *, on_resync: bool = False) -> None:
        """Reconcile the objects of `informer`.

        Of each event all `predicates` must approve. An event without a change of the resourceVersion (a resync, a
        duplicate) reconciles nothing unless `on_resync`; then, and for the objects of the first list, at low priority.
        """
        self.watches(informer, itself, predicates, on_resync=on_resync)

    def owns(
        self, informer: Source, owner: Resource, predicates: Sequence[Predicate] = (), *, on_resync: bool = False
    ) -> None:
        """Reconcile the `owner` object that an object of `informer` names as its controller. Else as `for_`."""
        self.watches(informer, controller_owner(owner), predicates, on_resync=on_resync)

    def watches(
        self,
        informer: Source,
        map_event: EventMapping,
        predicates: Sequence[Predicate] = (),
        *,
        on_resync: bool = False,
    ) -> None:
        """Reconcile what `map_event` answers to an event: requests, or (request, priority). Else as `for_`.

        `map_event` runs in the event loop: it must be quick and only look. It gets events from `run` on, and first
        those of what is there by then: on a standby, which does not run, nothing piles up.
        """
        self._sources.append((informer, handler_of(map_event, predicates, self._queue.add, on_resync=on_resync)))
        if self._running:
            self._attach()

    def enqueue(self, request: Request, priority: int = NORMAL) -> None:
        """Ask for a reconcile of `request`, soon. From the event loop only. Before `run` it is kept until then."""
        self._queue.add(request, priority)

    def enqueue_after(self, request: Request, seconds: float, priority: int = NORMAL) -> None:
        """Ask for a reconcile of `request` in `seconds`, or earlier when something else asks for that."""
        self._queue.add_after(request, seconds, priority)

    async def run(self) -> None:
        """Reconcile until `stop` or cancelled. Raises TimeoutError when a source has no first list in time.

        Cancelling it cancels the reconciles under way; `stop` lets them finish.
        """
        self._running = True
        self._attach()
        for source, _ in self._sources:
            await source.wait_synced(self._sync_timeout)
        self._limits.begin(_this_task())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._queue.run(), name=f"{self.name} delays")
            watching = tasks.create_task(self._limits.run(), name=f"{self.name} time limits")
            workers = [tasks.create_task(self._work(), name=f"{self.name} worker {n}") for n in range(self._workers)]
            try:
                await asyncio.wait(workers)
            except asyncio.CancelledError:
                self._limits.end()
                raise
            watching.cancel()

    def stop(self, *, drain: bool = False) -> None:
        """Start no more reconciles; `run` returns when those under way have ended.

        `drain`: what is ready by now is still reconciled first, without retries; the caller bounds how long that may
        take by cancelling, or by `stop()`, which drops the rest.
        """
        self._queue.shut_down(drain=drain)

    def statistics(self) -> ControllerStatistics:
        """The figures of this moment."""
        counts, queue = self._reconciler.counts, self._queue.statistics()
        return ControllerStatistics(
            workers=self._workers,
            active=queue.processing,
            results=dict(counts.results),
            terminal=counts.terminal,
            panics=counts.panics,
            timeouts=counts.timeouts,
            queue=queue,
        )

    def queued(self, limit: int) -> list[QueuedItem[Request]]:
        """Up to `limit` requests: those under way, then in the order in which they will be."""
        return self._queue.items(limit)

    def _attach(self) -> None:
        """Give the sources their handlers, each once however often it runs. No waiting: so no event is missed."""
        for source, handler in self._sources[self._attached :]:
            self._attached += 1
            source.add_handler(handler)

    async def _work(self) -> None:
        limit = self._limits.of_worker(_this_task())
        bind_contextvars(controller=self.name)
        while (request := await self._queue.get()) is not None:
            await self._reconcile(request, limit)

    async def _reconcile(self, request: Request, limit: TimeLimit) -> None:
        started = self._clock.monotonic()
        try:
            context = await self._reconciler.reconcile(request, limit)
            ended = self._clock.monotonic()
            self._metrics.reconciled(self._queue.waited(request), ended - started, context)
        finally:
            self._queue.done(request)
        if ended >= self._turn_ends:
            await self._give_way()

    async def _give_way(self) -> None:
        await asyncio.sleep(0)
        self._turn_ends = self._clock.monotonic() + _TURN_SECONDS


def _this_task() -> "asyncio.Task[None]":
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a controller runs in a task")
    return task
