"""A plan whose reason is gone ends at once, and one whose reason the informers do not show yet does not."""

from typing import Any

import pytest

from controller.state.kinds import GPU_SHARING_POLICIES
from tests.builders.claim import claim
from tests.controller.reconcilers.repartition_plan.plane import STATUS_WRITE, Plane, held

CLAIM = {"namespace": "team-a", "name": "aim-big", "uid": "uid-team-a/aim-big"}


async def behind(plane: Plane, informer: str, *older: dict[str, Any]) -> None:
    """The reconciler looks while one informer is behind the API server."""
    plane.show()
    plane.fed.listed(getattr(plane.fed.cluster, informer), *older)
    await plane.look()


async def test_a_plan_whose_claim_is_gone_ends_at_once() -> None:
    plane = Plane(claimRef=CLAIM, approval="Auto")
    await plane.step()
    assert plane.status["phase"] == "Failed"
    assert plane.status["message"] == "claim team-a/aim-big is gone; nothing was changed"


async def test_so_does_one_that_waits_for_a_person() -> None:
    plane = Plane(claimRef=CLAIM)
    plane.waits("big")
    await plane.until("AwaitingApproval")
    del plane.api.objects["gpupartitionclaims", "team-a", "aim-big"]
    await plane.step()
    assert plane.status["phase"] == "Failed"


@pytest.mark.parametrize("informer", ["claims", "gpu_nodes", "policies"])
async def test_what_an_informer_does_not_show_yet_is_waited_for(informer: str) -> None:
    plane = Plane(claimRef=CLAIM, policyRef="shared", approval="Auto")
    plane.policy(repartition={"approval": "Auto"})
    plane.waits("big")
    await behind(plane, informer)
    assert plane.status["phase"] == "Pending"
    behind_it = "node worker-0 has no GPUNode yet" if informer == "gpu_nodes" else "the operator's caches are behind"
    assert plane.status["message"].startswith(f"waits: {behind_it}")
    await plane.until("Applying")


async def test_a_claim_that_lost_its_place_again_has_its_plan() -> None:
    plane = Plane(claimRef=CLAIM, approval="Auto")
    plane.waits("big")
    await behind(plane, "claims", claim("aim-big", pod="big", status=held(1)))
    assert plane.status["phase"] == "Pending"


async def test_what_nobody_understands_is_not_gone() -> None:
    plane = Plane(policyRef="shared", approval="Auto")
    plane.api.put(GPU_SHARING_POLICIES, {"metadata": {"name": "shared"}, "spec": {"repartition": 7}})
    await plane.step()
    assert (plane.status["phase"], plane.api.writes) == ("Pending", [STATUS_WRITE])
    assert "is not understood" in plane.status["message"]


async def test_a_node_that_is_gone_ends_the_plan() -> None:
    plane = Plane(approval="Auto")
    plane.labels = {"aim.amd.com/managed": "false"}
    del plane.api.objects["gpunodes", "", "worker-0"]
    await plane.step()
    assert plane.status["message"].startswith("there is no GPUNode worker-0 (")
