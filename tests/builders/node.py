"""Nodes: as placement sees them, and the Node object they come from."""

from collections.abc import Mapping, Sequence
from typing import Any

from controller.placement.demand import Resources
from controller.placement.snapshot import Gpu, Node, PolicyView, Taint
from controller.runtime.objects import node as objects
from controller.runtime.objects.conversion import typed
from tests.builders.gpu import GIB, gpu

PLENTY = Resources(cpu_milli=128_000, memory_bytes=2048 * GIB, pods=110)


def node(
    name: str = "worker-0",
    *gpus: Gpu,
    allocatable: Resources = PLENTY,
    used: Resources | None = None,
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Taint] = (),
    policy: PolicyView | None = None,
    **fields: Any,
) -> Node:
    """A healthy, fresh node with one idle GPU in CPX unless GPUs are given."""
    own = {"kubernetes.io/hostname": name}
    values: dict[str, Any] = {"hostname": name, "pool": name} | fields
    return Node(
        name=name,
        gpus=gpus or (gpu(),),
        allocatable=allocatable,
        used=used or Resources(),
        labels=own | dict(labels or {}),
        taints=tuple(taints),
        policy=policy,
        **values,
    )


def node_object(
    name: str = "worker-0",
    *,
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Mapping[str, str]] = (),
    ready: bool = True,
    unschedulable: bool = False,
    allocatable: Mapping[str, str] | None = None,
    version: str = "1",
) -> dict[str, Any]:
    """The Node object as the API server has it."""
    spec: dict[str, Any] = {"taints": list(taints)} if taints else {}
    if unschedulable:
        spec["unschedulable"] = True
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "resourceVersion": version,
            "labels": {"kubernetes.io/hostname": name, "aim.amd.com/managed": "true"} | dict(labels or {}),
        },
        "spec": spec,
        "status": {
            "allocatable": dict(allocatable or {"cpu": "128", "memory": "2048Gi", "pods": "110"}),
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def typed_node(name: str = "worker-0", **fields: Any) -> objects.Node:
    """The Node of `node_object`, decoded."""
    return typed(node_object(name, **fields), objects.Node)
