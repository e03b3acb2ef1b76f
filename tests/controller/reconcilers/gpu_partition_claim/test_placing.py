from datetime import datetime
from typing import Any

import pytest

from controller.gpu.identity import PartitionId
from controller.placement.snapshot import Reservation
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.runtime.client.errors import Forbidden
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES, REPARTITION_PLANS
from tests.builders.gpu import bdf, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.pod import GATE, pod
from tests.builders.policy import policy_object
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock


def status(api: InMemoryApi) -> dict[str, Any]:
    (claim,) = api.of(GPU_PARTITION_CLAIMS)
    found: dict[str, Any] = claim["status"]
    return found


def bound(api: InMemoryApi) -> dict[str, Any]:
    (condition,) = [c for c in status(api)["conditions"] if c["type"] == "Bound"]
    found: dict[str, Any] = condition
    return found


LARGE = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": "deepseek-ai/DeepSeek-R1"}
MIDDLE = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": "meta-llama/Llama-3.1-8B-Instruct"}


@pytest.mark.parametrize(
    ("annotations", "want_reason", "want_words"),
    [
        pytest.param(
            SMALL | {"aim.amd.com/model-id": "no/such"}, "UnknownModel", ["model-id: 'no/such'"], id="a model"
        ),
        pytest.param(
            SMALL | {"aim.amd.com/precision": "mxfp4"},
            "UnsupportedPrecision",
            ["precision: 'mxfp4'", "use auto or one of"],
            id="a precision",
        ),
        pytest.param(
            SMALL | {"aim.amd.com/max-model-len": "999999"},
            "LengthTooLong",
            ["max-model-len: '999999'", "use at most"],
            id="a length",
        ),
        pytest.param(SMALL | {"aim.amd.com/precision": "fp1"}, "InvalidRequest", ["'fp1'"], id="a malformed value"),
        pytest.param(
            SMALL | {"aim.amd.com/partition-mode": "TPX/NPS1"},
            "ModeUnavailable",
            ["no GPU here has the mode TPX/NPS1", "choose one of CPX/NPS1"],
            id="a mode nobody has",
        ),
        pytest.param(
            LARGE,
            "TooLargeForAnyGPU",
            ["has 192.0 GiB; no smaller precision", "makes it fit; choose another model"],
            id="too large for any GPU",
        ),
        pytest.param(MIDDLE, "NoPartitionFits", ["8 PartitionTooSmall", "No mode change"], id="nothing fits"),
    ],
)
async def test_why_a_pod_waits_is_told_with_value_and_remedy(
    api: InMemoryApi, operator: Operator, annotations: dict[str, str], want_reason: str, want_words: list[str]
) -> None:
    api.put(PODS, pod(annotations=annotations))
    for _ in range(2):
        await operator.round()
    assert (status(api)["phase"], bound(api)["reason"]) == ("Pending", want_reason)
    for words in want_words:
        assert words in bound(api)["message"]
        assert words in status(api)["explanation"]
    assert ("Warning", want_reason) in operator.told
    assert "patch pods" not in api.writes


async def test_a_claim_waits_for_a_gpu_that_serves_its_precision(api: InMemoryApi, operator: Operator) -> None:
    api.put(GPU_NODES, gpu_node("worker-0", gpu(0, "SPX/NPS1", product="MI210")))
    api.put(PODS, pod(annotations=SMALL | {"aim.amd.com/precision": "fp8"}))
    for _ in range(2):
        await operator.round()
    assert (bound(api)["reason"], status(api)["phase"]) == ("PrecisionUnsupported", "Pending")
    assert "no GPU here (MI210) serves fp8" in status(api)["explanation"]
    api.put(GPU_NODES, gpu_node())
    for _ in range(2):
        await operator.round()
    assert status(api)["phase"] == "Bound"


@pytest.mark.parametrize(
    ("change", "want"),
    [
        pytest.param({"gates": ["kueue.x-k8s.io/admission", GATE]}, "WaitingForGate", id="another gate holds it"),
        pytest.param({"gates": []}, "GateRemoved", id="somebody removed our gate"),
    ],
)
async def test_a_pod_that_cannot_be_bound_holds_nothing(
    api: InMemoryApi, operator: Operator, change: dict[str, Any], want: str
) -> None:
    operator.show()
    await operator.reconcile()  # the claim is made while the pod is as it should be
    api.put(PODS, pod(annotations=SMALL, **change))
    for _ in range(2):
        await operator.round()
    assert bound(api)["reason"] == want
    assert (len(operator.cluster.assumptions), operator.cycle.waiting) == (0, 0)


