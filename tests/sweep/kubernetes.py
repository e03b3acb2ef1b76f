"""What Kubernetes does around the operator, no more than the sweep needs: controllers that replace pods, the webhook's
place in admission, a scheduler that allocates claims by their pins, and kubelets.
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from controller.binding.dra import DRIVER
from controller.runtime.client.core import DAEMON_SETS, NODES, PODS, REPLICA_SETS, RESOURCE_CLAIMS, RESOURCE_SLICES
from controller.runtime.client.resource import Resource
from controller.runtime.manifest import Manifest
from controller.translate.node_labels import METRICS_EXPORTER_LABEL, PAUSED
from controller.webhooks.pod_gate import PodGate
from tests.builders.json_patch import apply_patch
from tests.fakes.store import FakeStore, Write

NAMESPACE = "team-a"
REACTION_SECONDS = 0.1
"""Between a change and what Kubernetes makes of it."""
EXPORTER = "amd-amdgpu-metrics-exporter"
"""The label `app` of AMD's exporter's pods here, which end as the real one's do."""
START_SECONDS = 0.5
END_SECONDS = 1.0

_HOSTNAME = "kubernetes.io/hostname"
_RENDER = re.compile(r"renderIndex == (\d+)")
_PROFILE = re.compile(r'partitionProfile == "([^"]*)"')
_FOLLOWED: tuple[Resource, ...] = (PODS, RESOURCE_CLAIMS, RESOURCE_SLICES, NODES)
_SUFFIX = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Workload:
    """Something that keeps `replicas` pods: `template` is their metadata (annotations, labels) and spec.

    `node`: a DaemonSet's pod of that node, which no scheduler places.
    """

    name: str
    template: Manifest
    replicas: int = 1
    namespace: str = NAMESPACE
    node: str | None = None

    @property
    def resource(self) -> Resource:
        """What keeps the pods."""
        return REPLICA_SETS if self.node is None else DAEMON_SETS


