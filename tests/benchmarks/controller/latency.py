"""From a change to the reconcile it causes, under a steady stream of changes.

Each change writes the time just before it is sent into an annotation, and the controller compares it with its clock when
the reconcile begins. The API server's write and its watch are within that time, the same for everybody.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.benchmarks.controller.contender import ContenderError, Program, started
from tests.benchmarks.controller.objects import SENT, widget
from tests.benchmarks.controller.settings import Settings
from tests.benchmarks.controller.site import Site, widgets_namespace

_SYNC_SECONDS = 60.0
_QUIET_SECONDS = 1.0
_LEAST_SHARE = 0.99
"""Changes that must have been heard of: fewer, and the run is not what it claims to be."""


async def latency_run(
    site: Site,
    program: Program,
    settings: Settings,
    cpus: frozenset[int],
    log: Path,
    told: Callable[[int], object],
) -> Sequence[float]:
    """Milliseconds of each change of one run; `told` hears how many were sent. Raises ContenderError."""
    size = min(settings.sizes)
    namespace = widgets_namespace(size)
    arguments = {
        "kubeconfig": site.plane.kubeconfig,
        "scenario": "latency",
        "namespace": namespace,
        "workers": settings.workers,
    }
    names = [widget(index, namespace)["metadata"]["name"] for index in range(size)]
    async with started(program, arguments, log, cpus) as contender:
        contender.start()
        await contender.expect("synced", _SYNC_SECONDS)
        await asyncio.sleep(_QUIET_SECONDS)
        await _changes(site, namespace, names, settings, told)
        await asyncio.sleep(_QUIET_SECONDS)
        heard: list[float] = (await contender.end())["milliseconds"]
    if not _LEAST_SHARE * settings.changes <= len(heard) <= settings.changes:
        raise ContenderError(f"{program.name} heard of {len(heard)} changes of {settings.changes}")
    return heard


async def _changes(
    site: Site, namespace: str, names: Sequence[str], settings: Settings, told: Callable[[int], object]
) -> None:
    """One change every 1/rate seconds, round the objects, whether or not the one before was answered."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.TaskGroup() as tasks:
        for number in range(settings.changes):
            await asyncio.sleep(began + number / settings.rate - loop.time())
            name = names[number % len(names)]
            tasks.create_task(_change(site, namespace, name))
            if number % 20 == 0:
                told(number)


async def _change(site: Site, namespace: str, name: str) -> None:
    await site.annotate(namespace, name, SENT, str(time.time_ns()))
