"""The scenario of `make run` with two replicas of the operator, whose leader is killed again and again."""

import asyncio
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from e2e.plane import Plane
from e2e.run.expectation import Expectation, expectation
from e2e.run.install import CRD_FILES, ROOT, add_gpu_nodes, apply_objects, install
from e2e.run.observer import Observer, observe
from e2e.run.processes import Operators, Worker, start_agents, start_operators, wait_for_heartbeats
from e2e.run.report import faults
from e2e.run.services import services, unfulfilled
from e2e.run.settling import Settling
from e2e.run.world import lives

pytestmark = [pytest.mark.plane, pytest.mark.timeout(420)]

KILLS = 20
FAST_LEASE = ("--lease-duration", "3", "--renew-deadline", "2", "--retry-period", "0.4")
_LEADS_WITHIN_SECONDS = 20.0
_SETTLES_WITHIN_SECONDS = 90.0


@dataclass
class Scene:
    """What the test kills and looks at."""

    plane: Plane
    operators: Operators
    observer: Observer
    wanted: Expectation
    rng: Random

    async def leader(self) -> Worker:
        """The leading replica, waited for."""
        deadline = time.monotonic() + _LEADS_WITHIN_SECONDS
        while (leader := await asyncio.to_thread(self.operators.leader)) is None:
            assert time.monotonic() < deadline, f"nobody leads within {_LEADS_WITHIN_SECONDS:.0f} s"
            await asyncio.sleep(0.05)
        return leader

    async def disturb(self) -> None:
        """Take away a few pods that hold partitions: their successors are to be held, placed and bound."""
        running = [pod for pod in self.observer.world.pods if lives(pod)]
        for pod in self.rng.sample(running, k=min(3, len(running))):
            metadata = pod["metadata"]
            path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
            await asyncio.to_thread(self.plane.admin.delete, path)

    async def kill_leader(self) -> Worker:
        """Kill the leader in the middle of its work, and give it another life as a standby."""
        leader = await self.leader()
        await self.disturb()
        await asyncio.sleep(self.rng.uniform(0.0, 0.4))
        await leader.kill(signal.SIGKILL)
        await self.operators.start(leader)
        return leader

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
        operators = await stack.enter_async_context(start_operators(plane, tmp_path, arguments=FAST_LEASE))
        await stack.enter_async_context(
            start_agents(plane, tmp_path, wanted.modes, arguments=("--heartbeat-seconds", "1"))
        )
        await asyncio.to_thread(wait_for_heartbeats, plane, wanted.modes)
        observer = await stack.enter_async_context(observe(plane))
        await asyncio.to_thread(apply_objects, plane, wanted.objects)
        scene = Scene(plane, operators, observer, wanted, Random(20))
        killed = [(await scene.kill_leader()).name for _ in range(KILLS)]
        assert await scene.settle() == []
        operators.check()
        assert faults(observer.world, observer.double_allocations) == []
        assert len(killed) == KILLS
        assert len(set(killed)) == 2, "both replicas have led"
        print(f"\n{KILLS} leaders killed: {killed}")
