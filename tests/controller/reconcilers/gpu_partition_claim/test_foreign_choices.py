"""What no admission policy can see: the pod stays gated, its claim says why, and it is tried again by itself."""

from typing import Any

import pytest

from api.object import dump
from controller.reconcilers.gpu_partition_claim.placing import CONTRADICTED_SECONDS
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES, REPARTITION_PLANS
from tests.builders.claim import claim
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.inference_service import inference_service
from tests.builders.pod import GATE, pod
from tests.builders.policy import policy_object
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.controller.reconcilers.gpu_partition_claim.test_placing import bound, status

POLICY, CLASS = "aim.amd.com/policy", "aim.amd.com/qos-class"
SERVICE_LABEL = "aim.amd.com/inference-service"


def gates(api: InMemoryApi, name: str = "model-0") -> list[dict[str, str]]:
    (found,) = [each for each in api.of(PODS) if each["metadata"]["name"] == name]
    held: list[dict[str, str]] = found["spec"].get("schedulingGates", [])
    return held


async def rounds(operator: Operator, *keys: str, count: int = 2) -> None:
    for _ in range(count):
        await operator.round(*keys)


@pytest.mark.parametrize(
    ("annotations", "policy", "want_reason"),
    [
        pytest.param({POLICY: "gold"}, policy_object("base"), "PolicyNotFound", id="no such policy"),
        pytest.param(
            {POLICY: "gold"},
            policy_object("gold", namespace_labels={"team": "b"}),
            "PolicyNotForNamespace",
            id="a foreign policy",
        ),
        pytest.param({CLASS: "fast"}, policy_object("gold"), "QoSClassNotFound", id="no such class"),
    ],
)
async def test_a_pod_waits_for_its_policy_and_is_bound_once_it_fits(
    api: InMemoryApi, operator: Operator, annotations: dict[str, str], policy: dict[str, Any], want_reason: str
) -> None:
    api.put(PODS, pod(annotations=SMALL | annotations))
    api.put(GPU_SHARING_POLICIES, policy)
    await rounds(operator)
    assert (status(api)["phase"], bound(api)["reason"]) == ("Pending", want_reason)
    assert (gates(api), len(operator.cluster.assumptions)) == ([{"name": GATE}], 0)
    assert ("Warning", want_reason) in operator.told
    api.objects.pop(("gpusharingpolicies", "", policy["metadata"]["name"]))
    api.put(GPU_SHARING_POLICIES, policy_object("gold", qosClasses=[{"name": "fast", "rank": 0}]))
    await rounds(operator)
    assert (status(api)["phase"], gates(api)) == ("Bound", [])


async def test_a_service_is_told_of_its_own_field(api: InMemoryApi, operator: Operator) -> None:
    labelled = pod(annotations=SMALL | {POLICY: "gold"}, metadata={"labels": {SERVICE_LABEL: "chat"}})
    api.put(PODS, labelled)
    operator.fed.put(operator.cluster.services, dump(inference_service(gpuSharing={"policyRef": "gold"})))
    await rounds(operator)
    assert "spec.gpuSharing.policyRef: 'gold'" in bound(api)["message"]


async def test_no_mode_change_is_planned_for_a_choice_that_cannot_be_had(api: InMemoryApi, operator: Operator) -> None:
    api.put(GPU_NODES, gpu_node("worker-0", gpu(0)))
    rules = {"enabled": True, "approval": "Auto"}
    api.put(GPU_SHARING_POLICIES, policy_object(repartition=rules, validatedOnly=False))
    middle = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": "meta-llama/Llama-3.1-8B-Instruct"}
    api.put(PODS, pod(annotations=middle | {CLASS: "none"}))
    await rounds(operator)
    assert (bound(api)["reason"], api.of(REPARTITION_PLANS)) == ("QoSClassNotFound", [])


async def test_a_pod_that_contradicts_its_service_waits_until_the_service_agrees(
    api: InMemoryApi, operator: Operator
) -> None:
    api.put(GPU_SHARING_POLICIES, policy_object("gold"))
    labelled = pod(annotations=SMALL | {POLICY: "gold"}, metadata={"labels": {SERVICE_LABEL: "chat"}})
    api.put(PODS, labelled)
    operator.fed.put(operator.cluster.services, dump(inference_service()))
    await rounds(operator)
    assert (bound(api)["reason"], gates(api)) == ("ServiceMismatch", [{"name": GATE}])
    assert (await operator.reconcile()).requeue_after == CONTRADICTED_SECONDS
    operator.fed.put(operator.cluster.services, dump(inference_service(gpuSharing={"policyRef": "gold"})))
    await rounds(operator)
    assert (status(api)["phase"], gates(api)) == ("Bound", [])


async def test_a_claim_of_another_pods_uid_is_replaced_by_the_pods_own(api: InMemoryApi, operator: Operator) -> None:
    forged = claim(memory="1Gi")
    forged["spec"]["podRef"]["uid"] = "uid-of-another"
    api.put(GPU_PARTITION_CLAIMS, forged)
    await rounds(operator, count=1)
    assert (api.of(GPU_PARTITION_CLAIMS), gates(api)) == ([], [{"name": GATE}])
    await rounds(operator)
    (made,) = api.of(GPU_PARTITION_CLAIMS)
    assert made["spec"]["podRef"]["uid"] == "uid-model-0"
    assert made["spec"]["requirement"]["memory"] != "1Gi"


async def test_another_pod_never_gets_the_claim_it_names(api: InMemoryApi, operator: Operator) -> None:
    await rounds(operator)
    assert (status(api)["phase"], gates(api)) == ("Bound", [])
    api.put(PODS, pod("thief", annotations=SMALL))
    await rounds(operator)
    assert (gates(api, "thief"), gates(api)) == ([{"name": GATE}], [])
    assert ("Warning", "ClaimNameTaken") in operator.told
    (kept,) = api.of(RESOURCE_CLAIMS)
    assert kept["metadata"]["ownerReferences"][0]["uid"] == "uid-model-0"


async def test_a_resource_claim_that_asks_for_something_else_is_not_bound(api: InMemoryApi, operator: Operator) -> None:
    api.put(RESOURCE_CLAIMS, resource_claim(device="gpu-7-135", owner_uid="uid-model-0"))
    await rounds(operator)
    assert gates(api) == [{"name": GATE}]
    assert ("Warning", "ClaimNameTaken") in operator.told
