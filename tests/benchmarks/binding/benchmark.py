"""From a pod's creation to its open gate, on a local control plane with simulated nodes, by the operator as users run it.

Three parts, each on a plane of its own: pods one by one and many at once (`burst`); the same pods without anything of
ours, which is what the machine can do (`floor`); the operator beside a thousand nodes (`held`).
"""

import os
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import uvloop

from e2e.plane import Plane
from e2e.plane.components import APISERVER
from e2e.run.install import CRD_FILES, install
from tests.benchmarks.binding.burst import Held, burst
from tests.benchmarks.binding.floor import floor
from tests.benchmarks.binding.held import AtRest, at_rest
from tests.benchmarks.binding.processors import OPERATOR, Spent
from tests.benchmarks.binding.settings import settings_of
from tests.benchmarks.binding.writes import POLICY, ours
from tests.benchmarks.report import Report, Row, figure, percentile
from tests.benchmarks.thresholds import bounds

NAME = "binding"

_SHOWN_WRITES = 24
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Measured:
    """What the parts gave; None for one that was left out."""

    held: Held
    floor: Spent | None = None
    floor_claims: Spent | None = None
    at_rest: AtRest | None = None


def rows(measured: Measured) -> list[Row]:
    """The rows of one run."""
    held = measured.held
    pods = len(held.burst)
    rate = pods / held.until_open.seconds
    found = [
        _bounded("single_p50_ms", "ms", percentile(held.singles, 50), held.singles),
        _bounded("single_p99_ms", "ms", percentile(held.singles, 99), held.singles),
        _bounded("burst_pods_per_second", "1/s", rate),
        _bounded("burst_p50_ms", "ms", percentile(held.burst, 50), held.burst),
        _bounded("burst_p99_ms", "ms", percentile(held.burst, 99), held.burst),
        _bounded("burst_processor_ms_a_pod", "ms", 1000 * held.until_open.total / pods),
        _bounded("burst_operator_ms_a_pod", "ms", held.until_settled.a_pod(pods)[OPERATOR]),
        _bounded("burst_writes_of_ours_a_pod", "1", ours(held.writes) / pods),
        _bounded("burst_writes_a_pod", "1", sum(held.writes.values()) / pods),
    ]
    for name, bare in (("floor", measured.floor), ("floor_claims", measured.floor_claims)):
        if bare is not None:
            found += [
                _bounded(f"{name}_pods_per_second", "1/s", pods / bare.seconds),
                _bounded(f"{name}_processor_ms_a_pod", "ms", 1000 * bare.total / pods),
                _bounded(f"burst_share_of_{name}", "1", rate * bare.seconds / pods),
            ]
    return found + (_rows_at_rest(measured.at_rest) if measured.at_rest is not None else [])


def _rows_at_rest(found: AtRest) -> list[Row]:
    used = 100 * found.resting.processor[OPERATOR] / found.resting.seconds
    return [
        _bounded("held_known_seconds", "s", found.known_seconds),
        _bounded("held_operator_mib", "MiB", found.operator_mib),
        _bounded("held_operator_percent_at_rest", "%", used),
        _bounded("held_single_p50_ms", "ms", percentile(found.singles, 50), found.singles),
        _bounded("held_pods_per_second", "1/s", found.pods_a_second),
    ]


def _bounded(metric: str, unit: str, value: float, samples: Sequence[float] = ()) -> Row:
    return figure(metric, unit, value, samples or [value], bounds(NAME).get(metric))


def notes(measured: Measured) -> list[str]:
    """Who computed how long for a pod, and who wrote what."""
    held = measured.held
    pods = len(held.burst)
    lines = [
        "",
        "processor milliseconds a pod, by process:",
        f"  until all gates are open  {_by_process(held.until_open, pods)}",
    ]
    lines.append(f"  until all are Allocated   {_by_process(held.until_settled, pods)}")
    if measured.floor is not None:
        lines.append(f"  without us                {_by_process(measured.floor, pods)}")
    if measured.floor_claims is not None:
        lines.append(f"  the same, ResourceClaims  {_by_process(measured.floor_claims, pods)}")
    lines.append("writes a pod, by whom and of what:")
    common = sorted(held.writes.items(), key=lambda each: -each[1])[:_SHOWN_WRITES]
    lines += [f"  {count / pods:6.2f}  {who}: {what}" for (who, what), count in common]
    if measured.at_rest is not None:
        resting = measured.at_rest.resting
        shares = {name: 100 * used / resting.seconds for name, used in resting.processor.items()}
        lines.append("percent of a processor at rest: " + _listed(shares))
    return lines


def _by_process(found: Spent, pods: int) -> str:
    return f"{_listed(found.a_pod(pods))}; {found.seconds:.1f} s"


def _listed(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.1f}" for name, value in sorted(values.items(), key=lambda each: -each[1]))


def run(data: str = "") -> Report:
    """Start planes, measure, and take them down. Raises SettingsError and PlaneError."""
    settings = settings_of(data)
    measured = Measured(
        held=_on_a_plane(lambda plane, folder: burst(plane, settings, folder)),
        floor=_on_a_plane(lambda plane, _: floor(plane, settings, claims=False)) if settings.floor else None,
        floor_claims=_on_a_plane(lambda plane, _: floor(plane, settings, claims=True)) if settings.floor else None,
        at_rest=_on_a_plane(lambda plane, folder: at_rest(plane, settings, folder)) if settings.held else None,
    )
    load = os.getloadavg()[0]
    return Report(
        name=NAME,
        runs=1,
        settings=asdict(settings) | {"processors": os.cpu_count(), "load_after": round(load, 1)},
        results=rows(measured),
        notes=notes(measured),
    )


def _on_a_plane(part: Callable[[Plane, Path], Awaitable[_T]]) -> _T:
    async def measure(plane: Plane, folder: Path) -> _T:
        return await part(plane, folder)

    arguments = {APISERVER: (f"--audit-policy-file={POLICY}",)}
    with tempfile.TemporaryDirectory() as folder, Plane(manifests=CRD_FILES, arguments=arguments) as plane:
        install(plane)
        return uvloop.run(measure(plane, Path(folder)))
