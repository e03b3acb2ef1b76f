"""Simulated nodes: objects that KWOK plays the kubelet of. Nothing runs on them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from e2e.plane.admin import Object
from e2e.plane.node_conditions import schedulable
from e2e.plane.plane import Plane

_NODES = "/api/v1/nodes"


@dataclass(frozen=True, slots=True)
class NodeShape:
    """What simulated nodes look like; quantities as Kubernetes spells them."""

    cpu: str = "128"
    memory: str = "2Ti"
    pods: str = "110"
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


def add_nodes(plane: Plane, names: Iterable[str], shape: NodeShape | None = None) -> None:
    """Create nodes and wait until each is Ready and free of taints."""
    shape = shape or NodeShape()
    wanted = list(names)
    for name in wanted:
        plane.admin.create(_NODES, node(name, shape))
    plane.wait_until(
        lambda: all(schedulable(plane.admin.get(f"{_NODES}/{name}")) for name in wanted),
        f"nodes {', '.join(wanted)} are Ready",
    )


def remove_nodes(plane: Plane, names: Iterable[str]) -> None:
    """Delete nodes; their pods are garbage that the controllers collect."""
    for name in names:
        plane.admin.delete(f"{_NODES}/{name}")


def node(name: str, shape: NodeShape) -> Object:
    """The Node object; `kwok.x-k8s.io/node: fake` says to every reader that it is simulated."""
    size = {"cpu": shape.cpu, "memory": shape.memory, "pods": shape.pods}
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": labels | dict(shape.labels),
            "annotations": {"kwok.x-k8s.io/node": "fake"} | dict(shape.annotations),
        },
        "status": {"capacity": size, "allocatable": size},
    }
