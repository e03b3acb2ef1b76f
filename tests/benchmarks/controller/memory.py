"""Resident memory with all pods held, and what that is more than the same process used before its first list.

All processes are started one after another and stay; they are looked at together, two minutes after the last has
synced, when Go has collected its idle heap once by itself. Nobody is told to collect or to give memory back: each process
runs as it would in production.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.controller.contender import ContenderError, Program, started
from tests.benchmarks.controller.settings import SHARED
from tests.benchmarks.controller.site import PODS_NAMESPACE, Site

_SYNC_SECONDS = 120.0
_IDLE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Holding:
    """One process to measure: which program, keeping what of a pod."""

    program: Program
    projection: str


@dataclass(frozen=True, slots=True)
class Held:
    """Resident bytes before the first list, and with all pods."""

    holding: Holding
    idle_bytes: int
    total_bytes: int

    @property
    def increment_bytes(self) -> int:
        """What the pods cost."""
        return self.total_bytes - self.idle_bytes


async def memory_run(
    site: Site,
    holdings: Sequence[Holding],
    pods: int,
    settle_seconds: int,
    log: Path,
    told: Callable[[str], object],
) -> Sequence[Held]:
    """Start every holding's process, wait, look at each. Raises ContenderError."""
    async with AsyncExitStack() as stack:
        running = []
        for number, holding in enumerate(holdings, start=1):
            told(f"process {number} of {len(holdings)}: {holding.program.name}, {holding.projection}")
            arguments = {
                "kubeconfig": site.plane.kubeconfig,
                "scenario": "pods",
                "namespace": PODS_NAMESPACE,
                "projection": holding.projection,
            }
            cpus = site.place(SHARED)
            contender = await stack.enter_async_context(started(holding.program, arguments, log, cpus))
            await asyncio.sleep(_IDLE_SECONDS)
            idle = contender.usage().resident_bytes
            contender.start()
            await contender.expect("synced", _SYNC_SECONDS)
            running.append((holding, contender, idle))
        for left in range(settle_seconds, 0, -1):
            told(f"{left} s until they are looked at")
            await asyncio.sleep(1)
        found = [Held(holding, idle, contender.usage().resident_bytes) for holding, contender, idle in running]
        for holding, contender, _ in running:
            counted = (await contender.end())["objects"]
            if counted != pods:
                raise ContenderError(f"{holding.program.name}, {holding.projection}: {counted} pods of {pods}")
        return found
