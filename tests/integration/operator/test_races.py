"""A device that somebody else takes between our decision and the scheduler's: another pin, another node, or a word."""

import asyncio
from pathlib import Path

import pytest

from e2e.plane import Plane
from tests.integration.operator.recording_proxy import RecordingProxy, recording_proxy
from tests.integration.operator.running import Object, Running, deployment, opt_in, pod, running
from tests.integration.operator.test_flow import hold_any_device

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]

# The scheduler is given 30 s before a pin is judged.
REPAIR_SECONDS = 60.0


def _hold_bind(proxy: RecordingProxy, cluster: Running) -> asyncio.Event:
    """Hold back the operator's patch of pods until the event is set."""
    gate = asyncio.Event()
    proxy.hold = lambda method, path: gate if method == "PATCH" and path.startswith(cluster.pods_path) else None
    return gate


def _pinned(claim: Object) -> str:
    index = claim["status"]["allocation"]["devices"][0]["renderIndex"]
    return f'device.attributes["gpu.amd.com"].renderIndex == {index}'


async def _rebound(cluster: Running, name: str) -> Object | None:
    for claim in await cluster.claims():
        if claim["spec"]["podRef"]["name"] == name and claim["status"]["phase"] == "Allocated":
            return claim
    return None


async def test_lost_race_is_repaired_on_the_same_node_or_with_a_new_pod(plane: Plane, tmp_path: Path) -> None:
    async with (
        recording_proxy(plane) as proxy,
        running(plane, tmp_path, {"a": "DPX/NPS1", "b": "SPX/NPS1"}, gpus=1, server=proxy.url) as cluster,
    ):
        gate = _hold_bind(proxy, cluster)
        on_a = {"nodeSelector": {"kubernetes.io/hostname": cluster.names["a"]}}
        await cluster.create(cluster.pods_path, pod("stays", opt_in(), **on_a))
        first = await cluster.claim_where(phase="Bound")
        device = first["status"]["allocation"]["devices"][0]["device"]
        taken = await hold_any_device(cluster, "thief", cluster.names["a"], _pinned(first))
        assert taken == device

        gate.set()

        async def moved() -> Object | None:
            return await _rebound(cluster, "stays")

        claim = await cluster.eventually("the claim is pinned anew", moved, REPAIR_SECONDS)
        assert claim["status"]["rebinds"] == 1
        assert claim["status"]["allocation"]["node"] == cluster.names["a"]
        assert claim["status"]["allocation"]["devices"][0]["device"] != device


async def test_lost_race_without_another_partition_replaces_the_pod(plane: Plane, tmp_path: Path) -> None:
    async with (
        recording_proxy(plane) as proxy,
        running(plane, tmp_path, {"a": "QPX/NPS1", "b": "SPX/NPS1"}, gpus=1, server=proxy.url) as cluster,
    ):
        for number in range(3):
            await hold_any_device(cluster, f"before{number}", cluster.names["a"])
        gate = _hold_bind(proxy, cluster)
        await cluster.create(cluster.deployments_path, deployment("moves", 1, opt_in()))
        await cluster.create(cluster.pods_path, pod("nobodys", opt_in(partition_mode="SPX/NPS1")))

        async def both_bound() -> dict[str, Object] | None:
            bound = {
                c["spec"]["podRef"]["name"]: c for c in await cluster.claims() if c.get("status", {}).get("allocation")
            }
            return bound if len(bound) == 2 else None

        bound = await cluster.eventually("both are bound", both_bound)
        first = next(name for name in bound if name != "nobodys")
        assert bound[first]["status"]["allocation"]["node"] == cluster.names["a"]
        await hold_any_device(cluster, "thief-a", cluster.names["a"], _pinned(bound[first]))
        await hold_any_device(cluster, "thief-b", cluster.names["b"], _pinned(bound["nobodys"]))
        gate.set()

        async def replaced() -> bool:
            names = {one["metadata"]["name"] for one in await cluster.pods()}
            return first not in names

        await cluster.eventually("the Deployment's pod is made anew", replaced, REPAIR_SECONDS)
        await cluster.delete(f"{cluster.pods_path}/thief-b")

        async def stuck() -> bool:
            for claim in await cluster.claims():
                for condition in claim.get("status", {}).get("conditions", ()):
                    if condition["type"] == "Stuck" and claim["spec"]["podRef"]["name"] == "nobodys":
                        return "delete the pod" in condition["message"]
            return False

        await cluster.eventually("the pod of nobody is Stuck, with the remedy", stuck, REPAIR_SECONDS)
