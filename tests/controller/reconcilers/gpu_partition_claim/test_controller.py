from typing import Any

import pytest

from api.group import ASSIGNED_NODE, ASSIGNED_PARTITION, ENGINE_ARGS
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.runtime.client.errors import Unavailable
from controller.state.kinds import GPU_PARTITION_CLAIMS
from tests.builders.gpu import bdf, device_name
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock

FLOW = ["create gpupartitionclaims", "replace gpupartitionclaims", "create resourceclaims", "patch pods"]


class Killed(BaseException):
    """The process ends here."""


def the_claim(api: InMemoryApi) -> dict[str, Any]:
    (claim,) = api.of(GPU_PARTITION_CLAIMS)
    return claim


def the_pod(api: InMemoryApi) -> dict[str, Any]:
    (pod,) = api.of(PODS)
    return pod


def scheduler_allocates(api: InMemoryApi, device: str | None = None) -> None:
    """The real scheduler's part: the pod's ResourceClaim gets a device, the pinned one unless said otherwise."""
    (made,) = api.of(RESOURCE_CLAIMS)
    pinned = the_claim(api)["status"]["allocation"]["devices"][0]["device"]
    given = resource_claim(device=device or pinned)["status"]
    api.put(RESOURCE_CLAIMS, made | {"status": given})


async def test_a_gated_pod_is_sized_placed_pinned_and_let_go(api: InMemoryApi, operator: Operator) -> None:
    await operator.round()
    assert api.writes == FLOW
    pod, status = the_pod(api), the_claim(api)["status"]
    assert status["phase"] == "Bound"
    assert pod["spec"]["schedulingGates"] == []
    assert pod["spec"]["nodeSelector"] == {"kubernetes.io/hostname": "worker-0"}
    annotations = pod["metadata"]["annotations"]
    assert annotations[ASSIGNED_NODE] == "worker-0"
    assert annotations[ASSIGNED_PARTITION] == f"{bdf(0)}/0 CPX/NPS4"
    assert '"max-model-len":8192' in annotations[ENGINE_ARGS]
    assert operator.told == [("Normal", "PartitionBound")]


async def test_the_schedulers_word_makes_it_allocated(api: InMemoryApi, operator: Operator) -> None:
    await operator.round()
    scheduler_allocates(api)
    await operator.round()
    assert the_claim(api)["status"]["phase"] == "Allocated"
    settled = list(api.writes)
    await operator.round()
    assert api.writes == settled == [*FLOW, "replace gpupartitionclaims"]


async def test_another_device_than_the_pinned_one_is_reported(api: InMemoryApi, operator: Operator) -> None:
    await operator.round()
    scheduler_allocates(api, device_name(0, 5))
    await operator.round()
    conditions = {c["type"]: c for c in the_claim(api)["status"]["conditions"]}
    assert conditions["Allocated"]["reason"] == "DeviceMismatch"
    assert ("confirm", "mismatch") in operator.counted


async def test_a_pod_that_is_gone_takes_its_claim_along(api: InMemoryApi, operator: Operator) -> None:
    await operator.round()
    await api.delete(PODS, "model-0", "team-a")
    await operator.round()
    assert api.of(GPU_PARTITION_CLAIMS) == []
    assert len(operator.cluster.assumptions) == 0


async def test_a_pod_that_ended_frees_its_partition(api: InMemoryApi, operator: Operator) -> None:
    await operator.round()
    api.put(PODS, the_pod(api) | {"status": {"phase": "Succeeded"}})
    await operator.round()
    operator.show()
    assert the_claim(api)["status"]["phase"] == "Released"
    assert all(part.holder is None for _, _, part in operator.cluster.snapshot().partitions())


async def test_a_pod_of_the_same_name_is_another_pod(api: InMemoryApi, operator: Operator) -> None:
    await operator.round()
    successor = the_pod(api)
    api.put(PODS, successor | {"metadata": {**successor["metadata"], "uid": "uid-successor"}})
    await operator.round()
    assert api.of(GPU_PARTITION_CLAIMS) == []


async def ends_well(api: InMemoryApi, operator: Operator) -> None:
    for _ in range(5):
        await operator.round()
    assert the_claim(api)["status"]["phase"] == "Bound"
    assert the_pod(api)["spec"]["schedulingGates"] == []
    assert len(api.of(RESOURCE_CLAIMS)) == 1
    assert len(operator.cluster.assumptions) == 0


@pytest.mark.parametrize("number", range(1, 5), ids=[f"after {write}" for write in FLOW])
async def test_killed_after_a_write_the_next_one_goes_on(api: InMemoryApi, clock: FakeClock, number: int) -> None:
    def kill(_: str) -> None:
        if len(api.writes) == number:
            raise Killed

    first = Operator(api, clock)
    api.before_write = kill
    if number < len(FLOW):
        with pytest.raises(Killed):
            await first.round()
    else:
        await first.round()
    api.before_write = lambda _: None
    assert len(api.writes) == number
    await ends_well(api, Operator(api, clock))


@pytest.mark.parametrize("number", range(1, 5), ids=[f"of {write}" for write in FLOW])
async def test_a_lost_answer_changes_nothing(api: InMemoryApi, operator: Operator, number: int) -> None:
    api.lost_answer = number
    await ends_well(api, operator)


@pytest.mark.parametrize("write", sorted(set(FLOW)))
async def test_a_write_that_nobody_answers_is_tried_again(api: InMemoryApi, operator: Operator, write: str) -> None:
    left = [2]

    def fail(text: str) -> None:
        if text == write and left[0]:
            left[0] -= 1
            raise Unavailable(503, "Unavailable", "nobody answers")

    api.before_write = fail
    await ends_well(api, operator)
    assert left == [0]


async def test_an_old_view_of_the_claim_is_not_acted_upon(api: InMemoryApi, operator: Operator) -> None:
    await operator.round()
    settled = list(api.writes)
    for _ in range(3):
        await operator.reconcile()  # the informer still shows the claim as it was before our write
    assert api.writes == settled
