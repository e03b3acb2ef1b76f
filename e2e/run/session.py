"""One run from nothing: plane, install, nodes, operators, agents, examples; then looking until it is settled.

Everything that was started is ended on the way out, in reverse, whatever the reason: settled, failed, interrupted.
"""

import asyncio
import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from controller.runtime.client.errors import ApiError
from e2e.plane import Plane, PlaneError
from e2e.plane.build import Binaries
from e2e.run.errors import RunError
from e2e.run.expectation import Expectation
from e2e.run.install import CRD_FILES, add_gpu_nodes, apply_objects, install
from e2e.run.observer import Observer, observe
from e2e.run.processes import start_agents, start_operators, wait_for_heartbeats
from e2e.run.report import Report, faults, report
from e2e.run.screen import Screen
from e2e.run.services import fulfilled, services, unfulfilled
from e2e.run.settling import LIMIT_SECONDS, Settling
from e2e.run.table import view

TIME_SCALE = 1.0
"""As on hardware: a mode change of one GPU takes some 1.5 s, a reload of a node's driver 40 s."""

_LOOK_SECONDS = 0.25
_DEATH_SECONDS = 0.1  # the connections of a process that is killed end a moment before it is known to have ended


@dataclass(frozen=True, slots=True)
class Settings:
    """`once`: end when settled, else look on until interrupted. `folder` takes tokens and logs of our processes.

    `faults`: the file of a script that befalls the simulated GPUs.
    """

    once: bool
    folder: Path
    time_scale: float = TIME_SCALE
    faults: Path | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: what was counted, and a sentence for everything that is wrong."""

    report: Report
    problems: tuple[str, ...]


async def run(settings: Settings, expectation: Expectation, binaries: Binaries, screen: Screen) -> Ended:
    """Run it all. Returns when `once` is over. Raises PlaneError or RunError when something cannot start or died."""
    async with AsyncExitStack() as stack:
        screen.say("starting the control plane")
        stack.enter_context(own_log(settings.folder / "run.log"))
        plane = await stack.enter_async_context(
            Plane(binaries=binaries, manifests=CRD_FILES, kserve=expectation.kserve)
        )
        stack.enter_context(blaming(plane))
        screen.say(f"control plane ready after {plane.statistics.ready_seconds:.1f} s; installing")
        await asyncio.to_thread(install, plane)
        await asyncio.to_thread(add_gpu_nodes, plane, expectation.modes)
        screen.say("starting two replicas of the operator, and the agents")
        operators = await stack.enter_async_context(start_operators(plane, settings.folder))
        broken = ("--faults", str(settings.faults)) if settings.faults else ()
        agents = await stack.enter_async_context(
            start_agents(plane, settings.folder, expectation.modes, time_scale=settings.time_scale, arguments=broken)
        )
        await agents.wait_until("/readyz")
        await asyncio.to_thread(wait_for_heartbeats, plane, expectation.modes)

        def check() -> None:
            plane.check()
            operators.check()
            agents.check()

        return await settle(plane, expectation, screen, check, once=settings.once)


async def settle(
    plane: Plane, expectation: Expectation, screen: Screen, check: Callable[[], None], *, once: bool
) -> Ended:
    """Apply the examples where operator and agents work, and look. `check` raises when a part of ours has ended."""
    async with observe(plane, kserve=expectation.kserve) as observer:
        await asyncio.to_thread(apply_objects, plane, expectation.objects)
        screen.say(f"examples applied\n\n  export KUBECONFIG={plane.kubeconfig}\n")
        ready_seconds = plane.statistics.ready_seconds
        return await look(observer, expectation, screen, check, once=once, plane_ready_seconds=ready_seconds)


@contextmanager
def blaming(plane: Plane) -> Iterator[None]:
    """An error that comes of a dead process of the plane is replaced by ComponentDied, with that process's log."""
    try:
        yield
    except (RunError, PlaneError, ApiError, OSError, http.client.HTTPException):
        time.sleep(_DEATH_SECONDS)
        plane.check()
        raise


@contextmanager
def own_log(path: Path) -> Iterator[None]:
    """What the watches of this process log goes to a file: stdout is for the result, the terminal for the table."""
    with path.open("a", encoding="utf-8") as file:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file), cache_logger_on_first_use=False)
        try:
            yield
        finally:
            structlog.reset_defaults()


async def look(
    observer: Observer,
    expectation: Expectation,
    screen: Screen,
    check: Callable[[], None],
    *,
    once: bool,
    plane_ready_seconds: float,
) -> Ended:
    """Look until all is as expected for five seconds, or the limit has passed, or a fault was seen."""
    settling = Settling(started=time.monotonic())
    while True:
        check()
        now, world = time.monotonic(), observer.world
        found = services(world)
        missing = unfulfilled(found, expectation.wishes)
        settled = settling.look(now, as_expected=not missing)
        ending = settled or (once and (settling.too_late(now) or bool(observer.double_allocations)))
        screen.show(view(world, found, now - settling.started), final=ending)
        screen.say(f"{fulfilled(found, expectation.wishes)} of {len(expectation.wishes)} services are as expected")
        if once and ending:
            problems = faults(world, observer.double_allocations)
            if settling.too_late(now) and not settled:
                problems += [f"not settled within {LIMIT_SECONDS:.0f} s", *missing]
            counted = report(
                world, found, observer.double_allocations, observer.gate_times.milliseconds, plane_ready_seconds
            )
            return Ended(counted, tuple(problems))
        await asyncio.sleep(_LOOK_SECONDS)
