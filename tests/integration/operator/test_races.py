"""A device that somebody else takes between our decision and the scheduler's: another pin, another node, or a word."""

import asyncio
from pathlib import Path

import pytest

from e2e.plane import Plane
from tests.integration.operator.recording_proxy import RecordingProxy, recording_proxy
from tests.integration.operator.running import Object, Running, deployment, opt_in, pod, running
from tests.integration.operator.short_patience import PROGRAM
from tests.integration.operator.test_flow import hold_any_device
from tests.integration.operator.warm_start import warm

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]

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
        if claim["spec"]["podRef"]["name"] == name and claim.get("status", {}).get("phase") == "Allocated":
            return claim
    return None


async def test_lost_races_are_repaired_on_the_node_or_with_a_new_pod_or_told(plane: Plane, tmp_path: Path) -> None:
    """Three at once, since each takes the scheduler's time: another partition is free there, or none and the pod has a
    controller, whose next one goes elsewhere, or none and it has none."""
    async with (
        recording_proxy(plane) as proxy,
        running(
            plane,
            tmp_path,
            {"a": "DPX/NPS1", "b": "SPX/NPS1", "c": "QPX/NPS1", "d": "QPX/NPS1"},
            gpus=1,
            server=proxy.url,
        ) as cluster,
    ):
        for number in range(3):
            await hold_any_device(cluster, f"before{number}", cluster.names["c"])
        # Else the Deployment's pod goes there whenever the heartbeats of c's agent come late, as on a busy machine.
        elsewhere = f"/api/v1/nodes/{cluster.names['d']}"
        await cluster.patch(elsewhere, {"spec": {"unschedulable": True}})
        # It starts after them, and so knows them once it is ready. One that hears of them by watch may give the next pod
        # a device that one of them has: then the race is lost before a thief comes, and the thief gets nothing.
        await warm(cluster.operator, PROGRAM)
        gate = _hold_bind(proxy, cluster)
        await cluster.create(cluster.pods_path, pod("stays", opt_in(partition_mode="DPX/NPS1")))
        await cluster.create(cluster.pods_path, pod("nobodys", opt_in(partition_mode="SPX/NPS1")))
        await cluster.create(cluster.deployments_path, deployment("moves", 1, opt_in(partition_mode="QPX/NPS1")))
        bound = await cluster.eventually("all three are bound", lambda: _bound(cluster, 3))
        moving = next(name for name in bound if name.startswith("moves-"))
        places = {name: bound[name]["status"]["allocation"]["node"] for name in ("stays", "nobodys", moving)}
        assert places == {"stays": cluster.names["a"], "nobodys": cluster.names["b"], moving: cluster.names["c"]}
        for name, node in (("stays", "a"), ("nobodys", "b"), (moving, "c")):
            (device,) = bound[name]["status"]["allocation"]["devices"]
            thief = "thief-" + node
            assert await hold_any_device(cluster, thief, cluster.names[node], _pinned(bound[name])) == device["device"]
        await cluster.patch(elsewhere, {"spec": {"unschedulable": False}})
        gate.set()
        await _pinned_anew(cluster, bound["stays"])
        await _replaced(cluster, moving, cluster.names["d"])
        await _stuck(cluster, "nobodys")
        await cluster.delete(f"{cluster.pods_path}/thief-b")
        await cluster.eventually("its device is free again", lambda: _rebound(cluster, "nobodys"))


async def _bound(cluster: Running, count: int) -> dict[str, Object] | None:
    bound = {c["spec"]["podRef"]["name"]: c for c in await cluster.claims() if c.get("status", {}).get("allocation")}
    return bound if len(bound) == count else None


async def _pinned_anew(cluster: Running, before: Object) -> None:
    """On the same node, to another device."""
    name = before["spec"]["podRef"]["name"]
    claim = await cluster.eventually("the claim is pinned anew", lambda: _rebound(cluster, name), REPAIR_SECONDS)
    was, now = before["status"]["allocation"], claim["status"]["allocation"]
    assert claim["status"]["rebinds"] == 1
    assert now["node"] == was["node"]
    assert now["devices"][0]["device"] != was["devices"][0]["device"]


async def _replaced(cluster: Running, pod_name: str, node: str) -> None:
    async def elsewhere() -> bool:
        names = {one["metadata"]["name"] for one in await cluster.pods()} - {pod_name}
        (successor,) = [name for name in names if name.startswith("moves-")] or [""]
        found = await _rebound(cluster, successor)
        return found is not None and bool(found["status"]["allocation"]["node"] == node)

    await cluster.eventually("the Deployment's next pod has a place on another node", elsewhere, REPAIR_SECONDS)
    assert await cluster.find(f"{cluster.pods_path}/{pod_name}") is None


async def _stuck(cluster: Running, pod_name: str) -> None:
    async def told() -> bool:
        return any(
            condition["type"] == "Stuck" and "delete the pod" in condition["message"]
            for claim in await cluster.claims()
            if claim["spec"]["podRef"]["name"] == pod_name
            for condition in claim.get("status", {}).get("conditions", ())
        )

    await cluster.eventually("the pod of nobody is Stuck, with the remedy", told, REPAIR_SECONDS)
