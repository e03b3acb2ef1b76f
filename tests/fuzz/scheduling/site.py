"""What is around the operator: hardware with its agents, Kubernetes' scheduler, kubelets and controllers, and people.

Each acts when it is told to, on what is stored, and never waits: who is late is the search's choice.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from api.group import GANG, GANG_SIZE, ISOLATION, SERVICE_LABEL, SHARE_GROUP
from api.object import dump
from controller.reconcilers.repartition_plan.apply import BUSY
from controller.runtime.client.core import (
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
)
from controller.state.kinds import (
    GPU_NODES,
    GPU_PARTITION_CLAIMS,
    GPU_SHARING_POLICIES,
    INFERENCE_SERVICES,
    REPARTITION_PLANS,
)
from controller.translate.share_group import group_claim_name
from tests.builders.cluster import Object
from tests.builders.gpu import gpu, with_partition
from tests.builders.gpu_node import gpu_node, lease
from tests.builders.inference_service import inference_service
from tests.builders.node import node_object
from tests.builders.pod import container, pod
from tests.builders.policy import policy_object
from tests.builders.resource_claim import resource_claim
from tests.builders.resource_slice import resource_slice
from tests.fakes.clock import FakeClock
from tests.fuzz.scheduling.wire import Wire

LAYOUT: Final = {
    "node-a": ("DPX/NPS1", "SPX/NPS1"),
    "node-b": ("QPX/NPS1",),
    "node-c": ("CPX/NPS4",),
}
"""The modes at first. Node a is ruled by a policy that changes idle GPUs by itself, b by one that asks, c by none."""
POLICIES: Final = {"auto": "node-a", "asks": "node-b"}
NAMESPACE_NAMES: Final = ("team-a", "team-b")
MODELS: Final = (
    "Qwen/Qwen2.5-0.5B-Instruct",
    "Qwen/Qwen3-4B",
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-32B",
    "meta-llama/Llama-3.3-70B-Instruct",
)
"""They need 4, 19, 27, 82 and 159 GiB: partitions of every size."""
PRIORITIES: Final = (0, 0, 10, 20)
COOLDOWN_SECONDS: Final = 60
_RENDER: Final = re.compile(r"renderIndex (?:== (\d+)|in \[([\d, ]+)\])")
_PROFILE: Final = re.compile(r'partitionProfile == "([^"]*)"')
_HOSTNAME: Final = "kubernetes.io/hostname"


@dataclass(frozen=True, slots=True)
class Workload:
    """Something that keeps `replicas` pods. Without `owned` its pods are made once, by a person."""

    name: str
    namespace: str
    annotations: dict[str, str]
    priority: int = 0
    replicas: int = 1
    owned: bool = True
    service: str = ""
    group: str = ""
    cpu: str = "1"

    @property
    def uid(self) -> str:
        """Of its controller."""
        return f"rs-{self.name}"


class Site:
    """Everything but the operator. `hardware`: by node what is really there."""

    def __init__(self, wire: Wire, clock: FakeClock) -> None:
        self.wire, self.clock = wire, clock
        self.hardware = {
            node: [gpu(number, mode) for number, mode in enumerate(modes)] for node, modes in LAYOUT.items()
        }
        self.workloads: dict[str, Workload] = {}
        self.down: set[str] = set()
        self.operations: dict[str, dict[str, Any]] = {}
        self._beats: dict[str, int] = {}
        self._names = 0
        self._slices: dict[str, int] = {}
        for name in NAMESPACE_NAMES:
            wire.put(NAMESPACES, {"metadata": {"name": name, "uid": f"ns-{name}", "labels": {"team": name}}})
        for name in POLICIES:
            self.set_policy(name)
        for node in LAYOUT:
            self.add_node(node)
            self.beat(node)

    # Nodes, agents, hardware.

    def add_node(self, name: str) -> None:
        """The Node, its GPUNode with the present inventory, its devices advertised."""
        self.set_node(name)
        self.wire.put(GPU_NODES, gpu_node(name))
        self.report(name)
        self.publish(name)

    def flip_node(self, name: str) -> bool:
        """The node goes with its pods, or comes back as it was; whether it goes."""
        if self.wire.find(GPU_NODES, name) is None:
            self.operations.pop(name, None)
            self.add_node(name)
            return False
        self.wire.drop(GPU_NODES, name)
        self.wire.drop(NODES, name)
        for one in self.wire.of(PODS):
            if one["spec"].get("nodeName") == name:
                self.wire.drop(PODS, key_of(one))
        return True

    def set_node(self, name: str, **fields: Any) -> None:
        """The Node as it is from now on; the rest of it as usual."""
        usual = {"labels": {"pool": name}, "allocatable": {"cpu": "16", "memory": "2048Gi", "pods": "40"}}
        self.wire.put(NODES, node_object(name, **{**usual, **fields}))

    def beat(self, node: str) -> None:
        """The agent renews its Lease."""
        self._beats[node] = self._beats.get(node, -1) + 1
        self.wire.put(LEASES, lease(node, beat=self._beats[node]))

    def report(self, node: str) -> None:
        """The agent writes what is there."""
        stored = self.wire.find(GPU_NODES, node)
        if stored is None:
            return
        status = gpu_node(node, *self.hardware[node])["status"]
        if node in self.operations:
            status["operation"] = self.operations[node]
        self.wire.put(GPU_NODES, {**stored, "status": status})

    def work(self, node: str) -> bool:
        """The agent takes the ordered operation one step further; whether there was one to do."""
        stored = self.wire.find(GPU_NODES, node)
        ordered = stored["spec"].get("operation") if stored is not None else None
        done = self.operations.get(node, {})
        if ordered is None or (done.get("id") == ordered["id"] and done["phase"] in ("Succeeded", "Failed")):
            return False
        targets = {one["bdf"]: one["mode"] for one in ordered["to"]["gpus"]}
        if done.get("id") != ordered["id"]:
            busy = sorted(self.held_gpus(node) & self._touched(node, targets))
            phase, message = ("Failed", f"{BUSY} {', '.join(busy)}") if busy else ("Running", "")
        else:
            phase, message = "Succeeded", ""
            self.hardware[node] = [
                gpu(number, targets.get(one.bdf, str(one.mode))) for number, one in enumerate(self.hardware[node])
            ]
        step = {"endTime": self.now()} if phase != "Running" else {"step": "SetComputeMode"}
        self.operations[node] = {"id": ordered["id"], "phase": phase, "message": message, **step}
        self.report(node)
        return True

    def _touched(self, node: str, targets: dict[str, str]) -> set[str]:
        memory = {str(one.mode).rpartition("/")[2] for one in self.hardware[node] if one.bdf in targets}
        reloads = memory != {mode.rpartition("/")[2] for mode in targets.values()}
        return {one.bdf for one in self.hardware[node]} if reloads else set(targets)

    def publish(self, node: str) -> bool:
        """The driver advertises the devices that are there; it always does something."""
        self._slices[node] = self._slices.get(node, 0) + 1
        made = resource_slice(node, *self.hardware[node], generation=self._slices[node])
        known = {part.device: part.render_index for each in self.hardware[node] for part in each.partitions}
        for device in made["spec"]["devices"]:
            device["attributes"]["renderIndex"] = {"int": known[device["name"]]}
        self.wire.put(RESOURCE_SLICES, made)
        return True

    def set_health(self, node: str, number: int, index: int, healthy: bool) -> None:
        """A partition breaks, or is well again, and the agent says so."""
        gpus = self.hardware[node]
        number %= len(gpus)
        index %= len(gpus[number].partitions)
        gpus[number] = with_partition(gpus[number], index, healthy=healthy)
        self.report(node)

    def held_gpus(self, node: str) -> set[str]:
        """The GPUs of a node on which somebody has a device."""
        where = {part.device: each.bdf for each in self.hardware[node] for part in each.partitions}
        return {where[device] for pool, device in self.allocated() if pool == node and device in where}

    def set_policy(self, name: str, repartition: dict[str, Any] | None = None, **spec: Any) -> None:
        """The policy as it is from now on; the rest of it as usual."""
        approval = "Auto" if name == "auto" else "Manual"
        changes = {"enabled": True, "approval": approval, "cooldown": f"{COOLDOWN_SECONDS}s", "maxUnavailablePods": 1}
        usual = {"validatedOnly": False, "repartition": changes | (repartition or {})}
        made = policy_object(name, node_labels={"pool": POLICIES[name]}, **{**usual, **spec})
        self.wire.put(GPU_SHARING_POLICIES, made)

    # Pods, and who makes them.

    def add(self, namespace: str, model: str, priority: int, *, replicas: int = 1, owned: bool = True,
            gang: int = 0, service: bool = False, group: bool = False, mode: str = "", cpu: str = "1") -> Workload:  # fmt: skip
        """A new workload with its pods."""
        self._names += 1
        name = f"w{self._names}"
        annotations = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": model}
        if gang:
            annotations |= {GANG: name, GANG_SIZE: str(gang)}
        if group:
            annotations |= {ISOLATION: "cooperative", SHARE_GROUP: "chat", "aim.amd.com/max-concurrency": "4"}
        if mode:
            annotations["aim.amd.com/partition-mode"] = mode
        made = Workload(
            name=name,
            namespace=namespace,
            annotations=annotations,
            priority=priority,
            replicas=gang or replicas,
            owned=owned,
            service=name if service else "",
            group=group_claim_name(namespace, "chat") if group else "",
            cpu=cpu,
        )
        if service:
            asked: dict[str, Any] = {"gpuSharing": {"partition": {"count": 2}}, "model": {"id": model}}
            described = dump(inference_service(name, **asked))
            described["metadata"]["namespace"] = namespace
            self.wire.put(INFERENCE_SERVICES, described)
        if owned:
            metadata = {"name": name, "namespace": namespace, "uid": made.uid}
            self.wire.put(REPLICA_SETS, {"metadata": metadata, "spec": {"replicas": made.replicas}})
        self.workloads[name] = made
        for _ in range(made.replicas):
            self._make(made)
        return made

    def _make(self, workload: Workload) -> None:
        self._names += 1
        name = f"{workload.name}-{self._names}"
        labels = {"workload": workload.name} | ({SERVICE_LABEL: workload.service} if workload.service else {})
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": workload.name, "uid": workload.uid}
        metadata: dict[str, Any] = {"uid": f"uid-{name}", "creationTimestamp": self.now(), "labels": labels}
        if workload.owned:
            metadata["ownerReferences"] = [owner | {"controller": True}]
        self.wire.put(
            PODS,
            pod(
                name,
                container(requests={"cpu": workload.cpu}),
                namespace=workload.namespace,
                claim=workload.group or f"aim-{name}",
                annotations=workload.annotations,
                metadata=metadata,
                priority=workload.priority,
            ),
        )

    def remove(self, name: str) -> None:
        """A workload goes, and its pods are deleted; those on a node take their time."""
        workload = self.workloads.pop(name)
        self.wire.drop(REPLICA_SETS, f"{workload.namespace}/{name}")
        self.wire.drop(INFERENCE_SERVICES, f"{workload.namespace}/{name}")
        for one in self.pods_of(workload):
            self.delete_pod(one)

    def pods_of(self, workload: Workload) -> list[Object]:
        """Its pods."""
        return [one for one in self.wire.of(PODS) if one["metadata"].get("labels", {}).get("workload") == workload.name]

    def delete_pod(self, one: Object) -> None:
        """As `kubectl delete` does: a pod on no node is gone at once."""
        if one["spec"].get("nodeName") is None:
            self.wire.drop(PODS, key_of(one))
        else:
            self.wire.put(PODS, {**one, "metadata": {**one["metadata"], "deletionTimestamp": self.now()}})

    def replace_pods(self) -> int:
        """Controllers make the pods that are missing; how many."""
        made = 0
        for workload in self.workloads.values():
            lives = [one for one in self.pods_of(workload) if is_live(one)]
            for _ in range(workload.replicas - len(lives) if workload.owned else 0):
                self._make(workload)
                made += 1
        return made

    def finish(self, one: Object) -> None:
        """The pod ends by itself."""
        self.wire.put(PODS, {**one, "status": {**one["status"], "phase": "Succeeded", "conditions": []}})

    def collect(self) -> int:
        """Garbage collection, and devices of ended pods are given back; how many objects that changed."""
        uids = {one["metadata"]["uid"] for resource in (PODS, GPU_PARTITION_CLAIMS) for one in self.wire.of(resource)}
        done = 0
        for resource in (GPU_PARTITION_CLAIMS, RESOURCE_CLAIMS):
            for one in self.wire.of(resource):
                owners = [each["uid"] for each in one["metadata"].get("ownerReferences") or ()]
                if owners and not uids.intersection(owners):
                    self.wire.drop(resource, key_of(one))
                    done += 1
        live = {one["metadata"]["uid"] for one in self.wire.of(PODS) if one["status"]["phase"] not in _ENDED}
        for one in self.wire.of(RESOURCE_CLAIMS):
            users = (one.get("status") or {}).get("reservedFor") or []
            left = [user for user in users if user["uid"] in live]
            if len(left) < len(users):
                status = {**one["status"], "reservedFor": left} if left else {}
                self.wire.put(RESOURCE_CLAIMS, {**one, "status": status})
                done += 1
        return done

    # Kubernetes' scheduler and kubelets.

    def schedule(self) -> int:
        """One look at every pod that may go; how many were placed."""
        placed = 0
        for one in self.wire.of(PODS):
            if one["spec"].get("nodeName") or one["spec"].get("schedulingGates") or not is_live(one):
                continue
            node = one["spec"].get("nodeSelector", {}).get(_HOSTNAME)
            if node is not None and self._admits(node, one) and self._allocate(one, node):
                fresh = self.wire.find(PODS, key_of(one)) or one
                self.wire.put(PODS, {**fresh, "spec": {**fresh["spec"], "nodeName": node}})
                placed += 1
            else:
                refused = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
                self.wire.put(PODS, {**one, "status": {**one["status"], "conditions": [refused]}})
        return placed

    def _admits(self, node: str, one: Object) -> bool:
        found = self.wire.find(NODES, node)
        if found is None or found["spec"].get("unschedulable") or found["spec"].get("taints"):
            return False
        used = sum(
            int(other["spec"]["containers"][0]["resources"]["requests"]["cpu"])
            for other in self.wire.of(PODS)
            if other["spec"].get("nodeName") == node and other["status"]["phase"] not in _ENDED
        )
        asked = int(one["spec"]["containers"][0]["resources"]["requests"]["cpu"])
        return used + asked <= int(found["status"]["allocatable"]["cpu"])

    def _allocate(self, one: Object, node: str) -> bool:
        key = f"{one['metadata']['namespace']}/{one['spec']['resourceClaims'][0]['resourceClaimName']}"
        claim = self.wire.find(RESOURCE_CLAIMS, key)
        if claim is None or claim["metadata"].get("deletionTimestamp"):
            return False
        user = {"resource": "pods", "name": one["metadata"]["name"], "uid": one["metadata"]["uid"]}
        status = claim.get("status") or {}
        if not status.get("allocation"):
            devices = self._pinned(claim, node)
            if not devices:
                return False
            given = resource_claim(device=devices, pool=node)["status"]
            status = {**given, "reservedFor": [user]}
        elif any(pool != node for pool, _ in devices_of(claim)):
            return False
        else:
            status = {**status, "reservedFor": [*(status.get("reservedFor") or ()), user]}
        self.wire.put(RESOURCE_CLAIMS, {**claim, "status": status})
        return True

    def _pinned(self, claim: Object, node: str) -> list[str]:
        """The devices that satisfy the pin and that nobody has, as many as are asked for; else none."""
        request = claim["spec"]["devices"]["requests"][0]["exactly"]
        expression = request["selectors"][0]["cel"]["expression"]
        render, profile = _RENDER.search(expression), _PROFILE.search(expression)
        if render is None or profile is None:
            raise ValueError(f"the pin is not understood: {expression}")
        wanted = {int(number) for number in (render[1] or render[2]).split(",")}
        taken = set(self.allocated())
        found = [
            device["name"]
            for one in self.wire.of(RESOURCE_SLICES)
            if one["spec"]["nodeName"] == node
            for device in one["spec"]["devices"]
            if device["attributes"]["renderIndex"]["int"] in wanted
            and device["attributes"]["partitionProfile"]["string"] == profile[1]
            and (node, device["name"]) not in taken
        ]
        return found if len(found) == request["count"] else []

    def allocated(self) -> Iterator[tuple[str, str]]:
        """(pool, device) of every allocation."""
        return (each for claim in self.wire.of(RESOURCE_CLAIMS) for each in devices_of(claim))

    def run_pods(self) -> int:
        """Kubelets start what is placed there and end what is to go; how many pods that changed."""
        done = 0
        for one in self.wire.of(PODS):
            node = one["spec"].get("nodeName")
            if node is None or node in self.down:
                continue
            if "deletionTimestamp" in one["metadata"]:
                self.wire.drop(PODS, key_of(one))
            elif one["status"]["phase"] == "Pending":
                ready = [{"type": kind, "status": "True", "reason": kind} for kind in ("PodScheduled", "Ready")]
                self.wire.put(PODS, {**one, "status": {"phase": "Running", "conditions": ready}})
            else:
                continue
            done += 1
        for one in self.wire.of(PODS):  # a gated pod that is to go has no kubelet to wait for
            if "deletionTimestamp" in one["metadata"] and one["spec"].get("nodeName") is None:
                self.wire.drop(PODS, key_of(one))
        return done

    # Others.

    def take(self, node: str, number: int, index: int) -> bool:
        """Somebody past the operator gets a device, if it is free and advertised; whether it was."""
        gpus = self.hardware[node]
        each = gpus[number % len(gpus)]
        device = each.partitions[index % len(each.partitions)].device
        published = {
            known["name"]
            for one in self.wire.of(RESOURCE_SLICES)
            if one["spec"]["nodeName"] == node
            for known in one["spec"]["devices"]
        }
        if (node, device) in set(self.allocated()) or device not in published:
            return False
        self._names += 1
        name = f"theirs-{self._names}"
        made = resource_claim(name, namespace="others", device=device, pool=node, owner_uid=None)
        self.wire.put(RESOURCE_CLAIMS, made)
        return True

    def theirs(self) -> list[Object]:
        """The ResourceClaims of others."""
        return [one for one in self.wire.of(RESOURCE_CLAIMS) if one["metadata"]["namespace"] == "others"]

    def approve(self) -> int:
        """A person approves every plan that waits for it; how many."""
        waiting = [
            one for one in self.wire.of(REPARTITION_PLANS)
            if (one.get("status") or {}).get("phase") == "AwaitingApproval" and not one["spec"].get("approved")
        ]  # fmt: skip
        for one in waiting:
            self.wire.put(REPARTITION_PLANS, {**one, "spec": {**one["spec"], "approved": True}})
        return len(waiting)

    def heal(self) -> None:
        """Everything of the hardware, the nodes and the policies is as it should be."""
        self.down.clear()
        for name in POLICIES:
            self.set_policy(name)
        for node, gpus in self.hardware.items():
            self.set_node(node)
            gpus[:] = [
                replace(each, partitions=tuple(replace(one, healthy=True) for one in each.partitions)) for each in gpus
            ]
            if self.wire.find(GPU_NODES, node) is None:
                self.wire.put(GPU_NODES, gpu_node(node))
            self.report(node)
            self.publish(node)

    def now(self) -> str:
        """The time as objects have it."""
        return self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


_ENDED: Final = ("Succeeded", "Failed")


def is_live(one: Object) -> bool:
    """Whether a pod runs or may run."""
    return "deletionTimestamp" not in one["metadata"] and one["status"]["phase"] not in _ENDED


def key_of(obj: Object) -> str:
    """`namespace/name`, or `name`."""
    metadata = obj["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


def devices_of(claim: Object) -> list[tuple[str, str]]:
    """(pool, device) of what a ResourceClaim has."""
    results: Iterable[dict[str, Any]] = ((claim.get("status") or {}).get("allocation") or {}).get("devices", {}).get(
        "results"
    ) or ()
    return [(result["pool"], result["device"]) for result in results]
