"""The operator is killed right after each of its writes and started again: the same end, every time."""

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from e2e.plane import Plane
from e2e.run.errors import ProcessDied
from tests.integration.operator.recording_proxy import RecordingProxy, Write, recording_proxy
from tests.integration.operator.running import AIM, Object, Running, deployment, opt_in, running, service
from tests.integration.operator.test_mode_change import policy

pytestmark = [pytest.mark.plane, pytest.mark.timeout(900)]

KILLS_A_RUN = 8
"""Of one run of the scenario; the points of a run are as far apart as they can be."""
LEAST_SHARE = 0.8
"""Of the writes of a run without kills, after each of which there is a kill: what is merged into one comes less often."""


def _of_the_flow(write: Write) -> bool:
    """Writes that took effect, without Events and the webhook's registration, which each start repeats."""
    return write.took_effect and "/events" not in write.path and "/mutatingwebhookconfigurations/" not in write.path


@dataclass
class Killer:
    """Kills the operator after chosen writes of the flow, before it hears that the write was made; starts it again."""

    proxy: RecordingProxy
    cluster: Running
    killed: list[Write] = field(default_factory=list)

    def arm(self, *points: int) -> None:
        """Count from here, and kill after the writes of these numbers; without any only count."""
        self.seen: list[Write] = []
        self._dead = asyncio.Event()

        def after(write: Write) -> None:
            if not _of_the_flow(write):
                return
            self.seen.append(write)
            if len(self.seen) in points:
                self.killed.append(write)
                self._dead.set()
                os.kill(self.cluster.operator.pid, signal.SIGKILL)

        self.proxy.after = after

    async def revive(self) -> None:
        """Start the operator again at once after each kill, until cancelled."""
        while True:
            await self._dead.wait()
            await self.cluster.operator.kill()
            self._dead.clear()
            try:
                await self.cluster.operator.start()
            except ProcessDied:
                if not self._dead.is_set():  # else it wrote, and was killed, before it said that it was ready
                    raise

    async def rest(self) -> None:
        """Kill no more, and leave the operator alive: a kill may have come with the very last write."""
        self.proxy.after = lambda _write: None
        operator = self.cluster.operator
        if self._dead.is_set() or not operator.alive:
            await operator.kill()
            await operator.start()
        await operator.wait_until("/readyz")


async def _unsettled(cluster: Running, mode: str) -> list[str]:
    """What is missing from the end that every run must reach; empty when it is reached."""
    pods, claims = await cluster.pods(), await cluster.claims()
    plans = await cluster.items(f"{AIM}/repartitionplans")
    node = await cluster.get(f"{AIM}/gpunodes/{cluster.names['a']}")
    found = await cluster.get(f"{cluster.services_path}/served")
    conditions = {c["type"]: c["status"] for c in found.get("status", {}).get("conditions", ())}
    phases = [claim.get("status", {}).get("phase") for claim in claims]
    running_pods = [one["metadata"]["name"] for one in pods if one["status"]["phase"] == "Running"]
    modes = [c["status"]["allocation"]["devices"][0]["mode"] for c in claims if "allocation" in c.get("status", {})]
    wanted = {
        "three pods run": len(pods) == len(running_pods) == 3,
        f"three claims are Allocated, not {phases}": phases == ["Allocated"] * 3,
        f"one plan Succeeded, not {[plan.get('status', {}) for plan in plans]}": [
            plan.get("status", {}).get("phase") for plan in plans
        ]
        == ["Succeeded"],
        f"the service is Ready, not {conditions}": conditions.get("Ready") == "True",
        "the node has no operation": "operation" not in node["spec"],
        f"a claim in {mode} among {modes}": mode in modes,
    }
    return [text for text, holds in wanted.items() if not holds]


def _assert_consistent(pods: list[Object], claims: list[Object], resource_claims: list[Object]) -> None:
    devices = {}
    for held in resource_claims:
        (result,) = held["status"]["allocation"]["devices"]["results"]
        (user,) = held["status"]["reservedFor"]
        devices[user["uid"]] = result["device"]
    assert len(set(devices.values())) == len(pods)
    by_pod = {c["spec"]["podRef"]["uid"]: c["status"]["allocation"]["devices"][0]["device"] for c in claims}
    assert by_pod == devices


async def _absent_mode(cluster: Running) -> str:
    """A mode that no GPU of the node is in, so that asking for it needs a change."""
    node = await cluster.get(f"{AIM}/gpunodes/{cluster.names['a']}")
    present = {gpu["mode"] for gpu in node["status"]["gpus"]}
    return next(mode for mode in ("QPX/NPS1", "DPX/NPS1", "SPX/NPS1") if mode not in present)


async def _scenario(cluster: Running, killer: Killer, mode: str) -> None:
    """Two entries and a mode change, until settled; then all of it taken away, until nothing is left."""
    await cluster.create(cluster.deployments_path, deployment("plain", 1, opt_in()))
    await cluster.create(cluster.services_path, service("served"))
    await cluster.create(cluster.deployments_path, deployment("wants", 1, opt_in(partition_mode=mode)))

    missing: list[str] = []

    async def settled() -> bool:
        missing[:] = await _unsettled(cluster, mode)
        return not missing

    try:
        await cluster.eventually("the scenario settles", settled, 60.0)
    except AssertionError as error:
        raise AssertionError(f"killed after {killer.killed[-KILLS_A_RUN:]}: missing {missing}") from error
    _assert_consistent(await cluster.pods(), await cluster.claims(), await cluster.resource_claims())
    for path in (cluster.deployments_path, cluster.services_path):
        for obj in await cluster.items(path):
            await cluster.delete(f"{path}/{obj['metadata']['name']}")

    async def nothing_left() -> bool:
        return not (await cluster.pods() or await cluster.claims() or await cluster.resource_claims())

    await cluster.eventually("nothing is left", nothing_left, 60.0)
    for plan in await cluster.items(f"{AIM}/repartitionplans"):
        await cluster.delete(f"{AIM}/repartitionplans/{plan['metadata']['name']}")


async def _killed_at(cluster: Running, killer: Killer, points: Sequence[int]) -> None:
    killer.arm(*points)
    async with asyncio.TaskGroup() as tasks:
        reviving = tasks.create_task(killer.revive())
        try:
            await _scenario(cluster, killer, await _absent_mode(cluster))
        finally:
            reviving.cancel()
    await killer.rest()


async def test_killed_after_each_write(plane: Plane, tmp_path: Path) -> None:
    # A started operator trusts an inventory once its agent was heard of: agents that are heard often save waiting.
    often = ("--heartbeat-seconds", "0.2")
    async with (
        recording_proxy(plane) as proxy,
        running(
            plane, tmp_path, {"a": "CPX/NPS1"}, gpus=2, server=proxy.url, time_scale=0.01, agent_arguments=often
        ) as cluster,
    ):
        await cluster.rule(policy(cooldown="1ms", divide="WhenFull"))
        killer = Killer(proxy, cluster)
        await _killed_at(cluster, killer, ())
        writes = len(killer.seen)
        runs = -(-writes // KILLS_A_RUN)
        for first in range(1, runs + 1):
            await _killed_at(cluster, killer, range(first, writes + 1, runs))
        print(f"\n{len(killer.killed)} kill points of {writes} writes in {runs} runs")
        assert len(killer.killed) >= LEAST_SHARE * writes
