"""What cannot be served says so: in the claim, on the owner, in Events, with field, value and remedy.

One operator and one node for all; each test begins with nothing of those before it.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from e2e.plane import Plane
from e2e.plane.errors import AdminError
from tests.integration.operator.running import AIM, Object, Running, deployment, opt_in, pod, running, service

pytestmark = [pytest.mark.plane, pytest.mark.asyncio(loop_scope="module")]

UNSERVABLE: list[tuple[dict[str, str], str, list[str]]] = [
    ({"model": "Qwen/Qwen3-9B"}, "UnknownModel", ["model-id", "Qwen/Qwen3-9B", "Qwen/Qwen3-8B"]),
    ({"model": "openai/gpt-oss-20b", "precision": "int4"}, "UnsupportedPrecision", ["precision", "int4", "mxfp4"]),
    ({"model": "Qwen/Qwen3-8B", "max_model_len": "99999"}, "LengthTooLong", ["max-model-len", "99999", "40960"]),
    ({"model": "Qwen/Qwen3-8B", "partition_mode": "TPX/NPS1"}, "ModeUnavailable", ["TPX/NPS1", "CPX/NPS4"]),
    (
        {"model": "deepseek-ai/DeepSeek-R1", "precision": "fp8"},
        "TooLargeForAnyGPU",
        ["the model needs", "192.0 GiB", "no number of partitions makes it fit"],
    ),
]


#: In which precision the claims are that could be sized at all.
SIZED_IN = {"ModeUnavailable": "bf16", "TooLargeForAnyGPU": "fp8"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A node with one GPU in CPX."""
    async with running(plane, tmp_path_factory.mktemp("refusals"), {"a": "CPX/NPS4"}, gpus=1) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(started: Running) -> AsyncIterator[Running]:
    """The same, and afterwards nothing of the test is left."""
    yield started
    for path in (started.services_path, started.deployments_path, started.pods_path):
        for one in await started.items(path):
            await started.delete(f"{path}/{one['metadata']['name']}")

    async def empty() -> bool:
        return not (await started.pods() or await started.claims() or await started.resource_claims())

    await started.eventually("nothing of the test is left", empty)


async def _events(cluster: Running, kind: str, reason: str) -> list[Object]:
    path = f"/apis/events.k8s.io/v1/namespaces/{cluster.namespace}/events"
    return [e for e in await cluster.items(path) if e["regarding"]["kind"] == kind and e["reason"] == reason]


async def test_unservable_requests_wait_with_reason_on_claim_pod_and_owner(cluster: Running) -> None:
    for number, (asked, reason, words) in enumerate(UNSERVABLE):
        await cluster.create(cluster.deployments_path, deployment(f"d{number}", 1, opt_in(**asked)))
        claim = await cluster.claim_where(reason=reason)
        explanation = claim["status"]["explanation"]
        assert all(word in explanation for word in words), explanation
        assert claim["status"]["phase"] == "Pending"
        assert claim["spec"]["requirement"].get("precision") == SIZED_IN.get(reason)

        async def told(reason: str = reason) -> bool:
            return bool(await _events(cluster, "Pod", reason) and await _events(cluster, "Deployment", reason))

        await cluster.eventually(f"Events with {reason} on pod and Deployment", told)


async def test_inference_service_says_why_it_waits(cluster: Running) -> None:
    await cluster.create(cluster.services_path, service("seven", replicas=7))
    await cluster.all_allocated(7)
    await cluster.create(cluster.services_path, service("late", replicas=2))

    async def refused() -> Object | None:
        found = await cluster.get(f"{cluster.services_path}/late")
        for condition in found.get("status", {}).get("conditions", ()):
            if condition["type"] == "Allocated" and condition["reason"] == "NoFreePartition":
                return dict(condition)
        return None

    condition = await cluster.eventually("Allocated is False for NoFreePartition", refused)
    assert condition["status"] == "False"
    assert "8 partitions" in condition["message"]
    assert await _events(cluster, "InferenceService", "NoFreePartition")


async def test_an_inference_service_of_an_unknown_model_is_refused_at_creation(cluster: Running) -> None:
    with pytest.raises(AdminError) as refused:
        await cluster.create(cluster.services_path, service("nosuch", "Qwen/Qwen3-9B"))
    assert all(word in str(refused.value) for word in ("spec.model.id", "Qwen/Qwen3-9B", "Qwen/Qwen3-8B"))


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        pytest.param({"aim.amd.com/gpu-sharing": "yes"}, ["gpu-sharing", "yes", '"true"'], id="opt-in is no choice"),
        pytest.param(opt_in(precision="fp9"), ["precision", "fp9", "fp8"], id="precision"),
        pytest.param(opt_in(max_model_len="-1"), ["max-model-len", "-1", "8192"], id="length"),
        pytest.param(opt_in(partition_mode="cpx"), ["partition-mode", "cpx", "CPX/NPS4"], id="mode spelling"),
        pytest.param(opt_in(model=""), ["model-id", "name a model"], id="no model"),
    ],
)
async def test_malformed_annotations_are_refused_at_creation(
    cluster: Running, annotations: dict[str, str], words: list[str]
) -> None:
    with pytest.raises(AdminError) as refused:
        await cluster.create(cluster.pods_path, pod("bad", annotations))
    assert all(word in str(refused.value) for word in words), str(refused.value)


