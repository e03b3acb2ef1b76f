"""Status writes: how soon all of N objects have theirs, and what the controller process spent on it.

The objects are there and the process is loaded when it is told to start. The clock runs from its first reconcile (its
cache is synced by then) until this process's own watch has seen the last status. Every run writes another token, of
the same length, so each object gets exactly one write a run and nothing needs to be reset in between.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.controller.contender import Contender, ContenderError, Program, started
from tests.benchmarks.controller.site import Site, widgets_namespace

_SYNC_SECONDS = 60.0
_SLOWEST_PER_SECOND = 50
"""Fewer writes than that, and a run is given up."""


@dataclass(frozen=True, slots=True)
class StatusRun:
    """One run. `cold_sync_seconds`: from the word to start until the cache was synced; `cpu_seconds` of the controller

    until the last write was seen; `requests_per_object`: the API server's count, watches left out.
    """

    objects_per_second: float
    cold_sync_seconds: float
    cpu_seconds: float
    requests_per_object: float


@dataclass(frozen=True, slots=True)
class Work:
    """What to do in a run: write `token` to `size` widgets with so many workers, on these processors."""

    size: int
    token: str
    workers: int
    cpus: frozenset[int]


async def status_run(site: Site, program: Program, work: Work, log: Path, told: Callable[[int], object]) -> StatusRun:
    """Measure one run; `told` hears how many statuses were seen. Raises ContenderError."""
    namespace = widgets_namespace(work.size)
    arguments = {
        "kubeconfig": site.plane.kubeconfig,
        "scenario": "status",
        "namespace": namespace,
        "token": work.token,
        "workers": work.workers,
    }
    before = await site.widget_requests()
    version = await site.version(namespace)
    async with started(program, arguments, log, work.cpus) as contender:
        idle = contender.usage()
        go = time.time_ns()
        contender.start()
        synced = await contender.expect("synced", _SYNC_SECONDS)
        finished = await _all_seen(site, contender, version, work, told)
        spent = contender.usage()
        await contender.end()
    requests = await site.widget_requests() - before - 1  # one was our own, for the version
    return StatusRun(
        objects_per_second=work.size / (finished - contender.first) * 1e9,
        cold_sync_seconds=(synced["at"] - go) / 1e9,
        cpu_seconds=spent.cpu_seconds - idle.cpu_seconds,
        requests_per_object=requests / work.size,
    )


async def _all_seen(site: Site, contender: Contender, version: str, work: Work, told: Callable[[int], object]) -> int:
    """When the last status was seen, in nanoseconds of the wall clock."""
    seen: set[str] = set()
    limit = _SYNC_SECONDS + work.size / _SLOWEST_PER_SECOND
    try:
        async with (
            asyncio.timeout(limit),
            aclosing(site.events(widgets_namespace(work.size), version)) as events,
        ):
            async for widget in events:
                if widget.get("status", {}).get("observed") == work.token:
                    seen.add(widget["metadata"]["name"])
                    if len(seen) == work.size:
                        return time.time_ns()
                    if len(seen) % 50 == 0:
                        told(len(seen))
    except TimeoutError as error:
        raise ContenderError(
            f"{contender.name}: {len(seen)} of {work.size} statuses within {limit:g} s\n{contender.tail()}"
        ) from error
    raise ContenderError(f"the harness' watch ended after {len(seen)} of {work.size} statuses of {contender.name}")
