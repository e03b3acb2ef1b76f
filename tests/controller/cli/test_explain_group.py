"""`aim-gpu explain` of a share group, on a cluster in memory."""

from typing import Any

import pytest

from api.v1beta1 import GPUPartitionClaim
from controller.cli.explain_claim import explain_live
from controller.cli.explain_read import Deciding, claim_document
from controller.cli.explain_view import page
from controller.cli.live_cluster import Live
from controller.placement.scheduler import ModelScheduler
from controller.sizing.catalog import Catalog
from controller.state.models import Models
from tests.builders.claim import bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import GIB, gpu
from tests.controller.cli.explain_scenes import Rights
from tests.controller.reconcilers.share_group.group import KEY, NAME, member

ACCESS = Rights(names=True)
COOPERATIVE = {"memory": "8Gi", "isolation": "cooperative"}


def share(name: str, gib: int, units: str) -> dict[str, Any]:
    return {"pod": {"name": name, "uid": f"uid-{name}"}, "bytes": gib * GIB, "computeUnits": units}


def seen(made: dict[str, Any], *gpus: Any, waiting: tuple[str, ...] = ()) -> tuple[Live, GPUPartitionClaim]:
    """The group's claim with the pods of its shares, and pods that wait."""
    fed = FedCluster()
    fed.add_node("worker-0", *(gpus or (gpu(),)))
    made["spec"] = {"shareGroup": "chat", "requirement": COOPERATIVE}
    fed.put(fed.cluster.claims, made)
    for name in waiting:
        fed.put(fed.cluster.pods, member(name))
    for each in made["status"].get("shares", ()):
        running = member(each["pod"]["name"], gates=(), node="worker-0", phase="Running")
        running["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
        fed.put(fed.cluster.pods, running)
    return Live(fed.cluster, Models(Catalog.bundled())), GPUPartitionClaim.model_validate(made)


def placed(*shares: dict[str, Any]) -> dict[str, Any]:
    made = bound_claim(NAME, phase="Allocated")
    made["status"]["shares"] = list(shares)
    return made


async def text(live: Live, made: GPUPartitionClaim) -> str:
    document = await claim_document(made, Deciding(live, ModelScheduler()), ACCESS)
    return page(
        {"kind": "claim", "namespace": "team-a", "claims": [document], "notes": [], "history": []} | {"name": NAME}, 200
    )


async def test_who_has_which_share_and_what_is_left() -> None:
    told = await text(*seen(placed(share("a", 8, "0-12"), share("b", 4, "13-18"))))
    assert "share group chat: 2 with a share, 0 waiting" in told
    assert "- pod a has 8.0 GiB, compute units 0-12, ready" in told
    assert "- 12.0 GiB and 19 compute units are left" in told


@pytest.mark.parametrize(
    ("taken", "want"),
    [(23, "pod late waits: ShareGroupFull: share group chat leaves 1.0 GiB"), (4, "pod late waits: a share is free")],
)
async def test_why_a_member_has_no_share(taken: int, want: str) -> None:
    live, made = seen(placed(share("a", taken, "0-30")), waiting=("late",))
    assert want in await text(live, made)


async def test_a_group_without_a_partition_is_told_what_would_give_it_one() -> None:
    live, made = seen(claim(NAME), gpu(unhealthy=range(8)), waiting=("a", "b"))
    told = await text(live, made)
    assert "share group chat: 0 with a share, 2 waiting" in told
    assert "NoPartitionFits: none of 8 partitions takes" in told
    assert "Nearest change:" in told


async def test_nothing_is_held_of_the_cluster_by_the_question() -> None:
    live, _ = seen(placed(share("a", 4, "0-5")), waiting=("late",))
    before = await explain_live(live, KEY, ACCESS, ModelScheduler())
    assert await explain_live(live, KEY, ACCESS, ModelScheduler()) == before