class Kubernetes:
    """Acts on the store as the cluster would, a little after each change; `run` it."""

    def __init__(self, store: FakeStore, rng: Random) -> None:
        self.store = store
        self.workloads: dict[str, Workload] = {}
        self.down: set[str] = set()
        self._rng = rng
        self._gate = PodGate(lambda: "".join(rng.choice(_SUFFIX) for _ in range(10)))
        self._wake = asyncio.Event()
        self._due: dict[str, float] = {}
        store.on_write.append(self._heard)

    def add(self, workload: Workload) -> None:
        """Keep its pods from now on."""
        metadata = {"name": workload.name, "namespace": workload.namespace}
        if self.store.find(workload.resource, workload.name, workload.namespace) is not None:
            return
        made = self.store.create(workload.resource, {"metadata": metadata, "spec": {"replicas": workload.replicas}})
        self.workloads[made["metadata"]["uid"]] = workload
        self.wake()

    def wake(self) -> None:
        """Look again, though no object changed."""
        self._wake.set()

    async def run(self) -> None:
        """Act until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(REACTION_SECONDS)
            self._wake.clear()
            self._replace_pods()
            self._release_claims()
            self._schedule()
            self._run_pods()

    def _heard(self, write: Write) -> None:
        if write.resource in _FOLLOWED:
            self._wake.set()

    # Controllers -----------------------------------------------------------------------------------------------------

    def _replace_pods(self) -> None:
        pods = self.store.list(PODS)
        for uid, workload in self.workloads.items():
            if workload.node is not None and not self._runs_on(workload, workload.node):
                continue
            own = [pod for pod in pods if owner_uid(pod) == uid and "deletionTimestamp" not in pod["metadata"]]
            for pod in own[workload.replicas :]:
                self.store.delete(PODS, pod["metadata"]["name"], workload.namespace)
            for _ in range(workload.replicas - len(own)):
                self._create(workload, uid)

    def _runs_on(self, workload: Workload, node: str) -> bool:
        """Whether a DaemonSet's pod may be made for the node: our admission policy holds off AMD's exporter.

        None is made where a taint that its template does not tolerate keeps new pods away.
        """
        found = self.store.find(NODES, node)
        if found is None:
            return False
        held_off = found["metadata"]["labels"].get(METRICS_EXPORTER_LABEL) == PAUSED
        if held_off and workload.template["metadata"]["labels"].get("app") == EXPORTER:
            return False
        return not _kept_off(workload.template["spec"], found)

    def _create(self, workload: Workload, uid: str) -> None:
        template = workload.template
        kind = workload.resource.kind
        owner = {"apiVersion": "apps/v1", "kind": kind, "name": workload.name, "uid": uid, "controller": True}
        metadata = {
            **template["metadata"],
            "namespace": workload.namespace,
            "name": f"{workload.name}-{self._rng.getrandbits(20):05x}",
            "ownerReferences": [owner],
        }
        spec = dict(template["spec"]) if workload.node is None else {**template["spec"], "nodeName": workload.node}
        pod = {"metadata": metadata, "spec": spec}
        patch = self._gate.mutate(pod)
        if not isinstance(patch, list):
            raise TypeError(f"workload {workload.name}: the pod webhook refuses its pods: {patch}")
        self.store.create(PODS, apply_patch(pod, patch))

    def _release_claims(self) -> None:
        """Of ResourceClaims that pods have reserved which are gone: these hold them no longer, nor does a finalizer."""
        for claim in self.store.list(RESOURCE_CLAIMS):
            name, namespace = claim["metadata"]["name"], claim["metadata"]["namespace"]
            users = (claim.get("status") or {}).get("reservedFor") or []
            left = [user for user in users if self._exists(user, namespace)]
            if len(left) < len(users):
                status = {"reservedFor": left} if left else {"reservedFor": None, "allocation": None}
                self.store.write(RESOURCE_CLAIMS, name, namespace, {"status": status}, subresource="status")
            if "deletionTimestamp" in claim["metadata"] and not left:
                self.store.write(RESOURCE_CLAIMS, name, namespace, {"metadata": {"finalizers": None}})

    def _exists(self, user: Manifest, namespace: str) -> bool:
        pod = self.store.find(PODS, user["name"], namespace)
        return pod is not None and pod["metadata"]["uid"] == user["uid"]

    # Scheduler -------------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        for pod in self.store.list(PODS):
            spec = pod["spec"]
            if spec.get("nodeName") or spec.get("schedulingGates") or "deletionTimestamp" in pod["metadata"]:
                continue
            node = self._fits(pod)
            if node is None:
                self._patch_status(pod, conditions=[_condition("PodScheduled", "False", "Unschedulable")])
            else:
                name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
                self.store.write(PODS, name, namespace, {"spec": {"nodeName": node}})

    def _fits(self, pod: Manifest) -> str | None:
        """The node for a pod, with its ResourceClaims allocated there; None when there is none."""
        wanted = (pod["spec"].get("nodeSelector") or {}).get(_HOSTNAME)
        for node in self.store.list(NODES):
            labels = node["metadata"].get("labels") or {}
            if _kept_off(pod["spec"], node) or (wanted is not None and labels.get(_HOSTNAME) != wanted):
                continue
            if all(self._allocate(pod, claim, node) for claim in _claims_of(pod)):
                name: str = node["metadata"]["name"]
                return name
        return None

    def _allocate(self, pod: Manifest, name: str, node: Manifest) -> bool:
        namespace = pod["metadata"]["namespace"]
        claim = self.store.find(RESOURCE_CLAIMS, name, namespace)
        if claim is None or "deletionTimestamp" in claim["metadata"]:
            return False
        user = {"resource": "pods", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        status = claim.get("status") or {}
        if not status.get("allocation"):
            device = self._device(claim, node)
            if device is None:
                return False
            result = {"request": "gpu", "driver": DRIVER, "pool": node["metadata"]["name"], "device": device}
            status = {"allocation": {"devices": {"results": [result]}}}
        elif allocated(claim)[0][0] != node["metadata"]["name"]:
            return False
        status = {**status, "reservedFor": [user]}
        self.store.write(RESOURCE_CLAIMS, name, namespace, {"status": status}, subresource="status")
        return True

    def _device(self, claim: Manifest, node: Manifest) -> str | None:
        taken = {place for other in self.store.list(RESOURCE_CLAIMS) for place in allocated(other)}
        expression = claim["spec"]["devices"]["requests"][0]["exactly"]["selectors"][0]["cel"]["expression"]
        render, profile = _RENDER.search(expression), _PROFILE.search(expression)
        if render is None or profile is None:
            raise ValueError(f"the pin is not understood: {expression}")
        for device in advertised(self.store, node["metadata"]["name"]):
            attributes = device["attributes"]
            pinned = attributes.get("renderIndex", {}).get("int") == int(render[1])
            name: str = device["name"]
            if (
                pinned
                and attributes.get("partitionProfile", {}).get("string") == profile[1]
                and (node["metadata"]["name"], name) not in taken
            ):
                return name
        return None

    # Kubelets --------------------------------------------------------------------------------------------------------

    def _run_pods(self) -> None:
        for pod in self.store.list(PODS):
            node = pod["spec"].get("nodeName")
            if node is None or node in self.down:
                continue
            if self.store.find(NODES, node) is None:  # pod garbage collection
                self.store.delete(PODS, pod["metadata"]["name"], pod["metadata"]["namespace"], grace=0)
            elif "deletionTimestamp" in pod["metadata"]:
                self._after(pod, END_SECONDS, self._end)
            elif pod["status"]["phase"] == "Pending":
                self._after(pod, START_SECONDS, self._start)

    def _after(self, pod: Manifest, seconds: float, act: Any) -> None:
        """Act once after `seconds`, should the pod still be there."""
        key = f"{pod['metadata']['uid']} {act.__name__}"
        if key not in self._due:
            self._due[key] = 0.0
            asyncio.get_running_loop().call_later(seconds, act, pod)

    def _start(self, pod: Manifest) -> None:
        now = self.store.find(PODS, pod["metadata"]["name"], pod["metadata"]["namespace"])
        if now is None or now["metadata"]["uid"] != pod["metadata"]["uid"] or "deletionTimestamp" in now["metadata"]:
            return
        conditions = [_condition("PodScheduled", "True", "Scheduled"), _condition("Ready", "True", "Ready")]
        self._patch_status(now, phase="Running", conditions=conditions, startTime=self._moment())

    def _end(self, pod: Manifest) -> None:
        now = self.store.find(PODS, pod["metadata"]["name"], pod["metadata"]["namespace"])
        if now is not None and now["metadata"]["uid"] == pod["metadata"]["uid"]:
            self.store.delete(PODS, pod["metadata"]["name"], pod["metadata"]["namespace"], grace=0)

    def _patch_status(self, pod: Manifest, **status: Any) -> None:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        self.store.write(PODS, name, namespace, {"status": status}, subresource="status")

    def _moment(self) -> str:
        return self.store.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def owner_uid(pod: Manifest) -> str | None:
    """The uid of the pod's controller."""
    return next((owner["uid"] for owner in pod["metadata"].get("ownerReferences") or ()), None)


