"""The scenario of `make run` with two replicas of the operator, whose leader is killed again and again.

Most of the dead leaders' leases are given back by the test, as their holders would have done at a clean stop: the next
one leads at once, in the middle of what was left behind. The others are waited out.
"""

import asyncio
import http.client
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from e2e.plane import AdminError, Plane
from e2e.run.expectation import Expectation, expectation
from e2e.run.install import CRD_FILES, ROOT, SYSTEM_NAMESPACE, add_gpu_nodes, apply_objects, install
from e2e.run.observer import Observer, observe
from e2e.run.processes import Operators, Worker, start_agents, start_operators, wait_for_heartbeats
from e2e.run.report import faults
from e2e.run.services import services, unfulfilled
from e2e.run.settling import Settling
from e2e.run.world import lives
from tests.integration.operator.warm_start import WarmProcesses

pytestmark = [pytest.mark.plane, pytest.mark.timeout(420)]

KILLS = 20
WAITED_OUT = 2
LEASE = ("--lease-duration", "8", "--renew-deadline", "6", "--retry-period", "0.4")
_LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases/aim-gpu-operator"
_LEADS_WITHIN_SECONDS = 30.0
_SETTLES_WITHIN_SECONDS = 90.0


@dataclass
class Scene:
    """What the test kills and looks at."""

    plane: Plane
    operators: Operators
    observer: Observer
    wanted: Expectation
    rng: Random
    killed: list[str] = field(default_factory=list)

    async def leader(self) -> tuple[str, Worker]:
        """Who holds the lease, once it is none of the dead, and its process."""
        deadline = time.monotonic() + _LEADS_WITHIN_SECONDS
        while (holder := await asyncio.to_thread(self._holder)) in {"", *self.killed}:
            assert time.monotonic() < deadline, f"nobody leads within {_LEADS_WITHIN_SECONDS:.0f} s"
            await asyncio.sleep(0.05)
        (worker,) = (one for one in self.operators.workers if holder.startswith(f"{one.name}_"))
        return holder, worker

    def _holder(self) -> str:
        lease = self.plane.admin.find(_LEASE)
        return str(lease["spec"].get("holderIdentity") or "") if lease else ""

    async def disturb(self) -> None:
        """Take away a few pods that hold partitions: their successors are to be held, placed and bound."""
        running = [pod for pod in self.observer.world.pods if lives(pod)]
        for pod in self.rng.sample(running, k=min(3, len(running))):
            metadata = pod["metadata"]
            path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
            await asyncio.to_thread(self.plane.admin.delete, path)

    async def kill_leader(self) -> None:
        """Kill the leader in the middle of its work, and give it another life as a standby."""
        holder, worker = await self.leader()
        await self.disturb()
        await asyncio.sleep(self.rng.uniform(0.0, 0.4))
        self.operators.check()
        await worker.kill(signal.SIGKILL)
        assert await asyncio.to_thread(self._holder) == holder, "whoever was killed led until then"
        self.killed.append(holder)
        if len(self.killed) % (KILLS // WAITED_OUT):
            await asyncio.to_thread(self._give_back, holder)
        if not isinstance(worker._processes, WarmProcesses):
            worker._processes.stop()
            worker._processes = WarmProcesses()
        await self.operators.start(worker)

    def _give_back(self, holder: str) -> None:
        place = "/spec/holderIdentity"
        patch = [{"op": "test", "path": place, "value": holder}, {"op": "replace", "path": place, "value": ""}]
        try:
            self.plane.admin.patch(_LEASE, patch)
        except AdminError as error:
            if error.status != http.client.UNPROCESSABLE_ENTITY:  # else it has run out meanwhile, and another leads
                raise

    async def settle(self) -> list[str]:
        """What is not as expected at the end; empty when all is, and stays so."""
        settling = Settling(started=time.monotonic())
        while time.monotonic() - settling.started < _SETTLES_WITHIN_SECONDS:
            missing = unfulfilled(services(self.observer.world), self.wanted.wishes)
            if settling.look(time.monotonic(), as_expected=not missing):
                return []
            await asyncio.sleep(0.2)
        return missing or ["not steady"]


async def test_twenty_leaders_killed_during_the_scenario(tmp_path: Path) -> None:
    wanted = expectation(ROOT / "examples")
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(Plane(manifests=CRD_FILES))
        await asyncio.to_thread(install, plane)
        await asyncio.to_thread(add_gpu_nodes, plane, wanted.modes)
        operators = await stack.enter_async_context(start_operators(plane, tmp_path, arguments=LEASE))
        await stack.enter_async_context(
            start_agents(plane, tmp_path, wanted.modes, arguments=("--heartbeat-seconds", "1"))
        )
        await asyncio.to_thread(wait_for_heartbeats, plane, wanted.modes)
        observer = await stack.enter_async_context(observe(plane))
        await asyncio.to_thread(apply_objects, plane, wanted.objects)
        scene = Scene(plane, operators, observer, wanted, Random(20))
        for _ in range(KILLS):
            await scene.kill_leader()
        assert await scene.settle() == []
        operators.check()
        assert faults(observer.world, observer.double_allocations) == []
        assert len(set(scene.killed)) == KILLS
        assert len({holder.partition("_")[0] for holder in scene.killed}) == 2, "both replicas have led"
        print(f"\n{KILLS} leaders killed: {scene.killed}")
