"""Pods one after the other, then many at once, and who computed for them.

Everything shares one machine: API server, etcd, scheduler, the simulated kubelets and agents, the operator, and this
process, which creates the pods and watches. What is measured is the time between two events of one watch: the pod is
there, its gate is gone.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from e2e.plane import Plane
from e2e.run.observer import Observer, observe
from tests.benchmarks.binding.creators import create_pods
from tests.benchmarks.binding.processors import Spent, between, processes, spent
from tests.benchmarks.binding.settings import Settings
from tests.benchmarks.binding.waiting import gates, one_by_one
from tests.benchmarks.binding.writes import counted, written
from tests.integration.operator.running import Running, opt_in, pod, running

HEARTBEATS = ("--heartbeat-seconds", "10")
"""As on a real node: with a test's heartbeats a hundred nodes would write a hundred Leases a second."""
_SETTLED_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Held:
    """Milliseconds that pods were held, one by one and all at once.

    `until_open`: from the first creation to the last gate; `until_settled`: until all are Allocated, too. `writes`: by
    user and kind, until settled.
    """

    singles: Sequence[float]
    burst: Sequence[float]
    until_open: Spent
    until_settled: Spent
    writes: Mapping[tuple[str, str], int]


async def burst(plane: Plane, settings: Settings, folder: Path) -> Held:
    """Start operator and agents on an installed plane, and measure. Raises AssertionError for a fault seen."""
    modes = {f"n{number}": "CPX/NPS4" for number in range(settings.nodes)}
    started = running(plane, folder, modes, limit=settings.limit, agent_arguments=HEARTBEATS)
    async with started as cluster, observe(plane) as seen:
        singles = await one_by_one(cluster, seen, settings.singles)
        held = await _at_once(plane, cluster, seen, settings, singles)
        if seen.double_allocations:
            raise AssertionError(f"a partition was given twice: {sorted(map(str, seen.double_allocations))[:3]}")
        return held


async def _at_once(
    plane: Plane, cluster: Running, seen: Observer, settings: Settings, singles: Sequence[float]
) -> Held:
    seen.gate_times.milliseconds.clear()
    pids, written_before = processes(plane, cluster), plane.audit_log.stat().st_size
    pods = (pod(f"burst-{number}", opt_in()) for number in range(settings.pods))
    async with Client(ClientConfiguration.from_kubeconfig(plane.kubeconfig), user_agent="bench-load") as client:
        before, started = spent(pids), time.monotonic()
        await create_pods(client, cluster.namespace, pods, settings.clients)
        await gates(seen, settings.pods, settings.limit)
    opened = between(before, spent(pids), time.monotonic() - started)
    held = list(seen.gate_times.milliseconds)
    await cluster.all_allocated(settings.pods + settings.singles + 1, _SETTLED_SECONDS)
    settled = between(before, spent(pids), time.monotonic() - started)
    with plane.audit_log.open(encoding="utf-8") as log:
        log.seek(written_before)
        writes = counted(written(log))
    return Held(singles, held, opened, settled, writes)
