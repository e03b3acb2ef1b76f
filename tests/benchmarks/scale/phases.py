"""One phase of a run: how long it took, who computed, what was asked of the API server, what the operator took."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.benchmarks.binding.processors import OPERATOR, Spent, between, resident_mib, spent
from tests.benchmarks.binding.processors import processes as of_plane
from tests.benchmarks.scale.cluster import Scene
from tests.benchmarks.scale.readings import Depths, peak_mib
from tests.benchmarks.scale.requests import Part, all_answered

AGENT = "agent"


@dataclass(slots=True)
class Phase:
    """What was measured. `pods`: how many came, or went. `complete`: whether all did, in time.

    `requests`: of everybody; `audit`: where the operator's stand. MiB are the operator's, when the phase ended.
    """

    name: str
    pods: int
    complete: bool = False
    spent: Spent = field(default_factory=lambda: Spent(0.0, {}))
    requests: Counter[str] = field(default_factory=Counter)
    audit: Part = field(default_factory=lambda: Part(0, 0))
    mib: float = 0.0
    peak_mib: float = 0.0
    deepest: Mapping[str, int] = field(default_factory=dict)

    @property
    def operator_ms_a_pod(self) -> float:
        """Processor milliseconds of the operator for each pod."""
        return self.spent.a_pod(self.pods)[OPERATOR]


def processes(scene: Scene) -> dict[str, int]:
    """Process ids by name."""
    return of_plane(scene.plane) | {OPERATOR: scene.operator.pid, AGENT: scene.agent.pid}


@asynccontextmanager
async def phase(scene: Scene, name: str, pods: int) -> AsyncIterator[Phase]:
    """Measure what the block does, by one operator; the block says whether it was complete."""
    found = Phase(name, pods)
    answered, began_at = await asyncio.to_thread(all_answered, scene.plane), scene.plane.audit_log.stat().st_size
    pids, depths = processes(scene), Depths(scene.operator)
    before, since = spent(pids), time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(depths.run(), name="depths of the operator's queues")
        try:
            yield found
        finally:
            looking.cancel()
    found.spent = between(before, spent(pids), time.monotonic() - since)
    found.audit = Part(began_at, scene.plane.audit_log.stat().st_size)
    found.requests = await asyncio.to_thread(all_answered, scene.plane) - answered
    found.mib, found.peak_mib = resident_mib(pids[OPERATOR]), peak_mib(pids[OPERATOR])
    found.deepest = dict(depths.deepest)
