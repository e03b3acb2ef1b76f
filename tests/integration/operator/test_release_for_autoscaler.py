"""A pod that fits nowhere is let go without a node, and what the scheduler gives it once there is more is recorded."""

import asyncio
from pathlib import Path

import pytest

from e2e.plane import Plane, remove_nodes
from e2e.run.install import add_gpu_nodes
from e2e.run.processes import start_agents
from tests.integration.operator.running import Object, Running, deployment, opt_in, running

pytestmark = pytest.mark.plane

POLICY: Object = {
    "apiVersion": "aim.amd.com/v1beta1",
    "kind": "GPUSharingPolicy",
    "metadata": {"name": "elastic"},
    "spec": {"whenFull": "ReleaseForAutoscaler"},
}


async def _let_go(cluster: Running) -> Object:
    """The pod that was let go, once the scheduler has called it unschedulable, as an autoscaler looks for."""

    async def check() -> Object | None:
        for each in await cluster.pods():
            conditions = {found["type"]: found.get("reason") for found in each["status"].get("conditions", ())}
            gated = each["spec"].get("schedulingGates")
            if not gated and not each["spec"].get("nodeName") and conditions.get("PodScheduled") == "Unschedulable":
                return each
        return None

    found: Object = await cluster.eventually("a pod is let go and unschedulable", check)
    return found


async def _leave(cluster: Running) -> None:
    """No pod is left that a node which is taken away would have to let go."""
    await cluster.delete(f"{cluster.deployments_path}/chat")

    async def gone() -> bool:
        return not await cluster.pods()

    await cluster.eventually("the pods are gone", gone)


async def test_a_pod_that_fits_nowhere_is_seen_by_an_autoscaler_and_bound_when_a_node_comes(
    plane: Plane, tmp_path: Path
) -> None:
    async with running(plane, tmp_path, {"a": "DPX/NPS1"}, gpus=1) as cluster:
        await cluster.rule(POLICY)
        await cluster.create(cluster.deployments_path, deployment("chat", 3, opt_in()))
        waiting = await _let_go(cluster)
        assert "kubernetes.io/hostname" not in waiting["spec"].get("nodeSelector", {})
        told = waiting["metadata"]["annotations"]
        assert told["aim.amd.com/assigned-partition"] == "MI300X DPX/NPS1"
        assert "aim.amd.com/assigned-node" not in told

        name = f"{cluster.names['a']}-new"
        await asyncio.to_thread(add_gpu_nodes, plane, [name])
        (tmp_path / "new").mkdir()
        try:
            agent = ("--gpus", "1", "--heartbeat-seconds", "1")
            async with start_agents(plane, tmp_path / "new", {name: "DPX/NPS1"}, arguments=agent):
                claims = await cluster.all_allocated(3)
                (mine,) = [each for each in claims if each["status"]["allocation"]["node"] == name]
                assert mine["spec"]["podRef"]["name"] == waiting["metadata"]["name"]
                assert "released" not in mine["status"]
                devices = [
                    (each["status"]["allocation"]["node"], device["device"])
                    for each in claims
                    for device in each["status"]["allocation"]["devices"]
                ]
                assert len(set(devices)) == 3
                now = (await cluster.get(f"{cluster.pods_path}/{waiting['metadata']['name']}"))["metadata"]
                assert now["annotations"]["aim.amd.com/assigned-node"] == name
                assert now["annotations"]["aim.amd.com/engine-args"] == told["aim.amd.com/engine-args"]
        finally:
            await _leave(cluster)
            await asyncio.to_thread(remove_nodes, plane, [name])
