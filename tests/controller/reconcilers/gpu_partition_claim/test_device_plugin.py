"""The flow of a pod that AMD's device plugin serves: node chosen, gate opened, device read back from the kubelet."""

from typing import Any

import pytest

from controller.reconcilers.gpu_partition_claim.repair import PATIENCE_SECONDS
from controller.runtime.client.core import NODES, PODS, RESOURCE_CLAIMS
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES
from tests.builders.gpu import bdf, device_name, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.plugin import CPX, assigned, plugin_claim, plugin_claim_of, plugin_pod
from tests.builders.pod import pod
from tests.builders.policy import policy_object
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock

KEY = f"team-a/{plugin_claim_of()}"
OWNER = {
    "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "uid": "rs-1", "controller": True, "apiVersion": "v1"}]
}


def advertise(api: InMemoryApi, **devices: int) -> None:
    """The kubelet's allocatable of the node, with devices of the plugin."""
    counts = {f"amd.com/{name}": str(count) for name, count in devices.items()}
    api.put(NODES, node_object(allocatable={"cpu": "128", "memory": "2048Gi", "pods": "110", **counts}))


@pytest.fixture
def api(api: InMemoryApi) -> InMemoryApi:
    """The node hands its GPU out by the device plugin, under names for modes; the pod asks for one of them."""
    advertise(api, cpx_nps4=8)
    api.put(GPU_SHARING_POLICIES, policy_object(binding="DevicePlugin"))
    api.put(PODS, plugin_pod(annotations=SMALL))
    return api


def claim(api: InMemoryApi) -> dict[str, Any]:
    (found,) = api.of(GPU_PARTITION_CLAIMS)
    return found


def status(api: InMemoryApi) -> dict[str, Any]:
    found: dict[str, Any] = claim(api)["status"]
    return found


def conditions(api: InMemoryApi) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in status(api)["conditions"]}


def message(api: InMemoryApi, type_: str) -> str:
    return next(str(c["message"]) for c in status(api)["conditions"] if c["type"] == type_)


def tell(api: InMemoryApi, *entries: dict[str, Any], of: Any = None) -> None:
    """The agent asks the kubelet, and reports what it says."""
    api.put(GPU_NODES, gpu_node("worker-0", *([of] if of is not None else []), assigned=entries))


def schedule(api: InMemoryApi, name: str = "model-0", phase: str = "Pending") -> None:
    """The real scheduler places the pod where it was bound to."""
    stored = api.objects["pods", "team-a", name]
    spec = stored["spec"] | {"nodeName": stored["spec"]["nodeSelector"]["kubernetes.io/hostname"]}
    api.put(PODS, stored | {"spec": spec, "status": {"phase": phase}})


@pytest.fixture
async def bound(api: InMemoryApi, operator: Operator) -> Operator:
    await operator.round(KEY)
    return operator


async def test_a_pod_that_waits_is_told_what_policies_promise_and_it_goes_without(
    api: InMemoryApi, operator: Operator
) -> None:
    api.put(PODS, plugin_pod(annotations=SMALL | {"aim.amd.com/model-id": "meta-llama/Llama-3.1-70B-Instruct"}))
    promises: dict[str, Any] = {"rollout": "Handover", "whenFull": "ReleaseForAutoscaler"}
    api.put(GPU_SHARING_POLICIES, policy_object(binding="DevicePlugin", **promises))
    for _ in range(2):
        await operator.round(KEY)
    assert "of rollout: Handover and whenFull: ReleaseForAutoscaler passes it by" in status(api)["explanation"]


async def test_a_pod_is_bound_to_a_node_and_the_kubelet_may_choose(api: InMemoryApi, bound: Operator) -> None:
    (pod,) = api.of(PODS)
    annotations = pod["metadata"]["annotations"]
    assert (pod["spec"]["schedulingGates"], pod["spec"]["nodeSelector"]) == ([], {"kubernetes.io/hostname": "worker-0"})
    assert annotations["aim.amd.com/assigned-node"] == "worker-0"
    assert annotations["aim.amd.com/assigned-partition"] == "amd.com/cpx_nps4 CPX/NPS4"
    assert "gpu-memory-utilization" in annotations["aim.amd.com/engine-args"]
    allocation = status(api)["allocation"]
    assert (allocation["binding"], allocation["node"], allocation["devices"]) == ("DevicePlugin", "worker-0", [])
    assert allocation["resource"] == {"name": CPX, "mode": "CPX/NPS4", "bytes": gpu().partitions[0].bytes}
    assert (status(api)["phase"], conditions(api)["Allocated"]) == ("Bound", ("False", "WaitingForKubelet"))
    assert api.of(RESOURCE_CLAIMS) == []