def allocated(claim: Manifest) -> list[tuple[str, str]]:
    """(pool, device) of each device that a ResourceClaim holds for itself."""
    results = ((claim.get("status") or {}).get("allocation") or {}).get("devices", {}).get("results") or ()
    return [(result["pool"], result["device"]) for result in results if not result.get("adminAccess")]


def advertised(store: FakeStore, node: str) -> Iterator[Manifest]:
    """Devices of the node's newest complete pool."""
    slices = [
        found["spec"]
        for found in store.list(RESOURCE_SLICES)
        if found["spec"]["driver"] == DRIVER and found["spec"].get("nodeName") == node
    ]
    newest = max((found["pool"]["generation"] for found in slices), default=0)
    current = [found for found in slices if found["pool"]["generation"] == newest]
    if current and len(current) == current[0]["pool"]["resourceSliceCount"]:
        for found in current:
            yield from found.get("devices") or ()


def _kept_off(spec: Manifest, node: Manifest) -> bool:
    """Whether a taint of the node keeps pods of this spec away; of tolerations, those of a key and any value are told."""
    tolerated = {one["key"] for one in spec.get("tolerations") or () if one["operator"] == "Exists"}
    taints = [taint for taint in node["spec"].get("taints") or () if taint["effect"] != "PreferNoSchedule"]
    return any(taint["key"] not in tolerated for taint in taints)


def _claims_of(pod: Manifest) -> list[str]:
    return [claim["resourceClaimName"] for claim in pod["spec"].get("resourceClaims") or ()]


def _condition(kind: str, status: str, reason: str) -> Manifest:
    return {"type": kind, "status": status, "reason": reason}
