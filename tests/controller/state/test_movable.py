from typing import Any

import pytest

from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.demand import Resources
from controller.sizing.precision import Precision
from controller.state.movable import MovablePods, victim_of
from tests.builders.claim import allocation, bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import GIB, bdf, gpu
from tests.builders.pod import container, pod

OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "chat", "uid": "uid-chat", "controller": True}
FIRST = PartitionId(bdf(0), 0)


def running(**fields: Any) -> dict[str, Any]:
    metadata = {"ownerReferences": [OWNER], "labels": {"pod-template-hash": "abc"}} | fields.pop("metadata", {})
    given: dict[str, Any] = {"gates": (), "node": "worker-0", "phase": "Running", "priority": 7} | fields
    return pod("model-0", container(requests={"cpu": "2"}), metadata=metadata, **given)


def fed(pod_object: dict[str, Any] | None, claim: dict[str, Any] | None = None) -> FedCluster:
    scene = FedCluster()
    scene.add_node("worker-0", gpu(0))
    scene.put(scene.cluster.claims, claim or bound_claim(modes=("CPX/NPS4",), precision="fp8"))
    if pod_object is not None:
        scene.put(scene.cluster.pods, pod_object)
    return scene


def movable(scene: FedCluster) -> MovablePods:
    return MovablePods(scene.cluster, scene.cluster.snapshot())


def test_a_running_pod_with_its_place_and_what_its_successor_will_need() -> None:
    there = movable(fed(running()))
    found = there.on("worker-0")[FIRST]
    assert (found.name, found.uid, found.claim, found.partition) == ("team-a/model-0", "uid-model-0", "aim-a", FIRST)
    assert (found.owner, found.template_hash, found.priority, found.ready) == ("uid-chat", "abc", 7, False)
    assert (found.requirement_bytes, found.modes) == (16 * GIB, frozenset({Mode.parse("CPX/NPS4")}))
    assert found.precision is Precision.FP8
    assert found.constraints.resources == Resources(2000, 0, 1)
    assert (there.lowest_priority, there.on("worker-1")) == (7, {})


@pytest.mark.parametrize(
    "pod_object",
    [
        pytest.param(None, id="gone"),
        pytest.param(running(metadata={"uid": "uid-of-another"}), id="another one of its name"),
        pytest.param(running(node=None), id="not on a node yet"),
        pytest.param(running(phase="Succeeded"), id="done"),
        pytest.param(running(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), id="on its way out"),
        pytest.param(running(annotations={"aim.amd.com/gpu-sharing": "false"}), id="opted out"),
        pytest.param(running(claim=None), id="no claim of ours"),
    ],
)
def test_a_pod_that_is_not_there_or_not_ours_is_not_moved(pod_object: dict[str, Any] | None) -> None:
    there = movable(fed(pod_object))
    assert (dict(there.on("worker-0")), there.lowest_priority) == ({}, None)


def test_one_of_unknown_size_needs_what_it_has() -> None:
    found = movable(fed(running(), bound_claim(memory=None))).on("worker-0")[FIRST]
    assert found.requirement_bytes == gpu(0).partitions[0].bytes


def test_a_pod_without_a_controller_has_no_owner() -> None:
    found = movable(fed(running(metadata={"ownerReferences": []}))).on("worker-0")[FIRST]
    assert found.owner == ""


def test_a_pod_of_several_partitions_is_found_by_each_but_never_brought_together_with_others() -> None:
    status = {"phase": "Bound", "allocation": allocation("worker-0", 0, 0, 3)}
    scene = fed(running(), claim(count=2, status=status))
    found = movable(scene).on("worker-0")
    assert {each.index for each in found} == {0, 3}
    assert {(victim.uid, victim.count) for victim in found.values()} == {("uid-model-0", 2)}
    assert victim_of(scene.cluster, "team-a/aim-a", FIRST) is None
