"""A pod as the flow sees it: its claim, its gates, what it asks of a node, and whether it still counts."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from api.group import ASSIGNED_NODE, CLAIM_PREFIX, GATE, GPU_SHARING
from controller.binding.device_plugin import claim_suffix
from controller.placement.demand import PodConstraints, Resources, Toleration
from controller.placement.expression import Expression
from controller.runtime.objects.metadata import OwnerReference
from controller.runtime.objects.node_selector import NodeSelectorRequirement
from controller.runtime.objects.pod import Container, Pod, PodSpec
from controller.runtime.objects.pod import Toleration as PodToleration
from controller.translate.plugin_devices import plugin_devices, plugin_resource
from controller.translate.pod_profiles import mounted_map
from controller.translate.quantity import cpu_milli, memory_bytes

TERMINAL_PHASES = frozenset({"Succeeded", "Failed"})
#: Labels by which controllers mark the revision of a pod's template: ReplicaSets, then StatefulSets and DaemonSets.
REVISION_LABELS = ("pod-template-hash", "controller-revision-hash")
#: By whom a ReplicaSet's name has which of its pods' labels at its end: Deployments, and Rollouts of Argo.
_HASHES_OF_REPLICA_SETS = ("pod-template-hash", "rollouts-pod-template-hash")
#: What a CronJob adds to its name for each Job: the minute that it is of, since 1970.
_OF_CRON_JOB = re.compile(r"-[0-9]{8,}$")


@dataclass(frozen=True, slots=True)
class PodView:
    """What reconciling needs of a pod. `gates` are its scheduling gates in order; `owner` its controller.

    `devices` counts what it asks of AMD's device plugin, by resource; `profiles` names the ConfigMap with its AIM
    profiles. `preempts`: its preemptionPolicy lets others leave for it.
    """

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
    devices: Mapping[str, int]
    tolerations: tuple[PodToleration, ...] = ()
    profiles: str | None = None
    preempts: bool = True

    @property
    def template_hash(self) -> str:
        """The revision of the template that the pod was made from; empty when nobody marked one."""
        return next((self.labels[label] for label in REVISION_LABELS if label in self.labels), "")

    @property
    def workload(self) -> str:
        """The name of what people made for the pod to be there: a Deployment's, not its ReplicaSet's, a CronJob's and
        not that of each of its Jobs; empty for a pod that nobody made.
        """
        if self.owner is None:
            return ""
        kind, name, _ = self.owner
        if kind == "Job":
            return _OF_CRON_JOB.sub("", name)
        if kind == "ReplicaSet":
            hashes = (self.labels[label] for label in _HASHES_OF_REPLICA_SETS if label in self.labels)
            return name.removesuffix(f"-{next(hashes, '')}")
        return name

    @property
    def resource(self) -> str:
        """The extended resource by which it gets its partition; empty for one with a ResourceClaim, or none of ours."""
        return plugin_resource(self.devices) if self.by_device_plugin else ""

    @property
    def by_device_plugin(self) -> bool:
        """Whether it takes part, and gets its partition from the device plugin."""
        return self.claim is not None and self.claim == plugin_claim_name(self.uid)

    @property
    def terminal(self) -> bool:
        """Whether the pod will never run again."""
        return self.phase in TERMINAL_PHASES

    @property
    def stays(self) -> bool:
        """Whether it has not ended, and is not about to."""
        return not self.deleting and not self.terminal

    @property
    def serves(self) -> bool:
        """Whether it is ready, and stays."""
        return self.ready and self.stays

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


def pod_view(pod: Pod) -> PodView:
    """The view of a stored pod. Raises ValueError for one without a creation time, which no API server stores."""
    metadata, spec = pod.metadata, pod.spec
    if metadata.creation_timestamp is None:
        raise ValueError(f"pod {metadata.namespace}/{metadata.name}: metadata.creationTimestamp is missing: not stored")
    return PodView(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        claim=claim_name(pod),
        gates=tuple(gate.name for gate in spec.scheduling_gates),
        annotations=metadata.annotations,
        labels=metadata.labels,
        node_selector=spec.node_selector,
        node=spec.node_name or None,
        phase=pod.status.phase or "Pending",
        deleting=metadata.deletion_timestamp is not None,
        ready=any(found.type == "Ready" and found.status == "True" for found in pod.status.conditions),
        created_seconds=datetime.fromisoformat(metadata.creation_timestamp).timestamp(),
        priority=spec.priority,
        owner=controller_of(metadata.owner_references),
        devices=plugin_devices(spec),
        tolerations=spec.tolerations,
        profiles=mounted_map(spec),
        preempts=spec.preemption_policy != "Never",
    )


def controller_of(references: Iterable[OwnerReference]) -> tuple[str, str, str] | None:
    """Kind, name and uid of whoever stands for the object; None where nobody does."""
    for reference in references:
        if reference.controller:
            return reference.kind, reference.name, reference.uid
    return None


def claim_name(pod: Pod) -> str | None:
    """The name of the pod's claim, None when it takes no part.

    With a ResourceClaim the pod names it. A pod of the device plugin takes part when our gate held it: it has the gate
    still, or what the operator wrote when it took the gate off; its claim is named for its uid.
    """
    annotations = pod.metadata.annotations
    if annotations.get(GPU_SHARING, "false") == "false":
        return None
    for claim in pod.spec.resource_claims:
        if claim.resource_claim_name.startswith(CLAIM_PREFIX):
            return claim.resource_claim_name
    if not plugin_resource(plugin_devices(pod.spec)):
        return None
    held = ASSIGNED_NODE in annotations or any(gate.name == GATE for gate in pod.spec.scheduling_gates)
    return plugin_claim_name(pod.metadata.uid) if held else None


def plugin_claim_name(uid: str) -> str:
    """The name of the claim of a pod that asks the device plugin."""
    return CLAIM_PREFIX + claim_suffix(uid)


def constraints(spec: PodSpec) -> PodConstraints:
    """What the real scheduler will check for the node we pin."""
    return PodConstraints(
        resources=requests(spec),
        node_selector=tuple(sorted(spec.node_selector.items())),
        affinity=_affinity(spec),
        tolerations=tuple(_toleration(item) for item in spec.tolerations),
    )


def requests(spec: PodSpec) -> Resources:
    """CPU and memory that the scheduler counts for a pod.

    The sum of its containers and restartable init containers, or the largest plain init container with the
    restartable ones before it, whichever is more; plus overhead. Pod-level requests win over both.
    """
    running = Resources()
    peak = Resources()
    for container in spec.init_containers:
        asked = _container_requests(container)
        if container.restart_policy == "Always":
            running = running.plus(asked)
            peak = _larger(peak, running)
        else:
            peak = _larger(peak, running.plus(asked))
    for container in spec.containers:
        running = running.plus(_container_requests(container))
    total = _larger(running, peak)
    whole, overhead = spec.resources.requests, spec.overhead
    cpu = cpu_milli(whole["cpu"]) if "cpu" in whole else total.cpu_milli
    memory = memory_bytes(whole["memory"]) if "memory" in whole else total.memory_bytes
    return Resources(
        cpu + cpu_milli(overhead.get("cpu", "0")), memory + memory_bytes(overhead.get("memory", "0")), pods=1
    )


def _container_requests(container: Container) -> Resources:
    asked = container.resources.requests
    return Resources(cpu_milli(asked.get("cpu", "0")), memory_bytes(asked.get("memory", "0")))


def _larger(left: Resources, right: Resources) -> Resources:
    return Resources(max(left.cpu_milli, right.cpu_milli), max(left.memory_bytes, right.memory_bytes))


def _affinity(spec: PodSpec) -> tuple[tuple[Expression, ...], ...]:
    node_affinity = spec.affinity.node_affinity if spec.affinity is not None else None
    required = node_affinity.required_during_scheduling_ignored_during_execution if node_affinity is not None else None
    if required is None:
        return ()
    return tuple(
        (
            *(_expression(item, on_field=False) for item in term.match_expressions),
            *(_expression(item, on_field=True) for item in term.match_fields),
        )
        for term in required.node_selector_terms
    )


def _expression(item: NodeSelectorRequirement, *, on_field: bool) -> Expression:
    return Expression(item.key, item.operator, item.values, on_field)


def _toleration(item: PodToleration) -> Toleration:
    operator: Literal["Equal", "Exists"] = "Exists" if item.operator == "Exists" else "Equal"
    return Toleration(item.key, operator, item.value, item.effect)
