"""Scattered models on the real control plane: a plan for a person, and what its approval makes of it."""

from pathlib import Path
from typing import Any

import pytest

from e2e.plane import Plane
from tests.integration.operator.running import AIM, Object, Running, deployment, opt_in, pod, running

pytestmark = pytest.mark.plane

#: A look may have come a moment too early, and the next one is a minute later.
LIMIT = 150.0
WHOLE = {"model": "meta-llama/Llama-3.1-70B-Instruct", "max_model_len": "2048", "max_concurrency": "1"}
"""More than half a GPU."""


def policy() -> Object:
    repartition = {"enabled": True, "approval": "Auto", "cooldown": "1s"}
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUSharingPolicy",
        "metadata": {"name": "all"},
        "spec": {
            "validatedOnly": False,
            "repartition": repartition,
            "defragmentation": {"enabled": True, "after": "0s", "rest": "0s"},
        },
    }


async def _scattered(cluster: Running) -> None:
    """Two models, each alone on its GPU: a third one that held the place beside the first of them is gone."""
    await cluster.create(cluster.pods_path, pod("filler", opt_in()))
    (filler,) = await cluster.all_allocated(1)
    await cluster.create(cluster.deployments_path, deployment("chat", 2, opt_in()))
    await cluster.all_allocated(3)
    await cluster.delete(f"{cluster.pods_path}/filler")

    async def alone() -> bool:
        claims = [each for each in await cluster.claims() if each["metadata"]["uid"] != filler["metadata"]["uid"]]
        return len(claims) == len(await cluster.claims()) and len({device["bdf"] for device in _devices(claims)}) == 2

    await cluster.eventually("each of two models is alone on its GPU", alone)


async def _plan(cluster: Running, phase: str) -> Object:
    async def found() -> Object | None:
        plans = await cluster.items(f"{AIM}/repartitionplans")
        return next((each for each in plans if each.get("status", {}).get("phase") == phase), None)

    plan: Object = await cluster.eventually(f"a plan is {phase}", found, LIMIT)
    return plan


async def test_a_whole_gpu_comes_free_for_a_model_that_waits_once_a_person_approves(
    plane: Plane, tmp_path: Path
) -> None:
    async with running(plane, tmp_path, {"a": "DPX/NPS1"}, gpus=2) as cluster:
        await _scattered(cluster)
        await cluster.create(cluster.deployments_path, deployment("whole", 1, opt_in(**WHOLE)))
        await cluster.claim_where(phase="Pending", reason="NoPartitionFits")
        await cluster.rule(policy())

        plan = await _plan(cluster, "AwaitingApproval")
        gain = plan["spec"]["gain"]
        assert (gain["gpus"], gain["claims"], gain["summary"]) == (1, 1, "1 GPU, 1 claim")
        (mode,) = plan["spec"]["to"]["gpus"]
        assert mode["mode"] == "SPX/NPS1"
        assert plan["status"]["cost"]["evictions"] == 1
        assert "1 pod starts anew" in plan["status"]["cost"]["summary"]
        before = {each["metadata"]["uid"] for each in await cluster.pods()}
        assert all("deletionTimestamp" not in each["metadata"] for each in await cluster.pods())

        path = f"{AIM}/repartitionplans/{plan['metadata']['name']}"
        await cluster.patch(path, {"spec": {"approved": True}})
        await _plan(cluster, "Succeeded")
        claims = await cluster.all_allocated(3, LIMIT)
        assert {d["mode"] for d in _devices(claims)} == {"SPX/NPS1", "DPX/NPS1"}
        small = [device["bdf"] for device in _devices(claims) if device["mode"] == "DPX/NPS1"]
        assert len(small) == 2
        assert len(set(small)) == 1
        left = before - {each["metadata"]["uid"] for each in await cluster.pods()}
        assert len(left) == 1


def _devices(claims: list[Object]) -> list[dict[str, Any]]:
    return [device for claim in claims for device in claim["status"]["allocation"]["devices"]]
