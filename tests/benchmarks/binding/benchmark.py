"""From a pod's creation to its open gate, on a local control plane with simulated nodes, by the operator as users run it.

Everything shares one machine: API server, etcd, scheduler, the simulated kubelets and agents, the operator, and the
observer that measures. What is measured is the time between two events of one watch: the pod is there, its gate is gone.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from e2e.plane import Plane
from e2e.run.install import CRD_FILES, install
from e2e.run.observer import Observer, observe
from tests.benchmarks.controller.settings import SettingsError
from tests.benchmarks.report import Report, Row, figure, percentile
from tests.benchmarks.thresholds import bounds
from tests.integration.operator.running import Running, deployment, opt_in, pod, running

NAME = "binding"

_FIRST_SECONDS = 120.0
_EACH_SECONDS = 60.0
_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Settings:
    """Simulated `nodes` of 64 partitions each; `pods` that come at once, and `singles` one after the other before."""

    nodes: int = 100
    pods: int = 1_000
    singles: int = 40
    minutes: int = 15


def settings_of(data: str) -> Settings:
    """Words like `nodes=4 pods=200`. Raises SettingsError, naming the word and what is there."""
    known = {each.name for each in fields(Settings)}
    given: dict[str, int] = {}
    for word in data.split():
        name, _, value = word.partition("=")
        if name not in known or not value.isdigit() or int(value) == 0:
            raise SettingsError(f"DATA {word!r}: write a positive number for one of {', '.join(sorted(known))}")
        given[name] = int(value)
    return replace(Settings(), **given)


@dataclass(frozen=True, slots=True)
class Held:
    """Milliseconds that pods were held, one by one and all at once; seconds from the first of a burst to its last gate."""

    singles: Sequence[float]
    burst: Sequence[float]
    burst_seconds: float


async def measure(plane: Plane, settings: Settings, folder: Path) -> Held:
    """Start operator and agents on an installed plane, and measure."""
    modes = {f"n{number}": "CPX/NPS4" for number in range(settings.nodes)}
    # as on a real node: with a test's heartbeats a hundred nodes would write a hundred Leases a second
    started = running(
        plane, folder, modes, limit=60.0 * settings.minutes, agent_arguments=("--heartbeat-seconds", "10")
    )
    async with started as cluster, observe(plane) as seen:
        singles = await _singles(cluster, seen, settings.singles)
        burst, seconds = await _burst(cluster, seen, settings)
        if seen.double_allocations:
            raise AssertionError(f"a partition was given twice: {sorted(map(str, seen.double_allocations))[:3]}")
        return Held(singles, burst, seconds)


async def _singles(cluster: Running, seen: Observer, count: int) -> list[float]:
    """One pod after the other; the first is left out: it waits for the first heartbeat of an agent."""
    for number in range(count + 1):
        await cluster.create(cluster.pods_path, pod(f"single-{number}", opt_in()))
        await _gates(seen, number + 1, _FIRST_SECONDS if number == 0 else _EACH_SECONDS)
    return seen.gate_times.milliseconds[1:]


async def _burst(cluster: Running, seen: Observer, settings: Settings) -> tuple[list[float], float]:
    seen.gate_times.milliseconds.clear()
    started = time.monotonic()
    await cluster.create(cluster.deployments_path, deployment("many", settings.pods, opt_in()))
    await _gates(seen, settings.pods, 60.0 * settings.minutes)
    return list(seen.gate_times.milliseconds), time.monotonic() - started


async def _gates(seen: Observer, count: int, limit: float) -> None:
    async with asyncio.timeout(limit):
        while len(seen.gate_times.milliseconds) < count:  # noqa: ASYNC110 - what the observer has seen
            await asyncio.sleep(_LOOK_SECONDS)


def rows(held: Held) -> list[Row]:
    """The rows of one run."""
    rate = len(held.burst) / held.burst_seconds
    return [
        _bounded("single_p50_ms", "ms", percentile(held.singles, 50), held.singles),
        _bounded("single_p99_ms", "ms", percentile(held.singles, 99), held.singles),
        _bounded("burst_pods_per_second", "1/s", rate, [rate]),
        _bounded("burst_p50_ms", "ms", percentile(held.burst, 50), held.burst),
        _bounded("burst_p99_ms", "ms", percentile(held.burst, 99), held.burst),
    ]


def _bounded(metric: str, unit: str, value: float, samples: Sequence[float]) -> Row:
    return figure(metric, unit, value, samples, bounds(NAME).get(metric))


def run(data: str = "") -> Report:
    """Start a plane, measure, and take it down. Raises SettingsError and PlaneError."""
    settings = settings_of(data)
    with tempfile.TemporaryDirectory() as folder, Plane(manifests=CRD_FILES) as plane:
        install(plane)
        held = asyncio.run(measure(plane, settings, Path(folder)))
    load = os.getloadavg()[0]
    return Report(
        name=NAME,
        runs=1,
        settings=asdict(settings) | {"processors": os.cpu_count(), "load_after": round(load, 1)},
        results=rows(held),
        notes=[
            "",
            f"{settings.pods} pods of one Deployment at once; the ReplicaSet controller's own pace is in the rate",
        ],
    )