async def test_ambiguous_containers_are_refused_with_their_names(cluster: Running) -> None:
    two = pod("two", opt_in())
    two["spec"]["containers"].append({"name": "other", "image": "x"})
    with pytest.raises(AdminError, match="main, other"):
        await cluster.create(cluster.pods_path, two)


NODE_OBSTACLES: list[tuple[dict[str, Any], str]] = [
    ({"nodeSelector": {"disk": "ssd"}}, "NodeSelectorMismatch"),
    (
        {
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]
                    }
                }
            }
        },
        "NodeAffinityMismatch",
    ),
]


async def test_real_schedulers_filters_hold_for_the_pinned_node(cluster: Running) -> None:
    for number, (spec, reason) in enumerate(NODE_OBSTACLES):
        await cluster.create(cluster.pods_path, pod(f"p{number}", opt_in(), **spec))
        await _waits_for(cluster, f"p{number}", reason)
    greedy = pod("greedy", opt_in())
    greedy["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "1000"
    await cluster.create(cluster.pods_path, greedy)
    await _waits_for(cluster, "greedy", "NodeResourcesShort")


async def _waits_for(cluster: Running, name: str, word: str) -> None:
    async def told() -> bool:
        for claim in await cluster.claims():
            if claim["spec"]["podRef"]["name"] == name:
                return word in claim.get("status", {}).get("explanation", "")
        return False

    await cluster.eventually(f"the claim of {name} says {word}", told)


async def test_cordon_and_taint_hold_back_and_their_end_lets_go(cluster: Running) -> None:
    node = f"/api/v1/nodes/{cluster.names['a']}"
    await cluster.patch(node, {"spec": {"unschedulable": True}})
    await cluster.create(cluster.pods_path, pod("waits", opt_in()))
    await _waits_for(cluster, "waits", "cordoned")
    taint = {"key": "dedicated", "value": "x", "effect": "NoSchedule"}
    await cluster.patch(node, {"spec": {"unschedulable": None, "taints": [taint]}})
    await _waits_for(cluster, "waits", "TaintNotTolerated")
    await cluster.patch(node, {"spec": {"taints": None}})
    await cluster.all_allocated(1)


async def test_another_gate_is_waited_for(cluster: Running) -> None:
    await cluster.create(
        cluster.pods_path, pod("gated", opt_in(), schedulingGates=[{"name": "kueue.x-k8s.io/admission"}])
    )
    await cluster.claim_where(reason="WaitingForGate")
    gates = (await cluster.get(f"{cluster.pods_path}/gated"))["spec"]["schedulingGates"]
    assert {gate["name"] for gate in gates} == {"kueue.x-k8s.io/admission", "aim.amd.com/partition"}
    index = [gate["name"] for gate in gates].index("kueue.x-k8s.io/admission")
    await cluster.patch(f"{cluster.pods_path}/gated", [{"op": "remove", "path": f"/spec/schedulingGates/{index}"}])
    await cluster.all_allocated(1)


async def test_resource_claim_of_somebody_else_under_our_name(cluster: Running) -> None:
    request = {"name": "gpu", "exactly": {"deviceClassName": "gpu.amd.com"}}
    template = {"metadata": {"name": "any"}, "spec": {"spec": {"devices": {"requests": [request]}}}}
    await cluster.create(f"{cluster.resource_claims_path.removesuffix('s')}templates", template)
    other = pod("aim-other", {}, resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "any"}])
    await cluster.create(cluster.pods_path, other)
    (theirs,) = await cluster.eventually("the other pod's claim is made", cluster.resource_claims)
    asked = [{"name": "aim-gpu", "resourceClaimName": theirs["metadata"]["name"]}]
    named = pod("named", opt_in(), resourceClaims=asked)
    await cluster.create(cluster.pods_path, named)
    await cluster.claim_where(reason="ClaimNameTaken")
    assert (await cluster.get(f"{cluster.pods_path}/named"))["spec"]["schedulingGates"]
    await cluster.delete(f"{cluster.pods_path}/aim-other")
    await cluster.all_allocated(1)


async def test_paused_node_binds_nothing(cluster: Running) -> None:
    path = f"{AIM}/gpunodes/{cluster.names['a']}"
    await cluster.patch(path, {"spec": {"paused": True}})
    await cluster.create(cluster.pods_path, pod("waits", opt_in()))
    await _waits_for(cluster, "waits", "paused")
    await cluster.patch(path, {"spec": {"paused": False}})
    await cluster.all_allocated(1)
