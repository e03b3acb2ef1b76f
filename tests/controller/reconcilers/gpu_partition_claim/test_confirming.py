from typing import Any

import pytest

from api.group import ASSIGNED_PARTITION
from controller.reconcilers.gpu_partition_claim.repair import PATIENCE_SECONDS
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from tests.builders.gpu import bdf, device_name, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.gpu_partition_claim.api import MOVED_ON, InMemoryApi, refusing
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock

OWNER = {
    "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "uid": "rs-1", "controller": True, "apiVersion": "v1"}]
}


@pytest.fixture
async def bound(api: InMemoryApi, operator: Operator, clock: FakeClock) -> Operator:
    """The pod is bound to the first partition, somebody else gets the device, and the scheduler's time is over."""
    await operator.round()
    foreign(api, 0)
    clock.tick(PATIENCE_SECONDS + 1)
    return operator


def foreign(api: InMemoryApi, index: int) -> None:
    api.put(RESOURCE_CLAIMS, resource_claim(f"theirs-{index}", device=device_name(0, index), owner_uid=None))


def status(api: InMemoryApi) -> dict[str, Any]:
    (claim,) = api.of(GPU_PARTITION_CLAIMS)
    found: dict[str, Any] = claim["status"]
    return found


def pin(api: InMemoryApi) -> str:
    made = api.objects["resourceclaims", "team-a", "aim-a"]
    (request,) = made["spec"]["devices"]["requests"]
    return str(request["exactly"]["selectors"][0]["cel"]["expression"])


def own_pod(api: InMemoryApi) -> None:
    (stored,) = api.of(PODS)
    api.put(PODS, stored | {"metadata": stored["metadata"] | OWNER})


async def test_a_taken_device_is_replaced_by_another_of_the_node(api: InMemoryApi, bound: Operator) -> None:
    for _ in range(3):
        await bound.round()
    device = status(api)["allocation"]["devices"][0]
    assert (device["partition"], status(api)["rebinds"], status(api)["phase"]) == (1, 1, "Bound")
    assert ".renderIndex == 129" in pin(api)
    assert ("Warning", "PartitionRebound") in bound.told
    assert api.writes.count("delete resourceclaims") == 1


async def test_what_the_containers_will_read_follows_the_new_pin_before_the_pod_can_start(
    api: InMemoryApi, bound: Operator
) -> None:
    before = len(api.writes)
    for _ in range(3):
        await bound.round()
    (stored,) = api.of(PODS)
    assert stored["metadata"]["annotations"][ASSIGNED_PARTITION] == f"{bdf(0)}/1 CPX/NPS4"
    assert api.writes[before:] == [
        "replace gpupartitionclaims",
        "delete resourceclaims",
        "patch pods",
        "create resourceclaims",
    ]


async def test_a_pod_that_moves_on_meanwhile_is_read_again_first(api: InMemoryApi, bound: Operator) -> None:
    api.before_write = refusing("patch pods", MOVED_ON, 2)
    for _ in range(2):
        await bound.round()
    assert ("resourceclaims", "team-a", "aim-a") not in api.objects
    for _ in range(2):
        await bound.round()
    assert api.of(PODS)[0]["metadata"]["annotations"][ASSIGNED_PARTITION] == f"{bdf(0)}/1 CPX/NPS4"
    assert ".renderIndex == 129" in pin(api)


async def test_patience_begins_anew_with_the_new_pin(api: InMemoryApi, bound: Operator, clock: FakeClock) -> None:
    for _ in range(3):
        await bound.round()
    foreign(api, 1)
    await bound.round()
    assert status(api)["rebinds"] == 1
    clock.tick(PATIENCE_SECONDS + 1)
    for _ in range(3):
        await bound.round()
    assert status(api)["rebinds"] == 2


async def test_with_none_left_an_owned_pod_is_deleted_for_its_successor(api: InMemoryApi, bound: Operator) -> None:
    own_pod(api)
    for index in range(8):
        foreign(api, index)
    await bound.round()
    assert api.of(PODS) == []
    assert ("Warning", "PodReplaced") in bound.told


async def test_with_none_left_and_no_owner_a_person_is_told(api: InMemoryApi, bound: Operator) -> None:
    for index in range(8):
        foreign(api, index)
    await bound.round()
    conditions = {c["type"]: c for c in status(api)["conditions"]}
    assert (conditions["Stuck"]["status"], conditions["Stuck"]["reason"]) == ("True", "DeviceTaken")
    assert "delete the pod" in conditions["Stuck"]["message"]
    assert len(api.of(PODS)) == 1


async def test_stuck_ends_when_a_partition_is_free_again(api: InMemoryApi, bound: Operator) -> None:
    for index in range(8):
        foreign(api, index)
    await bound.round()
    del api.objects["resourceclaims", "team-a", "theirs-5"]
    for _ in range(3):
        await bound.round()
    assert status(api)["allocation"]["devices"][0]["partition"] == 5
    assert "Stuck" not in {c["type"] for c in status(api)["conditions"]}


async def test_nothing_is_done_while_the_device_is_ours_to_wait_for(api: InMemoryApi, operator: Operator) -> None:
    await operator.round()
    settled = list(api.writes)
    operator.fed.clock.tick(PATIENCE_SECONDS * 3)
    api.put(GPU_NODES, gpu_node("worker-0", gpu(0)))
    for _ in range(3):
        await operator.round()
    assert api.writes == settled
