"""A pod of several partitions on the real control plane: one ResourceClaim, allocated whole by the real scheduler."""

from pathlib import Path

import pytest

from e2e.plane import Plane
from tests.integration.operator.running import Object, running, service

pytestmark = pytest.mark.plane

TWO = {"partition": {"count": 2}}


async def test_a_service_of_two_partitions_gets_two_of_one_gpu(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}, gpus=2) as cluster:
        await cluster.create(cluster.services_path, service("chat", gpuSharing=TWO))
        (claim,) = await cluster.all_allocated(1)
        devices = claim["status"]["allocation"]["devices"]
        assert len({device["bdf"] for device in devices}) == 1
        assert len({device["partition"] for device in devices}) == 2
        (resource_claim,) = await cluster.resource_claims()
        results = resource_claim["status"]["allocation"]["devices"]["results"]
        assert {result["device"] for result in results} == {device["device"] for device in devices}

        async def ready() -> Object | None:
            found = await cluster.get(f"{cluster.services_path}/chat")
            conditions = {c["type"]: c["status"] for c in found.get("status", {}).get("conditions", ())}
            return found if conditions.get("Ready") == "True" else None

        found = await cluster.eventually("the service is Ready", ready)
        assert found["status"]["sizing"]["totalBytes"] <= min(device["bytes"] for device in devices)
        (one,) = await cluster.pods()
        told = one["metadata"]["annotations"]
        assert '"tensor-parallel-size":2' in told["aim.amd.com/engine-args"]
        assert told["aim.amd.com/assigned-partition"].count(devices[0]["bdf"]) == 2
