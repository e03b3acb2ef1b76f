"""A pod as the flow sees it: its claim, its gates, what it asks of a node, and whether it still counts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from api.group import CLAIM_PREFIX, GATE, GPU_SHARING
from controller.placement.demand import Expression, PodConstraints, Resources, Toleration
from controller.translate.quantity import cpu_milli, memory_bytes

Json = Mapping[str, Any]

TERMINAL_PHASES = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True)
class PodView:
    """What reconciling needs of a pod. `gates` are its scheduling gates in order; `owner` its controller."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    claim: str | None
    gates: tuple[str, ...]
    annotations: Mapping[str, str]
    labels: Mapping[str, str]
    node_selector: Mapping[str, str]
    node: str | None
    phase: str
    deleting: bool
    ready: bool
    created_seconds: float
    priority: int
    owner: tuple[str, str, str] | None

    @property
    def terminal(self) -> bool:
        """Whether the pod will never run again."""
        return self.phase in TERMINAL_PHASES

    @property
    def gated(self) -> bool:
        """Whether our gate holds it."""
        return GATE in self.gates

    @property
    def foreign_gates(self) -> tuple[str, ...]:
        """Gates of others; while one is present we do not bind."""
        return tuple(gate for gate in self.gates if gate != GATE)

    @property
    def reference(self) -> dict[str, Any]:
        """The pod as Events name it."""
        metadata = {"namespace": self.namespace, "name": self.name, "uid": self.uid}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}


def pod_view(pod: Json) -> PodView:
    """The view of a pod object."""
    metadata, spec, status = pod["metadata"], pod.get("spec", {}), pod.get("status", {})
    return PodView(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        claim=claim_name(pod),
        gates=tuple(gate["name"] for gate in spec.get("schedulingGates", ())),
        annotations=metadata.get("annotations") or {},
        labels=metadata.get("labels") or {},
        node_selector=spec.get("nodeSelector") or {},
        node=spec.get("nodeName"),
        phase=status.get("phase", "Pending"),
        deleting="deletionTimestamp" in metadata,
        ready=any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", ())),
        created_seconds=datetime.fromisoformat(metadata["creationTimestamp"]).timestamp(),
        priority=spec.get("priority") or 0,
        owner=_controller(metadata.get("ownerReferences", ())),
    )


def _controller(references: Iterable[Json]) -> tuple[str, str, str] | None:
    for reference in references:
        if reference.get("controller"):
            return reference["kind"], reference["name"], reference["uid"]
    return None


def claim_name(pod: Json) -> str | None:
    """The name of our claim that the pod asks for, None when it takes no part."""
    annotations = pod["metadata"].get("annotations") or {}
    if annotations.get(GPU_SHARING, "false") == "false":
        return None
    for claim in pod.get("spec", {}).get("resourceClaims", ()):
        name = claim.get("resourceClaimName", "")
        if name.startswith(CLAIM_PREFIX):
            return str(name)
    return None


def constraints(pod: Json) -> PodConstraints:
    """What the real scheduler will check for the node we pin."""
    spec = pod["spec"]
    return PodConstraints(
        resources=requests(spec),
        node_selector=tuple(sorted((spec.get("nodeSelector") or {}).items())),
        affinity=_affinity(spec),
        tolerations=tuple(_toleration(item) for item in spec.get("tolerations", ())),
    )


def requests(spec: Json) -> Resources:
    """CPU and memory that the scheduler counts for a pod.

    The sum of its containers and restartable init containers, or the largest plain init container with the
    restartable ones before it, whichever is more; plus overhead. Pod-level requests win over both.
    """
    running = Resources()
    peak = Resources()
    for container in spec.get("initContainers", ()):
        asked = _container_requests(container)
        if container.get("restartPolicy") == "Always":
            running = running.plus(asked)
            peak = _larger(peak, running)
        else:
            peak = _larger(peak, running.plus(asked))
    for container in spec.get("containers", ()):
        running = running.plus(_container_requests(container))
    total = _larger(running, peak)
    whole = (spec.get("resources") or {}).get("requests") or {}
    cpu = cpu_milli(whole["cpu"]) if "cpu" in whole else total.cpu_milli
    memory = memory_bytes(whole["memory"]) if "memory" in whole else total.memory_bytes
    overhead = spec.get("overhead") or {}
    return Resources(
        cpu + cpu_milli(overhead.get("cpu", "0")), memory + memory_bytes(overhead.get("memory", "0")), pods=1
    )


def _container_requests(container: Json) -> Resources:
    asked = (container.get("resources") or {}).get("requests") or {}
    return Resources(cpu_milli(asked.get("cpu", "0")), memory_bytes(asked.get("memory", "0")))


def _larger(left: Resources, right: Resources) -> Resources:
    return Resources(max(left.cpu_milli, right.cpu_milli), max(left.memory_bytes, right.memory_bytes))


def _affinity(spec: Json) -> tuple[tuple[Expression, ...], ...]:
    node_affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    return tuple(
        (
            *(_expression(item, on_field=False) for item in term.get("matchExpressions", ())),
            *(_expression(item, on_field=True) for item in term.get("matchFields", ())),
        )
        for term in required.get("nodeSelectorTerms", ())
    )


def _expression(item: Json, *, on_field: bool) -> Expression:
    return Expression(item["key"], item["operator"], tuple(item.get("values", ())), on_field)


def _toleration(item: Json) -> Toleration:
    operator: Literal["Equal", "Exists"] = "Exists" if item.get("operator") == "Exists" else "Equal"
    return Toleration(item.get("key", ""), operator, item.get("value", ""), item.get("effect", ""))
