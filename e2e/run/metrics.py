"""A Prometheus beside a run: it reads every process of ours as a cluster's would, and evaluates our rules."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from e2e.plane import Plane
from e2e.plane.ports import LOOPBACK
from e2e.prometheus.configuration import Target
from e2e.prometheus.programs import ensure_prometheus
from e2e.prometheus.reader import reader_token
from e2e.prometheus.server import Prometheus
from e2e.run.install import ROOT
from e2e.run.processes import Worker

#: What processes are told that are read over HTTPS, by those whom RBAC lets.
SECURE = ("--metrics-secure",)
RULES = ROOT / "dashboards" / "rules" / "aim-gpu-sharing.rules.yaml"


@asynccontextmanager
async def start_prometheus(
    plane: Plane, folder: Path, workers: Mapping[str, Iterable[Worker]]
) -> AsyncIterator[Prometheus]:
    """One that reads `workers`, by job, once a second; ended on exit. Raises PlaneError where it cannot be had."""
    programs = await asyncio.to_thread(ensure_prometheus)
    token = await asyncio.to_thread(reader_token, plane)
    with Prometheus(programs, folder / "prometheus", token=token, rule_files=[RULES]) as server:
        server.read(targets(workers))
        yield server


def targets(workers: Mapping[str, Iterable[Worker]]) -> list[Target]:
    """Every process's /metrics, by the port that it took."""
    return [
        Target(job, one.name, f"{LOOPBACK}:{one.ports['metrics']}") for job, found in workers.items() for one in found
    ]