async def test_a_pod_that_somebody_else_let_go_holds_what_the_kubelet_gave_as_a_stranger(
    api: InMemoryApi, bound: Operator
) -> None:
    api.put(PODS, plugin_pod(annotations=SMALL, gates=(), node="worker-0"))
    tell(api, assigned(index=5))
    for _ in range(2):
        await bound.round(KEY)
    assert (status(api)["phase"], conditions(api)["Bound"]) == ("Pending", ("False", "GateRemoved"))
    bound.show()
    taken = {one.id.index: one.holder.kind for _, _, one in bound.cluster.snapshot().partitions() if one.holder}
    assert list(taken) == [5]


async def test_a_resource_named_for_a_mode_narrows_the_claim_to_it(api: InMemoryApi, bound: Operator) -> None:
    assert claim(api)["spec"]["requirement"]["modes"] == ["CPX/NPS4"]


async def test_the_claim_is_allocated_once_the_kubelet_told_its_device(api: InMemoryApi, bound: Operator) -> None:
    schedule(api)
    await bound.round(KEY)
    assert status(api)["phase"] == "Bound"
    tell(api, assigned(index=5), assigned("other", 1))
    await bound.round(KEY)
    (device,) = status(api)["allocation"]["devices"]
    assert (device["bdf"], device["partition"], device["mode"]) == (bdf(0), 5, "CPX/NPS4")
    assert (device["device"], device["pool"]) == (device_name(0, 5), "worker-0")
    assert status(api)["observed"]["devices"] == [device]
    assert (status(api)["phase"], conditions(api)["Allocated"]) == ("Allocated", ("True", "DeviceObserved"))
    settled = list(api.writes)
    await bound.round(KEY)
    assert api.writes == settled


async def test_what_is_told_of_a_pod_that_is_not_placed_is_of_its_predecessor(
    api: InMemoryApi, bound: Operator
) -> None:
    tell(api, assigned(index=5))
    await bound.round(KEY)
    assert (status(api)["phase"], status(api).get("observed")) == ("Bound", None)


async def test_a_kubelet_that_cannot_be_asked_is_named(api: InMemoryApi, bound: Operator) -> None:
    schedule(api)
    await bound.round(KEY)
    assert conditions(api)["Allocated"] == ("False", "KubeletDoesNotTell")
    assert "mount the kubelet's pod-resources socket" in message(api, "Allocated")
    tell(api)
    await bound.round(KEY)
    assert conditions(api)["Allocated"] == ("False", "WaitingForKubelet")


@pytest.mark.parametrize(
    ("entries", "now", "want_reason", "want_words"),
    [
        pytest.param(
            [assigned(index=0)],
            gpu(0, "DPX/NPS2"),
            "OtherMode",
            "asked was CPX/NPS4; delete the pod",
            id="another mode",
        ),
        pytest.param(
            [assigned(index=None)], None, "UnknownDevice", "gave the pod amdgpu_xcp_99", id="a device nobody has"
        ),
        pytest.param(
            [assigned(index=7)],
            gpu(0, "DPX/NPS2"),
            "UnknownDevice",
            "restart the device plugin",
            id="a device of before",
        ),
        pytest.param([assigned(index=1), assigned(index=2)], None, "OtherCount", "asked was for 1", id="two devices"),
        pytest.param(
            [assigned(index=3)], None, "HeldByAnother", "another pod has by its claim", id="another claim's device"
        ),
    ],
)
async def test_a_contradicting_word_of_the_kubelet_is_a_condition_with_a_remedy(
    api: InMemoryApi, bound: Operator, entries: list[dict[str, Any]], now: Any, want_reason: str, want_words: str
) -> None:
    schedule(api)
    other = api.put(GPU_PARTITION_CLAIMS, plugin_claim("secret", index=3))
    tell(api, *entries, of=now)
    await bound.round(KEY)
    del api.objects["gpupartitionclaims", "team-a", other["metadata"]["name"]]
    assert conditions(api)["ObservedMismatch"] == ("True", want_reason)
    assert want_words in message(api, "ObservedMismatch")
    assert "secret" not in message(api, "ObservedMismatch")
    assert (status(api)["phase"], ("Warning", "ObservedMismatch") in bound.told) == ("Bound", True)


async def test_what_the_pod_really_holds_is_shown_and_the_condition_goes_when_it_is_right(
    api: InMemoryApi, bound: Operator
) -> None:
    schedule(api)
    tell(api, assigned(index=0), of=gpu(0, "DPX/NPS2"))
    await bound.round(KEY)
    assert [(d["partition"], d["mode"]) for d in status(api)["observed"]["devices"]] == [(0, "DPX/NPS2")]
    assert status(api)["allocation"]["devices"] == []
    tell(api, assigned(index=0))
    await bound.round(KEY)
    assert "ObservedMismatch" not in conditions(api)
    assert (status(api)["phase"], status(api).get("explanation")) == ("Allocated", None)


async def test_a_running_pod_whose_gpu_changed_its_mode_is_told_of(api: InMemoryApi, bound: Operator) -> None:
    schedule(api)
    tell(api, assigned(index=0))
    await bound.round(KEY)
    tell(api, assigned(index=0), of=gpu(0, "DPX/NPS2"))
    await bound.round(KEY)
    assert (status(api)["phase"], conditions(api)["ObservedMismatch"]) == ("Allocated", ("True", "OtherMode"))
    assert status(api)["allocation"]["devices"][0]["mode"] == "CPX/NPS4"


