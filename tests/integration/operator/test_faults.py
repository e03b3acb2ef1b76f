"""Parts that are gone for a while: an agent, the API server, the operator; nobody who did not opt in notices."""

import asyncio
import re
from pathlib import Path

import pytest

from e2e.plane import Plane
from e2e.plane.errors import AdminError
from tests.integration.operator.running import Object, Running, deployment, opt_in, pod, running
from tests.integration.operator.short_patience import PROGRAM

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]


async def test_agent_gone_stops_binding_there_and_leaves_running_pods(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}, gpus=1, program=PROGRAM) as cluster:
        await cluster.create(cluster.pods_path, pod("before", opt_in()))
        await cluster.all_allocated(1)
        await cluster.agents.kill()

        async def told() -> bool:
            (claim,) = await cluster.claims()
            return any(one["reason"] == "InventoryStale" for one in claim["status"]["conditions"])

        await cluster.eventually("the inventory is believed no more", told, 60.0)
        await cluster.create(cluster.pods_path, pod("after", opt_in()))
        waiting = await cluster.claim_where(limit=60.0, reason="NoPartitionFits")
        assert "StaleInventory" in waiting["status"]["explanation"]
        assert (await cluster.get(f"{cluster.pods_path}/before"))["status"]["phase"] == "Running"
        await cluster.agents.start()
        await cluster.all_allocated(2, limit=60.0)


async def test_api_server_restarted_under_way(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}, gpus=2) as cluster:
        await cluster.create(cluster.deployments_path, deployment("many", 12, opt_in()))
        await asyncio.to_thread(plane.restart, "kube-apiserver")
        await cluster.all_allocated(12, limit=60.0)
        await cluster.patch(f"{cluster.deployments_path}/many", {"spec": {"replicas": 16}})
        claims = await cluster.all_allocated(16, limit=60.0)
        devices = {claim["status"]["allocation"]["devices"][0]["device"] for claim in claims}
        assert len(devices) == 16


async def test_operator_stopped_others_are_created_as_usual(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}, gpus=1) as cluster:
        port = cluster.operator.ports["webhook"]
        await cluster.operator.kill()
        plain = deployment("plain", 100, {})
        del plain["spec"]["template"]["metadata"]["annotations"]
        await cluster.create(cluster.deployments_path, plain)

        async def hundred() -> bool:
            live = [one for one in await cluster.pods() if one["status"]["phase"] == "Running"]
            return len(live) == 100

        await cluster.eventually("100 pods that did not opt in run", hundred)
        assert not any(one["spec"].get("schedulingGates") for one in await cluster.pods())

        with pytest.raises(AdminError, match=f"https://127.0.0.1:{port}/mutate-pod"):
            await cluster.create(cluster.pods_path, pod("opted-in", opt_in()))
        out = pod("opted-out", {"aim.amd.com/gpu-sharing": "false"})
        assert not (await cluster.create(cluster.pods_path, out))["spec"].get("schedulingGates")

        await cluster.operator.start()
        await cluster.create(cluster.pods_path, pod("opted-in", opt_in()))
        await cluster.all_allocated(1)


def _series(text: str, name: str, **labels: str) -> list[float]:
    """Values of the series of a metric that carry these labels."""
    found = []
    for line in text.splitlines():
        matched = re.fullmatch(rf"{name}\{{(.*)\}} (\S+)", line)
        if matched and all(f'{key}="{value}"' in matched[1] for key, value in labels.items()):
            found.append(float(matched[2]))
    return found


async def test_metrics_follow_the_bound_pod(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "DPX/NPS1"}, gpus=1) as cluster:
        node = cluster.names["a"]
        memory, busy = "aim_gpu_partition_memory_bytes", "aim_gpu_partition_utilization"
        before = await cluster.metrics(cluster.agents)
        assert _series(before, memory, node=node, type="used") == [0.0, 0.0]
        assert _series(before, busy, node=node) == [0.0, 0.0]
        assert len(_series(before, memory, node=node, type="total")) == 2

        await cluster.create(cluster.pods_path, pod("holds", opt_in()))
        (claim,) = await cluster.all_allocated(1)
        partition = str(claim["status"]["allocation"]["devices"][0]["partition"])

        async def used() -> list[float] | None:
            text = await cluster.metrics(cluster.agents)
            values = _series(text, memory, node=node, type="used", partition=partition)
            return values if values and values[0] > 0 else None

        (value,) = await cluster.eventually("the held partition is used", used)
        assert value == _requirement(claim)
        text = await cluster.metrics(cluster.agents)
        assert 0 < _series(text, busy, node=node, partition=partition)[0] <= 1
        operator = await cluster.metrics(cluster.operator)
        for operation in ("admit", "place", "bind", "confirm"):
            counted = _series(operator, "aim_scheduler_operations_total", operation=operation, result="success")
            assert counted == [1.0], operation
        await cluster.delete(f"{cluster.pods_path}/holds")

        async def free() -> bool:
            values = _series(await cluster.metrics(cluster.agents), memory, node=node, type="used")
            return values == [0.0, 0.0]

        await cluster.eventually("the partition is free again", free)


def _requirement(claim: Object) -> int:
    from api.quantity import parse_quantity

    return parse_quantity(claim["spec"]["requirement"]["memory"])


async def test_health_tells_the_truth(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}, gpus=1) as cluster:
        assert await _status(cluster, "/healthz") == await _status(cluster, "/readyz") == 200
        await cluster.delete(f"/apis/aim.amd.com/v1beta1/gpunodes/{cluster.names['a']}")

        async def reported_again() -> bool:
            found = await cluster.find(f"/apis/aim.amd.com/v1beta1/gpunodes/{cluster.names['a']}")
            return bool(found and found.get("status", {}).get("gpus"))

        await cluster.eventually("a deleted GPUNode is made and reported again", reported_again)


async def _status(cluster: Running, path: str) -> int:
    import aiohttp

    url = f"http://127.0.0.1:{cluster.operator.ports['health']}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status


async def test_deleted_records_come_back(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}, gpus=1) as cluster:
        await cluster.create(cluster.pods_path, pod("runs", opt_in()))
        (before,) = await cluster.all_allocated(1)
        await cluster.delete(f"{cluster.claims_path}/{before['metadata']['name']}")

        async def again() -> Object | None:
            for claim in await cluster.claims():
                if claim["metadata"]["uid"] != before["metadata"]["uid"] and claim.get("status", {}).get("allocation"):
                    return claim
            return None

        after = await cluster.eventually("the claim of a running pod is made again", again)
        assert after["status"]["phase"] == "Allocated"
        assert after["status"]["allocation"] == before["status"]["allocation"]
