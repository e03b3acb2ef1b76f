"""One run from nothing: plane, install, nodes, operators, agents, examples; then looking until it is settled.

Everything that was started is ended on the way out, in reverse, whatever the reason: settled, failed, interrupted.
"""

import asyncio
import http.client
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from rich.console import RenderableType

from controller.runtime.client.errors import ApiError
from e2e.plane import Plane, PlaneError
from e2e.plane.build import Binaries
from e2e.plane.ports import LOOPBACK
from e2e.run.engines import start_engines
from e2e.run.errors import RunError
from e2e.run.expectation import Expectation
from e2e.run.exporter import THROUGH_THE_GATEWAY, list_gateway, start_exporter
from e2e.run.gateway import AUDIENCE, start_gateway, tokens, url
from e2e.run.install import CRD_FILES, add_gpu_nodes, apply_objects, install
from e2e.run.metrics import SECURE, start_prometheus
from e2e.run.observer import Observer, observe
from e2e.run.processes import start_agents, start_operators, wait_for_heartbeats
from e2e.run.report import Report, faults, report
from e2e.run.screen import Screen
from e2e.run.services import Service, Standing, fulfilled, service_of, services, unfulfilled
from e2e.run.settling import LIMIT_SECONDS, Settling
from e2e.run.table import view
from e2e.run.traffic.counted import counted, failures
from e2e.run.traffic.live_table import live
from e2e.run.traffic.roles import roles
from e2e.run.traffic.traffic import Traffic, asking
from e2e.run.world import World

TIME_SCALE = 1.0
"""As on hardware: a mode change of one GPU takes some 1.5 s, a reload of a node's driver 40 s."""

_LOOK_SECONDS = 0.25
_DEATH_SECONDS = 0.1  # the connections of a process that is killed end a moment before it is known to have ended


@dataclass(frozen=True, slots=True)
class Settings:
    """`once`: end when settled, else look on until interrupted. `folder` takes tokens and logs of our processes.

    `faults`: the file of a script that befalls the simulated GPUs. `prometheus`: a real one runs beside.
    """

    once: bool
    folder: Path
    time_scale: float = TIME_SCALE
    faults: Path | None = None
    prometheus: bool = False


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
        screen.say("starting two replicas of the operator, the agents, simulated engines, the gateway and the exporter")
        read = SECURE if settings.prometheus else ()
        operators = await stack.enter_async_context(start_operators(plane, settings.folder, arguments=read))
        broken = ("--faults", str(settings.faults)) if settings.faults else ()
        agents = await stack.enter_async_context(
            start_agents(
                plane, settings.folder, expectation.modes, time_scale=settings.time_scale, arguments=(*broken, *read)
            )
        )
        await agents.wait_until("/readyz")
        engines = await stack.enter_async_context(start_engines(plane, settings.folder))
        gateway = await stack.enter_async_context(start_gateway(plane, settings.folder, engines.addresses, read))
        await asyncio.to_thread(list_gateway, plane)
        exporter = await stack.enter_async_context(
            start_exporter(plane, settings.folder, engines.addresses, (*THROUGH_THE_GATEWAY, *read))
        )
        checks = [part.check for part in (plane, operators, agents, engines, gateway, exporter)]
        if settings.prometheus:
            workers = {"operator": operators.workers, "agent": [agents], "gateway": [gateway], "exporter": [exporter]}
            server = await stack.enter_async_context(start_prometheus(plane, settings.folder, workers))
            checks.append(server.check)
            screen.say(_how_to_look(server.api.port))
        await asyncio.to_thread(wait_for_heartbeats, plane, expectation.modes)

        def check() -> None:
            for one in checks:
                one()

        @asynccontextmanager
        async def ask() -> AsyncIterator[Traffic]:
            callers = await asyncio.to_thread(tokens, plane, expectation.namespaces)
            screen.say(_how_to_ask(url(gateway), min(expectation.namespaces)))
            async with asking(url(gateway), callers, roles(expectation.objects), engines) as traffic:
                yield traffic

        return await settle(plane, expectation, screen, check, once=settings.once, ask=ask)


def _how_to_see(kubeconfig: Path) -> str:
    """For a person with a second terminal."""
    return (
        f"examples applied\n\n  export KUBECONFIG={kubeconfig}\n"
        "  .venv/bin/aim-gpu ui    # all of it as a map in the browser: docs/map.md\n"
    )


