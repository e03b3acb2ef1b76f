"""The AIM profile of a place: chosen with it, in the claim's status, and told to the pod in the one patch."""

import json
from typing import Any

import pytest

from api.group import ENGINE_ARGS, PROFILE_ID, SERVICE_LABEL
from api.object import dump
from api.v1beta1 import GPUPartitionClaim
from controller.reconcilers.gpu_partition_claim.pinning import assignment, reassign
from controller.reconcilers.gpu_partition_claim.repair import PATIENCE_SECONDS
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Pod
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from controller.translate.pod import PodView, pod_view
from tests.builders.claim import bound_claim
from tests.builders.gpu import device_name, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.inference_service import inference_service
from tests.builders.pod import ASSIGNED, OPTED_IN, pod
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock

OF_SERVICE = {"labels": {SERVICE_LABEL: "chat"}}
CPX = "custom/general/vllm-mi300x-bf16-tp1-latency-cpx-nps4"


def annotations(api: InMemoryApi) -> dict[str, str]:
    (found,) = api.of(PODS)
    said: dict[str, str] = found["metadata"]["annotations"]
    return said


def chosen(api: InMemoryApi) -> str | None:
    (claim,) = api.of(GPU_PARTITION_CLAIMS)
    found: str | None = claim["status"]["allocation"].get("profile")
    return found


async def test_a_services_pod_is_told_its_profile(api: InMemoryApi, operator: Operator) -> None:
    operator.fed.put(operator.cluster.services, dump(inference_service()))
    api.put(PODS, pod(annotations=SMALL, metadata=OF_SERVICE))
    await operator.round()
    assert annotations(api)[PROFILE_ID] == chosen(api) == CPX
    arguments = json.loads(annotations(api)[ENGINE_ARGS])
    assert {"max-model-len", "max-num-seqs", "max-num-batched-tokens", "gpu-memory-utilization"} <= arguments.keys()


@pytest.mark.parametrize(
    ("wishes", "mode", "want"),
    [
        pytest.param({}, "DPX/NPS1", "custom/general/vllm-mi300x-bf16-tp1-latency-dpx-nps1", id="another mode"),
        pytest.param(
            {"aim.amd.com/precision": "fp16"},
            "CPX/NPS4",
            "custom/general/vllm-mi300x-fp16-tp1-latency-cpx-nps4",
            id="another precision",
        ),
        pytest.param(
            {"aim.amd.com/qos-class": "batch"},
            "CPX/NPS4",
            "custom/general/vllm-mi300x-bf16-tp1-throughput-cpx-nps4",
            id="a class that wants throughput",
        ),
    ],
)
async def test_the_profile_is_that_of_the_place_and_the_wish(
    api: InMemoryApi, operator: Operator, wishes: dict[str, str], mode: str, want: str
) -> None:
    api.put(GPU_NODES, gpu_node("worker-0", gpu(mode=mode)))
    api.put(PODS, pod(annotations=SMALL | wishes, metadata=OF_SERVICE))
    await operator.round()
    assert annotations(api)[PROFILE_ID] == want


async def test_a_pod_that_brings_its_own_profiles_is_told_of_none_and_has_full_arguments(
    api: InMemoryApi, operator: Operator
) -> None:
    await operator.round()
    assert (annotations(api).get(PROFILE_ID), chosen(api)) == (None, None)
    assert "max-num-batched-tokens" in json.loads(annotations(api)[ENGINE_ARGS])


async def test_on_a_product_without_profiles_the_arguments_stand_alone(api: InMemoryApi, operator: Operator) -> None:
    reported = gpu_node()
    reported["status"]["gpus"][0]["product"] = "unknown (0x1234)"
    api.put(GPU_NODES, reported)
    api.put(PODS, pod(annotations=SMALL, metadata=OF_SERVICE))
    await operator.round()
    assert (annotations(api).get(PROFILE_ID), chosen(api)) == (None, None)
    assert json.loads(annotations(api)[ENGINE_ARGS])["tensor-parallel-size"] == 1


def placed(profile: str | None, index: int = 3) -> GPUPartitionClaim:
    made = bound_claim(index=index)
    made["status"]["allocation"] |= {"profile": profile} if profile else {}
    return GPUPartitionClaim.model_validate(made)


def let_go(api: InMemoryApi, **told: str) -> PodView:
    """A pod whose gate is open, on no node yet."""
    return pod_view(typed(api.put(PODS, pod(annotations=OPTED_IN | ASSIGNED | told, gates=())), Pod))


@pytest.mark.parametrize(
    ("profile", "want"),
    [pytest.param("custom/general/new", "custom/general/new", id="another"), pytest.param(None, "", id="none")],
)
async def test_the_profile_of_an_earlier_place_does_not_stay(
    api: InMemoryApi, operator: Operator, profile: str | None, want: str
) -> None:
    view = let_go(api, **{PROFILE_ID: "custom/general/old"})
    assert await reassign(operator.context, placed(profile), view)
    assert annotations(api)[PROFILE_ID] == want


async def test_of_a_model_that_cannot_be_sized_any_more_the_claim_remembers_enough(
    api: InMemoryApi, operator: Operator
) -> None:
    view = let_go(api, **{"aim.amd.com/model-id": "no/such"})
    arguments: dict[str, Any] = json.loads(assignment(operator.context, placed(None), view)[ENGINE_ARGS])
    assert 0 < arguments["gpu-memory-utilization"] < 1


async def test_after_a_new_pin_the_profile_is_that_of_the_new_place(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    api.put(PODS, pod(annotations=SMALL, metadata=OF_SERVICE))
    await operator.round()
    api.put(RESOURCE_CLAIMS, resource_claim("theirs", device=device_name(0, 0), owner_uid=None))
    clock.tick(PATIENCE_SECONDS + 1)
    for _ in range(3):
        await operator.round()
    (claim,) = api.of(GPU_PARTITION_CLAIMS)
    assert claim["status"]["rebinds"] == 1
    assert annotations(api)[PROFILE_ID] == chosen(api) == CPX


async def test_a_claim_made_again_has_the_profile_that_its_containers_were_told_of(
    api: InMemoryApi, operator: Operator
) -> None:
    told = SMALL | ASSIGNED | {PROFILE_ID: "custom/general/older"}
    api.put(PODS, pod(annotations=told, gates=(), node="worker-0", phase="Running", metadata=OF_SERVICE))
    api.put(RESOURCE_CLAIMS, resource_claim(device=device_name(0, 3)))
    await operator.round()
    assert chosen(api) == "custom/general/older"
