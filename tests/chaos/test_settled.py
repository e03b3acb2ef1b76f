"""What is not as it must be, once nothing goes wrong any more: a settled cluster, and everything that can be wrong with it."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from e2e.run.world import World
from tests.chaos.settled import HELD_OFF, Scene, left, unsettled

BDF = "0000:05:00.0"
DEVICE = {"pool": "a", "device": "gpu-0", "driver": "gpu.amd.com"}
POD: dict[str, Any] = {
    "metadata": {"namespace": "team", "name": "p", "uid": "u", "annotations": {"aim.amd.com/gpu-sharing": "true"}},
    "spec": {"nodeName": "a", "resourceClaims": [{"name": "x", "resourceClaimName": "aim-1"}]},
    "status": {"phase": "Running"},
}
CLAIM: dict[str, Any] = {
    "metadata": {"namespace": "team", "name": "aim-1"},
    "spec": {"podRef": {"uid": "u"}},
    "status": {
        "phase": "Allocated",
        "allocation": {
            "node": "a",
            "devices": [{"bdf": BDF, "partition": 0, "pool": "a", "device": "gpu-0", "bytes": 8}],
        },
    },
}
RESOURCE_CLAIM: dict[str, Any] = {
    "metadata": {"namespace": "team", "name": "aim-1"},
    "status": {"allocation": {"devices": {"results": [DEVICE]}}, "reservedFor": [{"name": "p"}]},
}
DEPLOYMENT: dict[str, Any] = {
    "metadata": {"namespace": "team", "name": "d", "generation": 2},
    "spec": {"replicas": 1},
    "status": {"readyReplicas": 1, "observedGeneration": 2},
}
NODE: dict[str, Any] = {"metadata": {"name": "a", "labels": {}}, "spec": {}}
GPU_NODE: dict[str, Any] = {
    "metadata": {"name": "a"},
    "spec": {},
    "status": {"gpus": [{"bdf": BDF, "mode": "SPX/NPS1"}]},
}
PLAN: dict[str, Any] = {"metadata": {"name": "p1"}, "spec": {"node": "a"}, "status": {"phase": "Succeeded"}}
WORLD = World(
    pods=[POD],
    claims=[CLAIM],
    resource_claims=[RESOURCE_CLAIM],
    deployments=[DEPLOYMENT],
    gpu_nodes=[GPU_NODE],
    plans=[PLAN],
)
SETTLED = Scene(WORLD, [NODE], {"a": {BDF: "SPX/NPS1"}})


def test_a_settled_cluster_is_settled() -> None:
    assert unsettled(SETTLED) == []


def _changed(obj: dict[str, Any], *path: str, value: Any) -> dict[str, Any]:
    found = deepcopy(obj)
    *outer, last = path
    inner = found
    for name in outer:
        inner = inner.setdefault(name, {})
    inner[last] = value
    return found


def _world(**more: Any) -> Callable[[], Scene]:
    return lambda: replace(SETTLED, world=replace(WORLD, **more))


WRONG = {
    "plan p1 is Draining": _world(plans=[_changed(PLAN, "status", "phase", value="Draining")]),
    "a step has not ended": _world(plans=[_changed(PLAN, "status", "steps", value=[{"name": "Draining"}])]),
    "plan p1 still keeps places": _world(plans=[_changed(PLAN, "status", "reservations", value=[{"pod": "q"}])]),
    "node a is tainted": lambda: replace(
        SETTLED, nodes=[_changed(NODE, "spec", "taints", value=[{"key": "aim.amd.com/repartitioning"}])]
    ),
    "exporter is still held off": lambda: replace(
        SETTLED, nodes=[_changed(NODE, "metadata", "labels", value={HELD_OFF: "x"})]
    ),
    "still has operation": _world(gpu_nodes=[_changed(GPU_NODE, "spec", "operation", value={"id": "o"})]),
    "GPUNode a still keeps places": _world(
        gpu_nodes=[_changed(GPU_NODE, "spec", "reservations", value=[{"pod": "q"}])]
    ),
    "still at its operation": _world(gpu_nodes=[_changed(GPU_NODE, "status", "operation", value={"phase": "Running"})]),
    "the hardware is": lambda: replace(SETTLED, modes={"a": {BDF: "CPX/NPS4"}}),
    "0 of 1 pods ready": _world(deployments=[_changed(DEPLOYMENT, "status", "readyReplicas", value=0)]),
    "has no Deployment": _world(services=[{"metadata": {"namespace": "team", "name": "s"}, "spec": {}}]),
    "pod team/p is Pending": _world(pods=[_changed(POD, "status", "phase", value="Pending")]),
    "pod team/p is deleted": _world(pods=[_changed(POD, "metadata", "deletionTimestamp", value="now")]),
    "names no claim": _world(pods=[POD, _changed(_changed(POD, "spec", value={}), "metadata", "name", value="q")]),
    "has no GPUPartitionClaim": _world(claims=[]),
    "has no ResourceClaim": _world(resource_claims=[]),
    "claim team/aim-1 of pod team/p is Pending": _world(claims=[_changed(CLAIM, "status", value={"phase": "Pending"})]),
    "is on b, its pod on a": _world(claims=[_changed(CLAIM, "status", "allocation", "node", value="b")]),
    "claim team/aim-9 is nobody's": _world(claims=[CLAIM, _changed(CLAIM, "metadata", "name", value="aim-9")]),
    "is held by": _world(
        pods=[POD, _changed(POD, "spec", "resourceClaims", value=[{"resourceClaimName": "aim-2"}])],
        claims=[CLAIM, _changed(CLAIM, "metadata", "name", value="aim-2")],
    ),
    "the scheduler gave": _world(
        resource_claims=[_changed(RESOURCE_CLAIM, "status", "allocation", "devices", value={"results": []})]
    ),
}


@pytest.mark.parametrize("want", WRONG)
def test_what_is_wrong_is_told(want: str) -> None:
    assert want in " | ".join(unsettled(WRONG[want]()))


def test_after_everything_was_deleted_whatever_is_there_is_told() -> None:
    assert left(replace(SETTLED, world=World(gpu_nodes=[GPU_NODE], plans=[PLAN]))) == []
    found = left(SETTLED)
    assert found == ["Deployment team/d", "pod team/p", "claim team/aim-1", "ResourceClaim team/aim-1"]