async def test_it_waits_since_the_other_gate_is_gone(api: InMemoryApi, operator: Operator, clock: FakeClock) -> None:
    api.put(GPU_NODES, gpu_node("worker-0", gpu(0, "SPX/NPS1", product="MI210")))
    asked = SMALL | {"aim.amd.com/precision": "fp8"}
    api.put(PODS, pod(annotations=asked, gates=["kueue.x-k8s.io/admission", GATE]))
    await operator.round()
    await clock.advance(7200)
    api.put(PODS, pod(annotations=asked))
    for _ in range(2):
        await operator.round()
        (allocated,) = [one for one in status(api)["conditions"] if one["type"] == "Allocated"]
        assert (allocated["status"], bound(api)["reason"]) == ("False", "PrecisionUnsupported")
        since = datetime.fromisoformat(allocated["lastTransitionTime"])
        assert (clock.now() - since).total_seconds() < 60


async def test_it_is_bound_once_the_other_gate_is_gone(api: InMemoryApi, operator: Operator) -> None:
    api.put(PODS, pod(annotations=SMALL, gates=["kueue.x-k8s.io/admission", GATE]))
    await operator.round()
    assert bound(api)["reason"] == "WaitingForGate"
    api.put(PODS, pod(annotations=SMALL))
    for _ in range(2):
        await operator.round()
    assert status(api)["phase"] == "Bound"


async def test_a_claim_name_that_is_taken_is_never_used(api: InMemoryApi, operator: Operator) -> None:
    forged = resource_claim(owner_uid="uid-attacker")
    api.put(RESOURCE_CLAIMS, forged)
    for _ in range(2):
        await operator.round()
    assert (status(api)["phase"], bound(api)["reason"]) == ("Pending", "ClaimNameTaken")
    assert api.of(PODS)[0]["spec"]["schedulingGates"] == [{"name": GATE}]
    (kept,) = api.of(RESOURCE_CLAIMS)
    assert kept["spec"] == forged["spec"]


async def test_a_refused_write_gives_the_partition_back(api: InMemoryApi, operator: Operator) -> None:
    left = [1]

    def forbid(text: str) -> None:
        if text == "replace gpupartitionclaims" and left[0]:
            left[0] -= 1
            raise Forbidden(403, "Forbidden", "no")

    api.before_write = forbid
    await operator.round()
    assert len(operator.cluster.assumptions) == 0
    for _ in range(2):
        await operator.round()
    assert status(api)["phase"] == "Bound"


async def test_a_mode_change_that_would_help_is_planned_once(api: InMemoryApi, operator: Operator) -> None:
    api.put(GPU_NODES, gpu_node("worker-0", gpu(0)))
    rules = {"enabled": True, "approval": "Auto"}
    api.put(GPU_SHARING_POLICIES, policy_object(repartition=rules, validatedOnly=False))
    api.put(PODS, pod(annotations=MIDDLE))
    for _ in range(3):
        await operator.round()
    (plan,) = api.of(REPARTITION_PLANS)
    assert plan["spec"]["to"]["gpus"] == [{"bdf": gpu(0).bdf, "mode": "QPX/NPS4"}]
    assert plan["metadata"]["name"] in bound(api)["message"]
    assert api.writes.count("create repartitionplans") == 1
    assert ("Normal", "RepartitionPlanned") in operator.told


async def test_saying_the_same_again_writes_nothing(api: InMemoryApi, operator: Operator) -> None:
    api.put(PODS, pod(annotations=LARGE))
    for _ in range(2):
        await operator.round()
    settled = list(api.writes)
    for _ in range(3):
        await operator.round()
    assert api.writes == settled


@pytest.mark.parametrize(
    ("revision", "want_index"),
    [
        pytest.param("7f", 5, id="the revision that was moved"),
        pytest.param("8a", 0, id="another revision takes what is free"),
    ],
)
async def test_a_moved_pods_successor_gets_the_place_kept_for_it(
    api: InMemoryApi, operator: Operator, monkeypatch: pytest.MonkeyPatch, revision: str, want_index: int
) -> None:
    kept = {("worker-0", PartitionId(bdf(0), 5)): Reservation("rs-1", "7f")}
    monkeypatch.setattr(operator.cluster.plan_table, "reservations", lambda: kept)
    owner = {"kind": "ReplicaSet", "name": "r", "uid": "rs-1", "controller": True, "apiVersion": "v1"}
    made_by = {"ownerReferences": [owner], "labels": {"pod-template-hash": revision}}
    api.put(PODS, pod(annotations=SMALL, metadata=made_by))
    await operator.round()
    assert status(api)["allocation"]["devices"][0]["partition"] == want_index
