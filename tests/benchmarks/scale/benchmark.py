"""A large cluster through its life: the operator beside 1,000 nodes while 20,000 pods come, run, are replaced and end.

The pods belong to InferenceServices and Deployments by turns; the real operator gates and places them, the real
scheduler binds them, KWOK plays the kubelets. Between coming and ending the operator is killed and started again.
API server, etcd, controller manager, scheduler, KWOK, operator, agent and this load share the machine: what is said of
the whole is what that machine can do, and only the operator's own time and memory are the operator's.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import uvloop

from controller.runtime.client.core import RESOURCE_CLAIMS
from controller.state.kinds import GPU_PARTITION_CLAIMS
from e2e.plane import Plane
from e2e.plane.components import APISERVER, CONTROLLER_MANAGER, KWOK
from e2e.plane.progress import Progress, duration
from e2e.run.install import CRD_FILES, install
from tests.benchmarks.binding.processors import resident_mib
from tests.benchmarks.report import Report
from tests.benchmarks.scale.cluster import Scene, scene
from tests.benchmarks.scale.load import Load
from tests.benchmarks.scale.outcome import Measured, notes, rows
from tests.benchmarks.scale.phases import phase
from tests.benchmarks.scale.readings import complaints, look, until_idle
from tests.benchmarks.scale.requests import AUDIT, operators
from tests.benchmarks.scale.restart import restart
from tests.benchmarks.scale.settings import QUARTERS, Settings, settings_of

NAME: Final = "scale"
_STEPS: Final = 5
_COMING, _CHANGING, _ENDING, _RESTART_SECONDS = 20.0, 8.0, 25.0, 30.0
"""Pods a second, and seconds, as they were seen on two cores: for the progress line only."""
_CLEAR_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.5
_PATIENT: Final = ("--node-monitor-grace-period=300s",)
_KWOK: Final = Path(__file__).with_name("kwok.yaml")
"""Both: a thousand nodes' heartbeats on two cores are late sometimes, and no node is to be taken for lost by that."""


def run(data: str, progress: Progress) -> Report:
    """Start a plane, measure, and take it down.

    Raises SettingsError, PlaneError, and TimeoutError at a limit that leaves nothing to tell.
    """
    settings = settings_of(data)
    before = os.getloadavg()[0]
    arguments = {APISERVER: AUDIT, CONTROLLER_MANAGER: _PATIENT, KWOK: (f"--config={_KWOK}",)}
    with tempfile.TemporaryDirectory() as folder, Plane(manifests=CRD_FILES, arguments=arguments) as plane:
        install(plane)
        measured = uvloop.run(_Run(plane, settings, progress).measure(Path(folder)))
        _read_requests(measured, plane.audit_log)
    load = {"load_before": round(before, 1), "load_after": round(os.getloadavg()[0], 1)}
    return Report(
        name=NAME,
        runs=1,
        settings=asdict(settings) | {"processors": os.cpu_count()} | load,
        results=rows(measured),
        notes=notes(measured),
    )


async def _caught_up(stage: Scene) -> float:
    """Seconds until the operator had nothing to do any more; the limit where it went on."""
    began = time.monotonic()
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLEAR_SECONDS):
            await until_idle(stage.operator)
    return time.monotonic() - began


def _read_requests(measured: Measured, log: Path) -> None:
    """What the operator asked for, phase by phase: read at the end, when it takes nobody's time."""
    for each in measured.phases:
        measured.operators[each.name] = operators(log, each.audit)
    if measured.restart is not None:
        measured.operators["restart"] = operators(log, measured.restart.audit)


