"""A ResourceClaim under our name that was not there when ours was sent: it is read, kept, and told.

Guards let nobody but the operator make one, so it is the operator of another replica, which led until a moment ago.
"""

import asyncio
from pathlib import Path

import pytest

from e2e.plane import Plane
from tests.integration.operator.recording_proxy import recording_proxy
from tests.integration.operator.running import opt_in, pod, running

pytestmark = pytest.mark.plane

OPERATOR = "system:serviceaccount:aim-gpu-system:aim-gpu-operator"


async def test_a_name_that_is_taken_at_the_last_moment_is_looked_at(plane: Plane, tmp_path: Path) -> None:
    asked, gate = asyncio.Event(), asyncio.Event()
    async with (
        recording_proxy(plane) as proxy,
        running(plane, tmp_path, {"a": "SPX/NPS1"}, gpus=1, server=proxy.url) as cluster,
    ):

        def hold(method: str, path: str) -> asyncio.Event | None:
            if method != "POST" or path != cluster.resource_claims_path:
                return None
            asked.set()
            return gate

        proxy.hold = hold
        await cluster.create(cluster.pods_path, pod("late", opt_in()))
        async with asyncio.timeout(30):
            await asked.wait()
        (claim,) = await cluster.claims()
        request = {"name": "any", "exactly": {"deviceClassName": "gpu.amd.com"}}
        theirs = {"metadata": {"name": claim["metadata"]["name"]}, "spec": {"devices": {"requests": [request]}}}
        await asyncio.to_thread(plane.admin.acting_as(OPERATOR).create, cluster.resource_claims_path, theirs)
        gate.set()

        told = await cluster.claim_where(reason="ClaimNameTaken")
        assert "delete it and the pod" in told["status"]["explanation"]
        (kept,) = await cluster.resource_claims()
        assert kept["spec"]["devices"]["requests"][0].keys() == {"name", "exactly"}
        assert not kept["metadata"].get("ownerReferences"), "it is theirs"
        assert (await cluster.get(f"{cluster.pods_path}/late"))["spec"]["schedulingGates"], "nothing was let go"
