"""The flow of a pod whose service asks for two partitions."""

from typing import Any

import pytest

from api.group import ASSIGNED_PARTITION, ENGINE_ARGS, PROFILE_ID
from api.object import dump
from controller.reconcilers.gpu_partition_claim.repair import PATIENCE_SECONDS
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.state.kinds import GPU_PARTITION_CLAIMS
from tests.builders.gpu import bdf, device_name
from tests.builders.inference_service import inference_service
from tests.builders.pod import pod
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock

SERVICE = dump(inference_service(gpuSharing={"partition": {"count": 2}}))


@pytest.fixture
async def bound(api: InMemoryApi, operator: Operator) -> Operator:
    """A pod of a service of two partitions, bound."""
    api.put(PODS, pod(annotations=SMALL, metadata={"labels": {"aim.amd.com/inference-service": "chat"}}))
    operator.fed.put(operator.cluster.services, SERVICE)
    await operator.round()
    return operator


def status(api: InMemoryApi) -> dict[str, Any]:
    (claim,) = api.of(GPU_PARTITION_CLAIMS)
    found: dict[str, Any] = claim["status"]
    return found


def partitions(api: InMemoryApi) -> list[int]:
    return [device["partition"] for device in status(api)["allocation"]["devices"]]


def allocate(api: InMemoryApi, *indices: int) -> None:
    """The scheduler's word on the pod's own ResourceClaim."""
    made = api.objects["resourceclaims", "team-a", "aim-a"]
    given = resource_claim(device=[device_name(0, index) for index in indices])
    api.put(RESOURCE_CLAIMS, made | {"status": given["status"]})


async def test_two_partitions_of_one_gpu_are_bound_and_told(api: InMemoryApi, bound: Operator) -> None:
    assert (partitions(api), status(api)["phase"]) == ([0, 1], "Bound")
    made = api.objects["resourceclaims", "team-a", "aim-a"]
    assert made["spec"]["devices"]["requests"][0]["exactly"]["count"] == 2
    told = api.of(PODS)[0]["metadata"]["annotations"]
    assert told[ASSIGNED_PARTITION] == f"{bdf(0)}/0 CPX/NPS4,{bdf(0)}/1 CPX/NPS4"
    assert '"tensor-parallel-size":2' in told[ENGINE_ARGS]
    assert told[PROFILE_ID].endswith("-tp2-latency-cpx-nps4")


async def test_the_scheduler_must_allocate_just_these(api: InMemoryApi, bound: Operator) -> None:
    allocate(api, 1, 0)
    await bound.round()
    assert status(api)["phase"] == "Allocated"


async def test_one_other_device_is_a_mismatch_that_names_both_sets(api: InMemoryApi, bound: Operator) -> None:
    allocate(api, 1, 2)
    await bound.round()
    assert status(api)["phase"] == "Bound"
    names = [f"worker-0/{device_name(0, index)}" for index in range(3)]
    assert status(api)["explanation"].startswith(
        f"the scheduler allocated {names[1]}, {names[2]}, bound was {names[0]}, {names[1]}"
    )


async def test_one_lost_to_somebody_else_remakes_the_claim_with_another_set(
    api: InMemoryApi, bound: Operator, clock: FakeClock
) -> None:
    api.put(RESOURCE_CLAIMS, resource_claim("theirs", device=device_name(0, 1), owner_uid=None))
    clock.tick(PATIENCE_SECONDS + 1)
    for _ in range(3):
        await bound.round()
    assert (partitions(api), status(api)["rebinds"]) == ([0, 2], 1)
    made = api.objects["resourceclaims", "team-a", "aim-a"]["spec"]["devices"]["requests"][0]["exactly"]
    assert ".renderIndex in [128, 130]" in made["selectors"][0]["cel"]["expression"]


async def test_all_of_them_count_as_held(api: InMemoryApi, bound: Operator) -> None:
    (node,) = bound.cluster.snapshot().nodes
    assert [partition.id.index for partition in node.gpus[0].partitions if partition.holder] == [0, 1]
