"""Reads every engine's page of metrics again and again, within limits, and adds what it says to its service's total."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

import structlog

from controller.exporter.engines.figures import Edges, figures_of
from controller.exporter.engines.targets import Target
from controller.exporter.engines.totals import Totals
from controller.exporter.engines.watching import Watching
from controller.runtime.cache.backoff import Backoff
from controller.runtime.clock import Clock
from controller.runtime.metrics_page import REFUSED, TIMEOUT, TOO_LONG, UNREACHABLE, PageError
from controller.runtime.pod_addresses import Address

ReadPage = Callable[[Address], Awaitable[str]]
"""The page of metrics at an address, within limits of its own. Raises PageError."""

SUCCESS, UNKNOWN, UNREADABLE = "success", "unknown", "unreadable"
RESULTS: Final = (SUCCESS, UNREACHABLE, TIMEOUT, REFUSED, TOO_LONG, UNKNOWN, UNREADABLE)
"""What becomes of a reading. UNKNOWN: a page of metrics, but of no engine that we know. UNREADABLE: of one that made us
fail."""

MOST_ENGINES: Final = 5_000
"""Read at all, by their uids; each keeps a task and some KiB."""
FIRST_SECONDS: Final = 0.5
"""Within which an engine that was not there before is read first: from then on it is known where it began."""
LONGEST_WAIT_SECONDS: Final = 120.0
WAIT_TIMES: Final = 10
"""How many times as long as an answer took the next question waits at least: an engine that dawdles has a tenth of a
turn, and keeps nobody from being read."""


@dataclass(frozen=True, slots=True)
class ReadingSettings:
    """`interval_seconds` between two readings of an engine, of which each may take `limit_seconds`, and so many run
    `at_once`."""

    interval_seconds: float = 10.0
    limit_seconds: float = 5.0
    at_once: int = 32


class Reading:
    """Reads the engines of `watching` into `totals`."""

    def __init__(
        self,
        read_page: ReadPage,
        watching: Watching,
        totals: Totals,
        edges: Edges,
        clock: Clock,
        *,
        settings: ReadingSettings | None = None,
        rng: Random | None = None,
    ) -> None:
        self._read_page, self._watching, self._totals, self._edges = read_page, watching, totals, edges
        self._clock, self._settings = clock, settings or ReadingSettings()
        self._rng = rng or Random()  # noqa: S311 - spreads load, guards nothing
        self._turns = asyncio.Semaphore(self._settings.at_once)
        self._reading: dict[str, tuple[Target, asyncio.Task[None]]] = {}
        self._results = dict.fromkeys(RESULTS, 0)
        self._too_many = False
        self._log = structlog.get_logger(__name__)

    def __str__(self) -> str:
        return "reading of engines"

    @property
    def engines(self) -> int:
        """How many are read now."""
        return len(self._reading)

    @property
    def results(self) -> Mapping[str, int]:
        """Readings so far by result, each of `RESULTS`."""
        return self._results

    async def run(self) -> None:
        """Read until cancelled."""
        first = True
        async with asyncio.TaskGroup() as tasks:
            while True:
                # at the start all are there at once, and none has just begun
                self._follow(tasks, self._settings.interval_seconds if first else FIRST_SECONDS)
                first = False
                await self._watching.wait_changed()

    def _follow(self, tasks: asyncio.TaskGroup, spread_seconds: float) -> None:
        wanted = self._within_the_most(self._watching.targets())
        for uid, (target, task) in list(self._reading.items()):
            if wanted.get(uid) != target:
                task.cancel()
                del self._reading[uid]
                self._totals.silent(uid)
        self._totals.forget_all_but(self._watching.pods())
        for uid, target in wanted.items():
            if uid not in self._reading:
                first = self._rng.random() * spread_seconds
                task = tasks.create_task(self._each(target, first), name=f"reading of the engine of pod {uid}")
                self._reading[uid] = target, task

    def _within_the_most(self, wanted: dict[str, Target]) -> dict[str, Target]:
        too_many = len(wanted) > MOST_ENGINES
        if too_many and not self._too_many:
            self._log.error("more engines than are read", engines=len(wanted), read=MOST_ENGINES)
        self._too_many = too_many
        return {uid: wanted[uid] for uid in sorted(wanted)[:MOST_ENGINES]} if too_many else wanted

    async def _each(self, target: Target, wait: float) -> None:
        backoff: Backoff | None = None
        while True:
            await self._clock.sleep(wait)
            async with self._turns:
                began = self._clock.monotonic()
                result, problem = await self._read(target)
                took = self._clock.monotonic() - began
            self._results[result] += 1
            if problem is None:
                backoff, wait = None, max(self._settings.interval_seconds, took * WAIT_TIMES)
                continue
            self._totals.silent(target.uid)
            if backoff is None:
                self._log.warning("engine not read", service="/".join(target.service[:2]), problem=problem)
                backoff = Backoff(
                    self._rng,
                    first=self._settings.interval_seconds,
                    cap=max(LONGEST_WAIT_SECONDS, self._settings.interval_seconds),
                    quiet=4 * LONGEST_WAIT_SECONDS,
                )
            wait = backoff.failed(self._clock.monotonic())

    async def _read(self, target: Target) -> tuple[str, str | None]:
        """One reading: its result, and what was wrong."""
        try:
            page = await self._read_page(target.address)
            figures = figures_of(page, self._edges)
        except PageError as error:
            return error.reason, str(error)
        except Exception as error:  # noqa: BLE001 - a worker's edge
            # Whatever an engine answers must not end the reading of all others.
            return UNREADABLE, repr(error)
        if figures is None:
            return UNKNOWN, "its page has no metrics of an engine that we know"
        told = not self._watching.told_by_gateway(ours=target.ours)
        whole = not self._watching.is_older(target.uid)
        self._totals.take(target.uid, target.service, figures, whole=whole, told=told)
        return SUCCESS, None
