"""The operator is killed while it holds much: how soon its successor knows all of it and works again."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from controller.runtime.client.client import Client
from controller.runtime.client.core import PODS
from controller.runtime.client.errors import ApiError
from e2e.run.world import gated, ready
from tests.benchmarks.binding.processors import processor_seconds
from tests.benchmarks.scale.cluster import Scene
from tests.benchmarks.scale.load import NAMESPACES
from tests.benchmarks.scale.readings import peak_mib, until_idle
from tests.benchmarks.scale.requests import Part
from tests.integration.operator.running import opt_in, pod

PROBE: Final = "first-after-restart"
_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Restart:
    """Seconds since the new process was started, each until something was first so.

    `ready`: caches are filled, webhooks serve, its probe says so. `accepted`: a pod that asks for a partition could be
    made. `placed`: its gate was open; `served`: it was Ready. `idle`: every queue was empty, all workers at rest.
    `processor`: seconds that the new process took until then. `audit`: what it asked for.
    """

    ready: float
    accepted: float
    placed: float
    served: float
    idle: float
    processor: float
    peak_mib: float
    audit: Part


async def restart(scene: Scene, limit: float) -> Restart:
    """Kill -9, start again at once, and look. The probing pod is gone again afterwards. Raises TimeoutError."""
    began_at = scene.plane.audit_log.stat().st_size
    await scene.operator.kill()
    began = time.monotonic()
    async with asyncio.timeout(limit), asyncio.TaskGroup() as tasks:
        probing = tasks.create_task(_probe(scene.client, began), name="probe of a restart")
        await scene.operator.start(limit)
        known = time.monotonic() - began
        await until_idle(scene.operator)
        idle = time.monotonic() - began
    accepted, placed, served = probing.result()
    used = processor_seconds(scene.operator.pid)
    audit = Part(began_at, scene.plane.audit_log.stat().st_size)
    await scene.client.delete(PODS, PROBE, NAMESPACES[0])
    return Restart(known, accepted, placed, served, idle, used, peak_mib(scene.operator.pid), audit)


async def _probe(client: Client, began: float) -> tuple[float, float, float]:
    """Seconds since `began` until a pod could be made, had its gate open, was Ready."""
    made, namespace = pod(PROBE, opt_in()), NAMESPACES[0]
    while True:
        try:
            await client.create(PODS, made, namespace)
        except ApiError:  # nobody answers the webhook yet
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            break
    accepted = time.monotonic() - began
    placed: float | None = None
    while True:
        found = await client.get(PODS, PROBE, namespace)
        if placed is None and not gated(found):
            placed = time.monotonic() - began
        if placed is not None and ready(found):
            return accepted, placed, time.monotonic() - began
        await asyncio.sleep(_LOOK_SECONDS)
