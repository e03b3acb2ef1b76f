"""The operator beside many nodes: what it holds of them, what it computes while nothing happens, how long a pod takes."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from e2e.plane import Plane
from e2e.plane.nodes import node
from e2e.run.install import GPU_SERVER
from e2e.run.observer import Observer, observe
from tests.benchmarks.binding.burst import HEARTBEATS
from tests.benchmarks.binding.creators import create_pods
from tests.benchmarks.binding.processors import Spent, between, processes, resident_mib, spent
from tests.benchmarks.binding.settings import Settings
from tests.benchmarks.binding.stand_ins import stand_ins
from tests.benchmarks.binding.waiting import FIRST_SECONDS, gates, one_by_one
from tests.integration.operator.running import Running, opt_in, pod, running

_REST_SECONDS: Final = 30.0
_SINGLES: Final = 20


@dataclass(frozen=True, slots=True)
class AtRest:
    """`known_seconds`: from the start until every node reports its partitions; `resting`: what was spent then.

    `singles`: milliseconds that pods one by one were held; `pods_a_second`: of those that came at once.
    """

    known_seconds: float
    operator_mib: float
    resting: Spent
    singles: Sequence[float]
    pods_a_second: float


async def at_rest(plane: Plane, settings: Settings, folder: Path) -> AtRest:
    """Start the operator, one agent, and stand-ins for the other nodes' on an installed plane; bind pods, and look."""
    began = time.monotonic()
    others = [f"held-{number}" for number in range(settings.held - 1)]
    await asyncio.to_thread(add_nodes, plane, others)
    started = running(plane, folder, {"model": "CPX/NPS4"}, limit=settings.limit, agent_arguments=HEARTBEATS)
    async with started as cluster, _client(plane) as client, AsyncExitStack() as stack:
        await stack.enter_async_context(stand_ins(client, cluster.names["model"], others, settings.limit))
        known = time.monotonic() - began
        async with observe(plane) as seen:
            singles = await one_by_one(cluster, seen, _SINGLES, settings.limit)
            rate = await _at_once(client, cluster, seen, settings)
        await cluster.all_allocated(settings.held_pods + _SINGLES + 1, FIRST_SECONDS)
        pids = processes(plane, cluster)
        before, since = spent(pids), time.monotonic()
        await asyncio.sleep(_REST_SECONDS)
        resting = between(before, spent(pids), time.monotonic() - since)
        return AtRest(known, resident_mib(cluster.operator.pid), resting, singles, rate)


def add_nodes(plane: Plane, names: Sequence[str]) -> None:
    """Nodes that KWOK plays and the operator manages; they get Ready while others are being made."""
    for name in names:
        plane.admin.create("/api/v1/nodes", node(name, GPU_SERVER))


def _client(plane: Plane) -> Client:
    return Client(ClientConfiguration.from_kubeconfig(plane.kubeconfig), user_agent="bench-load")


async def _at_once(client: Client, cluster: Running, seen: Observer, settings: Settings) -> float:
    seen.gate_times.milliseconds.clear()
    pods = (pod(f"held-{number}", opt_in()) for number in range(settings.held_pods))
    created = time.monotonic()
    await create_pods(client, cluster.namespace, pods, settings.clients)
    await gates(seen, settings.held_pods, settings.limit)
    return settings.held_pods / (time.monotonic() - created)
