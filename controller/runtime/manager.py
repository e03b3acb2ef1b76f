"""Starts what a process consists of in order, and stops it in the reverse order.

    health -> webhooks -> informers (until all are synced) -> others -> leader election -> leader-only

Webhooks come before informers: a conversion webhook that is down would block the first list of its own kind.
Health comes first and goes last, so that probes see the truth all the time. A replica that does not lead waits before
the last group: its caches are warm and it serves. Once it leads, its informers read everything anew, so that it begins
on what its predecessor left and not on what watches have brought so far. The lease is given back when all else has
stopped; when it is lost, nothing is waited for, because somebody else may be at work already.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import structlog

from controller.runtime.cache.informer import Informer
from controller.runtime.clock import Clock, RealClock
from controller.runtime.controller import Controller
from controller.runtime.election.fence import LeaseLost
from controller.runtime.runnable import Elector, Runnable, RunnableCancelled, Serving, Stoppable

_START_SECONDS = 30.0
_CANCEL_SECONDS = 1.0
# An elector bounds its release itself, by two request timeouts: 10 s with the default timing.
_RELEASE_SECONDS = 15.0
_STUCK_EXIT_CODE = 1


class Group(IntEnum):
    """The order of starting. Stopping goes backwards, but for the election, which ends last of all."""

    HEALTH = 0
    WEBHOOKS = 1
    INFORMERS = 2
    OTHERS = 3
    LEADER_ELECTION = 4
    LEADER_ONLY = 5


_STOP_ORDER = [group for group in reversed(Group) if group is not Group.LEADER_ELECTION]


@dataclass(frozen=True, slots=True)
class _Member:
    group: Group
    runnable: Runnable


def _exit_process(_stuck: Sequence[str]) -> None:
    os._exit(_STUCK_EXIT_CODE)


class Manager:
    """Owns the runnables of a process. Add them first, then `run` once.

    `elector` None: there is one replica, and leader-only runnables start at once. `cache_sync_timeout`: seconds for the
    informers' first lists; a failure is fatal. `stop_grace`: seconds for all of the stopping, after which what still
    runs is cancelled. `on_stuck` is called with the names of those that ignore even that; the default ends the
    process, which their tasks would keep alive for ever.
    """

    def __init__(
        self,
        *,
        elector: Elector | None = None,
        clock: Clock | None = None,
        cache_sync_timeout: float = 120.0,
        stop_grace: float = 30.0,
        on_stuck: Callable[[Sequence[str]], None] = _exit_process,
    ) -> None:
        self._elector = elector
        self._clock = clock or RealClock()
        self._cache_sync_timeout = cache_sync_timeout
        self._stop_grace = stop_grace
        self._on_stuck = on_stuck
        self._members: list[_Member] = []
        self._running: dict[Group, list[tuple[Runnable, asyncio.Task[None]]]] = {group: [] for group in Group}
        self._cancelled: set[asyncio.Task[None]] = set()
        self._halt = asyncio.Event()
        self._failure: BaseException | None = None
        self._lost = False
        self._ready = False
        self._log = structlog.get_logger(__name__)

    @property
    def ready(self) -> bool:
        """Whether everything has started (informers are synced), nothing failed, and no stop was asked for.

        With an elector: everything but what only the leader runs, so that a standby is ready too.
        """
        return self._ready

    def add_health(self, runnable: Runnable) -> None:
        """Add what starts first and stops last: health and metrics."""
        self._add(Group.HEALTH, runnable)

    def add_webhook(self, runnable: Runnable) -> None:
        """Add a server that the API server calls; started before any informer."""
        self._add(Group.WEBHOOKS, runnable)

    def add_informer(self, informer: Informer[Any]) -> None:
        """Add an informer; all are synced before anything later starts."""
        self._add(Group.INFORMERS, informer)

    def add(self, runnable: Runnable) -> None:
        """Add anything else that needs synced informers, and runs on standbys too."""
        self._add(Group.OTHERS, runnable)

    def add_leader_only(self, runnable: Runnable) -> None:
        """Add what only the leader may run; started last, stopped first."""
        self._add(Group.LEADER_ONLY, runnable)

    def add_controller(self, controller: Controller, *, needs_leader: bool = True) -> None:
        """Add a controller. One that needs no leader (it writes nothing, or nothing shared) runs on standbys too."""
        self._add(Group.LEADER_ONLY if needs_leader else Group.OTHERS, controller)

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, wait for `stop` or a failure, stop everything; raises the first failure.

        Cancelling it stops in order as well, and raises CancelledError. A lost lease cancels all at once, without
        grace, and raises LeaseLost (where the elector's own `on_lost` has not ended the process already).
        """
        async with asyncio.TaskGroup() as tasks:
            starter = tasks.create_task(self._guard("start", lambda: self._start_all(tasks)), name="manager start")
            relay = tasks.create_task(self._relay(stop), name="manager stop signal")
            try:
                await self._halt.wait()
            finally:
                self._ready = False
                self._halt.set()
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
            if group is Group.LEADER_ELECTION:
                await self._elect(tasks)
            members = [member.runnable for member in self._members if member.group is group]
            for runnable in members:
                self._start(tasks, group, runnable)
            await self._wait_for(members)
            self._log.debug("group started", group=group.name, members=len(members))
        self._ready = True
        self._log.info("everything started", members=len(self._members))

    def _start(self, tasks: asyncio.TaskGroup, group: Group, runnable: Runnable) -> None:
        task = tasks.create_task(self._guard(str(runnable), runnable.run), name=str(runnable))
        self._running[group].append((runnable, task))

    async def _elect(self, tasks: asyncio.TaskGroup) -> None:
        if self._elector is None:
            return
        self._ready = True
        self._log.info("waiting to lead", elector=str(self._elector))
        self._start(tasks, Group.LEADER_ELECTION, self._elector)
        await self._elector.wait_leading()
        await self._catch_up()

    async def _catch_up(self) -> None:
        """Read again what informers hold: the last leader's last writes may not have come by watch yet.

        Decided on what was before them, a new leader would give away what its predecessor has just given away.
        """
        async with asyncio.TaskGroup() as tasks:
            for member in self._members:
                if isinstance(member.runnable, Informer):
                    tasks.create_task(member.runnable.refresh(self._cache_sync_timeout), name=f"{member.runnable} anew")

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
            # Before the halt nobody cancels a task of ours. The task's count alone proves nothing: up to Python 3.12
            # it stays raised after a TaskGroup of the runnable whose child failed while its block was left.
            task = asyncio.current_task()
            if task is None or (self._halt.is_set() and task.cancelling()):
                raise
            self._fail(name, RunnableCancelled(f"{name}: ended with a cancellation that nobody asked for"), error)
        except (Exception, LeaseLost, BaseExceptionGroup) as error:  # noqa: BLE001 - a worker's edge: see `run`
            self._fail(name, error)

    def _fail(self, name: str, error: BaseException, cause: BaseException | None = None) -> None:
        if (lost := _lease_lost(error)) is not None:
            self._lost, error = True, lost
            self._cancel_all()
        if cause is not None:
            error.__cause__ = cause
        self._log.error("runnable failed; stopping", runnable=name, error=str(error), exc_info=error)
        self._failure = self._failure or error
        self._halt.set()

    async def _stop_all(self) -> None:
        deadline = self._clock.monotonic() + self._stop_grace
        stuck: list[asyncio.Task[None]] = []
        for group in _STOP_ORDER:
            if not self._lost:
                stuck += await self._stop_group(group, deadline)
        stuck += await self._end_election(stuck)
        if self._lost:
            stuck = await self._wait_cancelled(self._cancel_all())
        if stuck:
            self._on_stuck([task.get_name() for task in stuck])

    async def _stop_group(self, group: Group, deadline: float) -> list[asyncio.Task[None]]:
        running = [(runnable, task) for runnable, task in self._running[group] if not task.done()]
        for runnable, task in running:
            if isinstance(runnable, Stoppable):
                runnable.stop()
            else:
                self._cancelled.add(task)
                task.cancel()
        return await self._wait_stopped([task for _, task in running], deadline)

    async def _end_election(self, stuck: list[asyncio.Task[None]]) -> list[asyncio.Task[None]]:
        if self._lost:
            return []
        if stuck:
            # It may be writing this moment: the next leader must not begin before the lease has run out.
            self._log.warning("the lease is left to run out, not given back")
            return await self._wait_cancelled(self._cancel(Group.LEADER_ELECTION))
        return await self._stop_group(Group.LEADER_ELECTION, self._clock.monotonic() + _RELEASE_SECONDS)

    async def _wait_stopped(self, tasks: list[asyncio.Task[None]], deadline: float) -> list[asyncio.Task[None]]:
        """Those of `tasks` that did not end, neither by `deadline` nor by being cancelled."""
        if not tasks:
            return []
        # Those that were cancelled need a moment even when the grace is used up.
        grace = max(deadline - self._clock.monotonic(), _CANCEL_SECONDS)
        _, late = await asyncio.wait(tasks, timeout=grace)
        for task in late:
            self._log.warning("did not stop in time; cancelled", runnable=task.get_name())
            self._cancelled.add(task)
            task.cancel()
        return await self._wait_cancelled(list(late))

    async def _wait_cancelled(self, tasks: list[asyncio.Task[None]]) -> list[asyncio.Task[None]]:
        if not tasks:
            return []
        _, stuck = await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)
        for task in stuck:
            self._log.error("ignores its cancellation", runnable=task.get_name())
        return list(stuck)

    def _cancel_all(self) -> list[asyncio.Task[None]]:
        return [task for group in Group for task in self._cancel(group)]

    def _cancel(self, group: Group) -> list[asyncio.Task[None]]:
        running = [task for _, task in self._running[group] if not task.done()]
        for task in running:
            if task not in self._cancelled:  # a second cancellation would interrupt its cleaning up
                self._cancelled.add(task)
                task.cancel()
        return running


def _lease_lost(error: BaseException) -> LeaseLost | None:
    """The lost lease in `error`, which may be a group of a controller's workers."""
    if isinstance(error, BaseExceptionGroup):
        return next((lost for each in error.exceptions if (lost := _lease_lost(each)) is not None), None)
    return error if isinstance(error, LeaseLost) else None
