"""What a run sees of the cluster at one moment: plain objects, as the API server sent them. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]

GPU_SHARING = "aim.amd.com/gpu-sharing"
MODEL_ID = "aim.amd.com/model-id"
SERVICE_LABEL = "aim.amd.com/inference-service"
KSERVE_LABEL = "serving.kserve.io/inferenceservice"
GATE = "aim.amd.com/partition"
CLAIM_PREFIX = "aim-"
GROUP_PREFIX = "aim-group-"
"""Of the claim that a share group's members have together."""
DRIVER = "gpu.amd.com"


@dataclass(frozen=True, slots=True)
class World:
    """All objects of each kind that a run looks at. Keys and names are read with the functions of this module.

    This is a judge's view: it shares no code with what it judges, names of the API included.
    """

    pods: Sequence[Object] = ()
    claims: Sequence[Object] = ()
    resource_claims: Sequence[Object] = ()
    services: Sequence[Object] = ()
    deployments: Sequence[Object] = ()
    gpu_nodes: Sequence[Object] = ()
    plans: Sequence[Object] = ()
    kserve_services: Sequence[Object] = ()


def key_of(obj: Object) -> str:
    """namespace/name."""
    metadata = obj["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}"


def by_key(objects: Iterable[Object]) -> dict[str, Object]:
    """Objects by namespace/name."""
    return {key_of(obj): obj for obj in objects}


def status_of(obj: Object) -> Object:
    """The status, empty when there is none."""
    status: Object = obj.get("status") or {}
    return status


def condition(obj: Object, type_: str) -> Object | None:
    """A condition of the status, None when it is not there."""
    return next((entry for entry in status_of(obj).get("conditions", ()) if entry["type"] == type_), None)


def label(obj: Object, name: str) -> str | None:
    """A label's value, None when it is not there."""
    labels = obj["metadata"].get("labels") or {}
    value: str | None = labels.get(name)
    return value


def opted_in(template: Object) -> bool:
    """Whether a pod, or a pod template, asks for a partition."""
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    return bool(annotations.get(GPU_SHARING, "false") != "false")


def claim_key(pod: Object) -> str | None:
    """The key of the claim that a pod names, None when it names none of ours."""
    for entry in pod.get("spec", {}).get("resourceClaims") or ():
        name = entry.get("resourceClaimName") or ""
        if name.startswith(CLAIM_PREFIX):
            return f"{pod['metadata']['namespace']}/{name}"
    return None


def gated(pod: Object) -> bool:
    """Whether our gate holds the pod."""
    return any(gate["name"] == GATE for gate in pod.get("spec", {}).get("schedulingGates") or ())


def lives(pod: Object) -> bool:
    """Whether the pod counts: neither over nor on its way out."""
    return status_of(pod).get("phase") not in ("Succeeded", "Failed") and "deletionTimestamp" not in pod["metadata"]


def ready(pod: Object) -> bool:
    """Whether the pod is Ready."""
    found = condition(pod, "Ready")
    return found is not None and found["status"] == "True"


def allocated_devices(resource_claim: Object) -> list[tuple[str, str]]:
    """(pool, device) of AMD's driver that the scheduler gave to a ResourceClaim, adminAccess left out."""
    allocation = status_of(resource_claim).get("allocation") or {}
    return [
        (result["pool"], result["device"])
        for result in (allocation.get("devices") or {}).get("results") or ()
        if result.get("driver") == DRIVER and not result.get("adminAccess")
    ]


def held_partitions(claim: Object) -> list[tuple[str, str, int]]:
    """(node, bdf, partition) that a GPUPartitionClaim holds: Bound or Allocated, and not on its way out."""
    return [] if "deletionTimestamp" in claim["metadata"] else places(claim)


def places(claim: Object) -> list[tuple[str, str, int]]:
    """The same, also of a claim on its way out: a share group's keeps its place until the last member has left."""
    status = status_of(claim)
    allocation = status.get("allocation")
    if status.get("phase") not in ("Bound", "Allocated") or not allocation:
        return []
    return [(allocation["node"], device["bdf"], device["partition"]) for device in allocation.get("devices") or ()]