@dataclass(frozen=True, slots=True)
class _Run:
    plane: Plane
    settings: Settings
    progress: Progress

    async def measure(self, folder: Path) -> Measured:
        """Every phase. What did not come in one is missing in the next, and is told at the end.

        At the limit what was measured until then is told, once the cluster was looked at when full and at rest.
        """
        nodes, found = self.settings.nodes, Measured(self.settings)
        self.progress.show(f"[1/{_STEPS}] {nodes} nodes (usually {duration(10 + 0.07 * nodes)})")
        try:
            async with asyncio.timeout(self.settings.limit), scene(self.plane, self.settings, folder) as stage:
                await self._live(stage, found)
        except TimeoutError:
            if not found.rested:
                raise
            self.progress.line(f"the limit of {self.settings.minutes} minutes came first: the rest is left out")
        return found

    async def _live(self, stage: Scene, found: Measured) -> None:
        found.known_seconds = stage.known_seconds
        self.progress.line(f"[1/{_STEPS}] {self.settings.nodes} nodes: done in {duration(stage.known_seconds)}")
        load = Load(stage.client, self.settings, stage.lives)
        try:
            await self._fill(stage, load, found)
            await self._rest(stage, load, found)
            await self._churn(stage, load, found)
            await self._end(stage, load, found)
        finally:
            found.replaced = stage.lives.came - load.ever * self.settings.owner - bool(found.restart)
            found.faults = len(stage.lives.faults)
            with stage.operator.log.open(encoding="utf-8", errors="replace") as log:
                found.complaints = complaints(log)

    @contextmanager
    def _step(self, index: int, title: str, expected: float, load: Load) -> Iterator[None]:
        with self.progress.step(index, _STEPS, title, expected) as step:
            lives = load.lives
            load.tick = lambda: step.tick(f"{lives.came} came, {lives.serving} Ready, {lives.gone} gone")
            yield

    async def _fill(self, stage: Scene, load: Load, found: Measured) -> None:
        pods = self.settings.pods
        with self._step(2, f"{pods} pods come", pods / _COMING, load):
            for quarter in range(1, QUARTERS + 1):
                wanted = self.settings.owners(pods * quarter // QUARTERS) * self.settings.owner
                async with phase(stage, f"fill {quarter}/{QUARTERS}", wanted - load.asked) as part:
                    part.complete = await load.fill(wanted)
                found.phases.append(part)
        found.held, found.served = list(stage.lives.gate_times.milliseconds), list(stage.lives.ready_milliseconds)

    async def _rest(self, stage: Scene, load: Load, found: Measured) -> None:
        with self._step(3, "nothing, then the operator is killed", self.settings.rest + _RESTART_SECONDS, load):
            found.backlog_seconds = await _caught_up(stage)
            async with phase(stage, "rest", load.asked) as rest:
                await asyncio.sleep(self.settings.rest)
                rest.complete = load.settled
            found.phases.append(rest)
            if self.settings.restart:
                found.errors += (await look(stage.operator)).errors
                found.restart = await restart(stage, self.settings.limit)
                await load.settle()

    async def _churn(self, stage: Scene, load: Load, found: Measured) -> None:
        pods = self.settings.owners(self.settings.churn) * self.settings.owner
        with self._step(4, f"{pods} pods replaced", pods / _CHANGING, load):
            if pods:
                async with phase(stage, "churn", pods) as churn:
                    churn.complete = await load.churn(pods)
                found.phases.append(churn)
        found.never_ready = load.missing

    async def _end(self, stage: Scene, load: Load, found: Measured) -> None:
        with self._step(5, "all end", load.asked / _ENDING, load):
            async with phase(stage, "end", load.asked) as end:
                end.complete = await load.end()
            found.phases.append(end)
            found.left = await self._left(stage)
        found.errors += (await look(stage.operator)).errors
        found.ended_mib = resident_mib(stage.operator.pid)

    async def _left(self, stage: Scene) -> int:
        """Claims of both kinds that are still there when their pods have been gone for long enough."""
        deadline = time.monotonic() + _CLEAR_SECONDS
        while True:
            lists = [await stage.client.list(kind) for kind in (GPU_PARTITION_CLAIMS, RESOURCE_CLAIMS)]
            left = sum(len(each.items) for each in lists)
            if not left or time.monotonic() > deadline:
                return left
            await asyncio.sleep(_LOOK_SECONDS)
