"""A rollout on a full cluster, with a strategy that frees nothing by itself: old pods hand over, one at a time."""

from pathlib import Path

import pytest

from e2e.plane import Plane
from tests.integration.operator.allocation_history import AllocationHistory
from tests.integration.operator.running import Object, deployment, opt_in, running

pytestmark = pytest.mark.plane

SURGING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
"""What KServe's Deployments have unless a service says otherwise."""


def _policy(name: str) -> Object:
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUSharingPolicy",
        "metadata": {"name": name},
        "spec": {"rollout": "Handover"},
    }


def _length(pod: Object) -> str:
    return str(pod["metadata"]["annotations"]["aim.amd.com/max-model-len"])


async def test_old_pods_hand_their_partitions_over_to_the_newest_revision(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "DPX/NPS1"}, gpus=1) as cluster:
        made = deployment("chat", 2, opt_in(max_model_len="2048"))
        made["spec"]["strategy"] = SURGING
        await cluster.create(cluster.deployments_path, made)
        await cluster.all_allocated(2)

        async def available() -> bool:
            found = await cluster.get(f"{cluster.deployments_path}/chat")
            return bool(found.get("status", {}).get("availableReplicas", 0) == 2)

        await cluster.eventually("both serve", available)
        history = AllocationHistory(cluster, "chat")
        await history.begin()
        template = {"metadata": {"annotations": opt_in(max_model_len="4096")}}
        await cluster.patch(f"{cluster.deployments_path}/chat", {"spec": {"template": template}})
        await cluster.claim_where(phase="Pending", reason="NoFreePartition")
        assert sorted(map(_length, await cluster.pods())) == ["2048", "2048", "4096"]

        await cluster.rule(_policy("handover"))

        async def rolled_out() -> bool:
            claims = await cluster.claims()
            pods = await cluster.pods()
            status = (await cluster.get(f"{cluster.deployments_path}/chat"))["status"]
            new = len(claims) == len(pods) == 2 and all(_length(each) == "4096" for each in pods)
            return new and status.get("availableReplicas", 0) == status["updatedReplicas"] == 2

        await cluster.eventually("the newest revision serves alone", rolled_out)
        await history.phase("handed over")
        # each old pod's partition is free for a moment, and no other's
        for told in await history.counts():
            assert told == {"handed over": [2, 1, 2, 1, 2]}