async def test_nine_pods_on_eight_devices_leave_one_waiting(api: InMemoryApi, operator: Operator) -> None:
    names = [f"model-{number}" for number in range(9)]
    for name in names:
        api.put(PODS, plugin_pod(name, annotations=SMALL))
    keys = [f"team-a/{plugin_claim_of(name)}" for name in names]
    await operator.round(*keys)
    await operator.round(*keys)
    claims = {c["spec"]["podRef"]["name"]: c["status"] for c in api.of(GPU_PARTITION_CLAIMS)}
    assert sorted(each["phase"] for each in claims.values()) == ["Bound"] * 8 + ["Pending"]
    (waiting,) = [each for each in claims.values() if each["phase"] == "Pending"]
    assert "8 PartitionHeld" in waiting["explanation"]


async def test_a_mode_change_that_the_plugin_does_not_advertise_yet_binds_nothing(
    api: InMemoryApi, operator: Operator
) -> None:
    advertise(api, spx_nps1=1, cpx_nps4=0)
    await operator.round(KEY)
    await operator.round(KEY)
    assert status(api)["phase"] == "Pending"
    assert "node worker-0 advertises no amd.com/cpx_nps4 now" in status(api)["explanation"]
    advertise(api, spx_nps1=0, cpx_nps4=8)
    await operator.round(KEY)
    assert status(api)["phase"] == "Bound"


@pytest.mark.parametrize(("owned", "want"), [(True, "made anew as soon as another node"), (False, "delete the pod")])
async def test_a_pod_that_the_scheduler_refuses_is_told_of_where_no_other_node_would_take_it(
    api: InMemoryApi, bound: Operator, clock: FakeClock, owned: bool, want: str
) -> None:
    (stored,) = api.of(PODS)
    stored["status"] = {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
    }
    api.put(PODS, stored | {"metadata": stored["metadata"] | (OWNER if owned else {})})
    clock.tick(PATIENCE_SECONDS + 1)
    await bound.round(KEY)
    assert len(api.of(PODS)) == 1
    assert want in message(api, "Stuck")


async def test_a_deleted_claim_is_made_again_from_what_the_kubelet_tells(api: InMemoryApi, bound: Operator) -> None:
    schedule(api, phase="Running")
    tell(api, assigned(index=5))
    await bound.round(KEY)
    before = status(api)["allocation"]
    del api.objects["gpupartitionclaims", "team-a", plugin_claim_of()]
    for _ in range(2):
        await bound.round(KEY)
    assert (status(api)["allocation"], status(api)["phase"]) == (before, "Allocated")


async def test_a_pod_whose_gate_somebody_else_took_off_is_not_adopted(api: InMemoryApi, operator: Operator) -> None:
    api.put(PODS, plugin_pod(annotations=SMALL, gates=(), node="worker-0", phase="Running"))
    await operator.round(KEY)
    assert api.of(GPU_PARTITION_CLAIMS) == []


async def test_a_crash_between_decision_and_patch_is_made_good(api: InMemoryApi, clock: FakeClock) -> None:
    api.put(GPU_PARTITION_CLAIMS, plugin_claim(memory="8Gi"))
    await Operator(api, clock).round(KEY)
    (pod,) = api.of(PODS)
    assert pod["spec"]["nodeSelector"] == {"kubernetes.io/hostname": "worker-0"}


DRA = "gpu.amd.com"


@pytest.mark.parametrize(
    ("entries", "want"),
    [
        pytest.param([assigned(index=0, resource=DRA)], None, id="the device that was allocated"),
        pytest.param([assigned(index=4, resource=DRA)], ("True", "OtherDevice"), id="another"),
        pytest.param([assigned(index=4)], None, id="of the device plugin it says nothing"),
        pytest.param([], None, id="it tells nothing"),
    ],
)
async def test_the_kubelets_word_is_compared_with_a_resource_claim_too(
    api: InMemoryApi, clock: FakeClock, entries: list[dict[str, Any]], want: tuple[str, str] | None
) -> None:
    api.put(GPU_SHARING_POLICIES, policy_object(binding="DRA"))
    api.put(PODS, pod(annotations=SMALL))
    operator = Operator(api, clock)
    await operator.round()
    schedule(api)
    made = api.objects["resourceclaims", "team-a", "aim-a"]
    given = resource_claim(device=device_name(0, 0), spec=made["spec"])
    api.put(RESOURCE_CLAIMS, made | {"status": given["status"]})
    tell(api, *entries)
    await operator.round()
    assert (status(api)["phase"], conditions(api).get("ObservedMismatch")) == ("Allocated", want)
    assert ("observed" in status(api)) is any(entry["resource"] == DRA for entry in entries)