def _how_to_ask(address: str, namespace: str) -> str:
    """For a person who wants to ask a model of that namespace."""
    return (
        f"gateway listens\n\n  export GATEWAY={address}\n"
        f"  export KEY=$(kubectl create token default -n {namespace} --audience {AUDIENCE})\n"
    )


def _how_to_look(port: int) -> str:
    """For a person who wants to see the dashboards."""
    return (
        f"prometheus reads every process, and has our rules: http://{LOOPBACK}:{port}\n\n"
        f"  .venv/bin/python -m dashboards.draw {port} --scrape 1 --minutes 5\n"
    )


async def settle(
    plane: Plane,
    expectation: Expectation,
    screen: Screen,
    check: Callable[[], None],
    *,
    once: bool,
    ask: Callable[[], AbstractAsyncContextManager[Traffic]] | None = None,
) -> Ended:
    """Apply the examples where operator and agents work, and look. `check` raises when a part of ours has ended.

    `ask` sends requests, once the examples are there; None: nobody does.
    """
    async with observe(plane, kserve=expectation.kserve) as observer:
        await asyncio.to_thread(apply_objects, plane, expectation.objects)
        screen.say(_how_to_see(plane.kubeconfig))
        looking = Looking(observer, expectation, screen, check, once, plane.statistics.ready_seconds)
        if ask is None:
            return await looking.run(None)
        async with ask() as traffic:
            return await looking.run(traffic)


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


@dataclass(frozen=True, slots=True)
class Looking:
    """Looks at a run until it is over; see `settle`."""

    observer: Observer
    expectation: Expectation
    screen: Screen
    check: Callable[[], None]
    once: bool
    plane_ready_seconds: float

    async def run(self, traffic: Traffic | None) -> Ended:
        """Until all is as expected for five seconds and every scene was played, or time is up, or a fault was seen."""
        settling = Settling(started=time.monotonic())
        while True:
            # asks other processes: on a busy machine their answers take long enough to hold up requests
            await asyncio.to_thread(self.check)
            now, world = time.monotonic(), self.observer.world
            found = services(world)
            missing = unfulfilled(found, self.expectation.wishes)
            settled = settling.look(now, as_expected=not missing)
            over = settled and (traffic is None or traffic.done)
            ending = over or (self.once and (settling.too_late(now) or bool(self.observer.double_allocations)))
            # what else somebody has applied by now is no reason to wait
            quiet = fulfilled(found, self.expectation.wishes) == len(self.expectation.wishes)
            below = self._ask(traffic, found, world, quiet=quiet) if traffic is not None else []
            self.screen.show(view(world, found, now - settling.started, below), final=ending)
            self._tell(found, traffic, settled=settled)
            if self.once and ending:
                late = [] if over else [f"not settled within {LIMIT_SECONDS:.0f} s", *missing]
                return self._ended(world, found, traffic, late if settling.too_late(now) else [])
            await asyncio.sleep(_LOOK_SECONDS)

    def _tell(self, found: Sequence[Service], traffic: Traffic | None, *, settled: bool) -> None:
        wishes = self.expectation.wishes
        told = f"{fulfilled(found, wishes)} of {len(wishes)} services are as expected"
        if settled and traffic is not None and traffic.roles is not None and not traffic.done:
            told += f"; {traffic.roles.flooded} is flooded, {traffic.roles.neighbour} is beside it"
        self.screen.say(told)

    def _ask(
        self, traffic: Traffic, found: Sequence[Service], world: World, *, quiet: bool
    ) -> Sequence[RenderableType]:
        """Let the traffic know who runs; what is to be shown of it."""
        running = {one.key for one in found if one.standing is Standing.RUNNING} & self.expectation.asked
        engines = {str(pod["metadata"]["uid"]): service_of(pod) for pod in world.pods}
        traffic.look(running, {uid: service for uid, service in engines.items() if service}, quiet=quiet)
        return live(traffic.figures(), traffic.roles, traffic.judgement, flooding=traffic.flooding)

    def _ended(self, world: World, found: Sequence[Service], traffic: Traffic | None, late: Sequence[str]) -> Ended:
        doubles = self.observer.double_allocations
        problems = [*faults(world, doubles), *late]
        counts = None
        if traffic is not None:
            counts = counted(traffic.latencies, traffic.roles, traffic.judgement, traffic.problems)
            problems += [*traffic.problems, *failures(traffic.latencies, traffic.roles)]
        milliseconds = self.observer.gate_times.milliseconds
        return Ended(report(world, found, doubles, milliseconds, self.plane_ready_seconds, counts), tuple(problems))
