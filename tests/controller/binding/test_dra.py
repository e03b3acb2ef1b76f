from typing import Any

import pytest

from controller.binding.dra import GatedPod, Pin, PinnedDevice, bind_patch, resource_claim, selected, selector
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Pod
from controller.translate.pod import pod_view
from tests.builders.json_patch import PatchFailed, apply_patch
from tests.builders.pod import GATE, pod

PIN = Pin("worker-0", "worker-0", (PinnedDevice("gpu-1-129", 129),), "cpx_nps4")
ADDED = {"aim.amd.com/assigned-node": "worker-0", "odd~key/with~tilde": 'a "quoted" value'}


def patched(stored: dict[str, Any], annotations: dict[str, str] | None = None) -> dict[str, Any]:
    view = pod_view(typed(stored, Pod))
    gated = GatedPod(view.resource_version, GATE, view.gates.index(GATE), view.annotations, view.node_selector)
    return apply_patch(stored, bind_patch(gated, "worker-0.example", ADDED if annotations is None else annotations))


def test_the_patch_pins_annotates_and_opens_our_gate() -> None:
    stored = pod()
    after = patched(stored)
    assert after["spec"]["schedulingGates"] == []
    assert after["spec"]["nodeSelector"] == {"kubernetes.io/hostname": "worker-0.example"}
    assert after["metadata"]["annotations"] == stored["metadata"]["annotations"] | ADDED


@pytest.mark.parametrize(
    "gates",
    [
        pytest.param(["kueue.x-k8s.io/admission", GATE], id="ours is last"),
        pytest.param([GATE, "kueue.x-k8s.io/admission"], id="ours is first"),
        pytest.param(["a.example/x", GATE, "b.example/y"], id="ours is in the middle"),
    ],
)
def test_gates_of_others_stay(gates: list[str]) -> None:
    after = patched(pod(gates=gates))
    assert [gate["name"] for gate in after["spec"]["schedulingGates"]] == [gate for gate in gates if gate != GATE]


def test_what_the_pod_had_stays() -> None:
    after = patched(pod(nodeSelector={"zone/of~mine": "north"}))
    assert after["spec"]["nodeSelector"] == {"zone/of~mine": "north", "kubernetes.io/hostname": "worker-0.example"}


def test_a_pod_without_annotations_gets_the_map() -> None:
    bare = pod(annotations={})
    del bare["metadata"]["annotations"]
    assert patched(bare)["metadata"]["annotations"] == ADDED


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("metadata", "resourceVersion"), "2", id="the pod has another version"),
        pytest.param(("spec", "schedulingGates"), [{"name": "other"}, {"name": GATE}], id="our gate has moved"),
        pytest.param(("spec", "schedulingGates"), [], id="our gate is gone"),
    ],
)
def test_a_pod_that_moved_on_takes_nothing(path: tuple[str, str], value: object) -> None:
    seen, now = pod(), pod()
    now[path[0]][path[1]] = value
    view = pod_view(typed(seen, Pod))
    operations = bind_patch(GatedPod(view.resource_version, GATE, 0, view.annotations, {}), "worker-0", ADDED)
    with pytest.raises(PatchFailed, match="'op': 'test'"):
        apply_patch(now, operations)


def test_tests_come_before_changes() -> None:
    operations = bind_patch(GatedPod("1", GATE, 0, {}, {}), "worker-0", ADDED)
    assert [operation["op"] for operation in operations] == ["test", "test", "add", "add", "remove"]


def test_the_selector_guards_every_attribute_it_reads() -> None:
    expression = selector([129], "cpx_nps4")
    for attribute in ("renderIndex", "partitionProfile"):
        guard = f'"{attribute}" in device.attributes["gpu.amd.com"]'
        read = f'device.attributes["gpu.amd.com"].{attribute} =='
        assert expression.index(guard) < expression.index(read)
    assert 'device.driver == "gpu.amd.com"' in expression
    assert ".renderIndex == 129" in expression
    assert '.partitionProfile == "cpx_nps4"' in expression


@pytest.mark.parametrize("indices", [(129,), (129, 130)])
def test_a_selector_is_read_back(indices: tuple[int, ...]) -> None:
    assert selected(selector(indices, "cpx_nps4")) == (indices, "cpx_nps4")


@pytest.mark.parametrize("added", [" || true", "", 'x == "'])
def test_what_only_looks_like_a_selector_is_not_read(added: str) -> None:
    assert selected("true || " + selector([129], "cpx_nps4") + added) is None


def test_the_claim_is_the_pods_own_and_asks_for_one_device() -> None:
    made = resource_claim("aim-a", "team-a", "model-0", "uid-model-0", PIN, {"aim.amd.com/claim": "aim-a"})
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Pod", "uid-model-0", True)
    (request,) = made["spec"]["devices"]["requests"]
    assert request["exactly"]["count"] == 1
    assert request["exactly"]["allocationMode"] == "ExactCount"
    assert made["metadata"]["labels"] == {"aim.amd.com/claim": "aim-a"}


def test_several_devices_are_one_request_of_their_number() -> None:
    two = Pin("worker-0", "worker-0", (PinnedDevice("gpu-1-130", 130), PinnedDevice("gpu-1-129", 129)), "cpx_nps4")
    (request,) = resource_claim("aim-a", "team-a", "model-0", "u", two, {})["spec"]["devices"]["requests"]
    asked = request["exactly"]
    assert (asked["allocationMode"], asked["count"]) == ("ExactCount", 2)
    assert ".renderIndex in [129, 130] && " in asked["selectors"][0]["cel"]["expression"]
    assert two.names == {("worker-0", "gpu-1-129"), ("worker-0", "gpu-1-130")}
