"""Starts what a process consists of in order, and stops it in the reverse order.

    health -> webhooks -> informers (until all are synced) -> others -> controllers

Webhooks come before informers: a conversion webhook that is down would block the first list of its own kind.
Health comes first and goes last, so that probes see the truth all the time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, runtime_checkable

import structlog

from controller.runtime.cache.informer import Informer
from controller.runtime.clock import Clock, RealClock
from controller.runtime.controller import Controller

_START_SECONDS = 30.0
_CANCEL_SECONDS = 1.0


class Runnable(Protocol):
    """Something that runs until cancelled, or until its work is done."""

    async def run(self) -> None:
        """Run; what it raises stops the whole manager."""
        ...


class RunnableCancelled(RuntimeError):
    """A runnable ended as if cancelled although nobody cancelled it: a bug in it, and the manager stops."""


@runtime_checkable
class Stoppable(Protocol):
    """A runnable that can end in order: `stop` makes `run` return soon. Others are cancelled."""

    def stop(self) -> None:
        """Ask for the end; returns at once."""
        ...


@runtime_checkable
class Serving(Protocol):
    """A runnable that is of use only once it listens."""

    async def wait_started(self, timeout: float) -> None:
        """Wait until it serves, at most `timeout` seconds; raises TimeoutError."""
        ...


class Group(IntEnum):
    """The order of starting; stopping goes backwards."""

    HEALTH = 0
    WEBHOOKS = 1
    INFORMERS = 2
    OTHERS = 3
    CONTROLLERS = 4


@dataclass(frozen=True, slots=True)
class _Member:
    group: Group
    runnable: Runnable


class Manager:
    """Owns the runnables of a process. Add them first, then `run` once.

    `cache_sync_timeout`: seconds for the informers' first lists; a failure is fatal. `stop_grace`: seconds for all
    of the stopping, after which what still runs is cancelled.
    """

    def __init__(
        self, *, clock: Clock | None = None, cache_sync_timeout: float = 120.0, stop_grace: float = 30.0
    ) -> None:
        self._clock = clock or RealClock()
        self._cache_sync_timeout = cache_sync_timeout
        self._stop_grace = stop_grace
        self._members: list[_Member] = []
        self._running: dict[Group, list[tuple[Runnable, asyncio.Task[None]]]] = {group: [] for group in Group}
        self._halt = asyncio.Event()
        self._failure: Exception | None = None
        self._ready = False
        self._log = structlog.get_logger(__name__)

    @property
    def ready(self) -> bool:
        """Whether everything has started (informers are synced), nothing failed, and no stop was asked for."""
        return self._ready

    def add_health(self, runnable: Runnable) -> None:
        """Add what starts first and stops last: health and metrics."""
        self._add(Group.HEALTH, runnable)

    def add_webhook(self, runnable: Runnable) -> None:
        """Add a server that the API server calls; started before any informer."""
        self._add(Group.WEBHOOKS, runnable)

    def add_informer(self, informer: Informer) -> None:
        """Add an informer; all are synced before anything later starts."""
        self._add(Group.INFORMERS, informer)

    def add(self, runnable: Runnable) -> None:
        """Add anything else that needs synced informers."""
        self._add(Group.OTHERS, runnable)

    def add_controller(self, controller: Controller) -> None:
        """Add a controller; started last, stopped first."""
        self._add(Group.CONTROLLERS, controller)

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, wait for `stop` or a failure, stop everything; raises the first failure.

        Cancelling it stops in order as well, and raises CancelledError.
        """
        async with asyncio.TaskGroup() as tasks:
            starter = tasks.create_task(self._guard("start", lambda: self._start_all(tasks)), name="manager start")
            relay = tasks.create_task(self._relay(stop), name="manager stop signal")
            try:
                await self._halt.wait()
            finally:
                self._ready = False
                relay.cancel()
                starter.cancel()
                await asyncio.wait([starter])
                await self._stop_all()
        if self._failure is not None:
            raise self._failure

    def _add(self, group: Group, runnable: Runnable) -> None:
        self._members.append(_Member(group, runnable))

    async def _relay(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._halt.set()

    async def _start_all(self, tasks: asyncio.TaskGroup) -> None:
        for group in Group:
            members = [member.runnable for member in self._members if member.group is group]
            for runnable in members:
                task = tasks.create_task(self._guard(str(runnable), runnable.run), name=str(runnable))
                self._running[group].append((runnable, task))
            await self._wait_for(members)
            self._log.debug("group started", group=group.name, members=len(members))
        self._ready = True
        self._log.info("everything started", members=len(self._members))

    async def _wait_for(self, members: list[Runnable]) -> None:
        deadline = self._clock.monotonic() + self._cache_sync_timeout
        for runnable in members:
            if isinstance(runnable, Informer):
                await runnable.wait_synced(max(deadline - self._clock.monotonic(), 0.0))
            elif isinstance(runnable, Serving):
                await runnable.wait_started(_START_SECONDS)

    async def _guard(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run one runnable; what it raises becomes the manager's failure instead of its task's."""
        try:
            await run()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self._fail(name, RunnableCancelled(f"{name}: ended with a cancellation that nobody asked for"), error)
        except Exception as error:  # noqa: BLE001 - a worker's edge: `run` raises it once all else has stopped
            self._fail(name, error)

    def _fail(self, name: str, error: Exception, cause: BaseException | None = None) -> None:
        if cause is not None:
            error.__cause__ = cause
        self._log.error("runnable failed; stopping", runnable=name, error=str(error), exc_info=error)
        self._failure = self._failure or error
        self._halt.set()

    async def _stop_all(self) -> None:
        deadline = self._clock.monotonic() + self._stop_grace
        for group in reversed(Group):
            running = [(runnable, task) for runnable, task in self._running[group] if not task.done()]
            for runnable, task in running:
                if isinstance(runnable, Stoppable):
                    runnable.stop()
                else:
                    task.cancel()
            await self._wait_stopped([task for _, task in running], deadline)

    async def _wait_stopped(self, tasks: list[asyncio.Task[None]], deadline: float) -> None:
        if not tasks:
            return
        # Those that were cancelled need a moment even when the grace is used up.
        grace = max(deadline - self._clock.monotonic(), _CANCEL_SECONDS)
        _, late = await asyncio.wait(tasks, timeout=grace)
        for task in late:
            self._log.warning("did not stop in time; cancelled", runnable=task.get_name())
            task.cancel()
        if not late:
            return
        _, stuck = await asyncio.wait(late, timeout=_CANCEL_SECONDS)
        for task in stuck:
            self._log.error("ignores its cancellation", runnable=task.get_name())
