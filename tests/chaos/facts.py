"""What the judges know of a stored object: a few frozen facts, read from plain JSON and by nothing of the operator's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

Object = Mapping[str, Any]
Place: TypeAlias = tuple[str, str, int]
"""Node, address of the GPU, partition."""

OPT_IN: Final = "aim.amd.com/gpu-sharing"
OURS: Final = "aim.amd.com/"
SERVICE_LABEL: Final = "aim.amd.com/inference-service"
GATE: Final = "aim.amd.com/partition"
DRIVER: Final = "gpu.amd.com"
HOLDING: Final = ("Bound", "Allocated")
BEGUN: Final = frozenset({"Draining", "Quiescing", "Applying", "Reloading", "Verifying", "RollingBack"})
HARDWARE: Final = frozenset({"Applying", "Reloading", "Verifying", "RollingBack"})
OVER: Final = frozenset({"Succeeded", "RolledBack", "Failed"})
ENDED: Final = ("Succeeded", "Failed")


class Kind(StrEnum):
    """The kinds that are judged, by the prefix of their keys in etcd."""

    POD = "pods"
    CLAIM = "aim.amd.com/gpupartitionclaims"
    RESOURCE_CLAIM = "resourceclaims"
    GPU_NODE = "aim.amd.com/gpunodes"
    PLAN = "aim.amd.com/repartitionplans"
    LEASE = "leases/aim-gpu-system"
    REPLICA_SET = "replicasets"


@dataclass(frozen=True, slots=True)
class Pod:
    """`claim`: the name of the ResourceClaim that it uses, "" without one. `annotated`: annotations of ours beyond the
    opt-in. `deleting`: somebody asked for its end. `service`: the InferenceService that it is of, "" for none."""

    uid: str
    opted_in: bool = False
    gated: bool = False
    claim: str = ""
    node: str = ""
    phase: str = "Pending"
    deleting: bool = False
    annotated: bool = False
    owner: str = ""
    service: str = ""

    @property
    def lives(self) -> bool:
        """Neither over nor on its way out."""
        return not self.deleting and self.phase not in ENDED


@dataclass(frozen=True, slots=True)
class Held:
    """A partition in a claim's allocation, in the mode and under the device's name that it says."""

    place: Place
    mode: str
    device: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A GPUPartitionClaim. `held`: what it has while it is Bound or Allocated. `pod`: the uid it stands for, "" for a
    share group's. `shares`, `whole`: bytes given to members, and those of the partition. `victims`: uids of the pods
    that are to go for it."""

    uid: str
    phase: str = "Pending"
    held: tuple[Held, ...] = ()
    pod: str = ""
    shares: int = 0
    whole: int = 0
    victims: tuple[str, ...] = ()
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class ResourceClaim:
    """`devices`: (pool, device) that the scheduler gave exclusively; `watched`: those with adminAccess."""

    uid: str
    devices: tuple[tuple[str, str], ...] = ()
    watched: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Gpu:
    """`partitions`: number -> device name."""

    mode: str
    partitions: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class GpuNode:
    """`gpus` by address, as the agent reported. `operation`: its id, "" without one; `kept`: pods' reservations."""

    gpus: tuple[tuple[str, Gpu], ...] = ()
    operation: str = ""
    kept: tuple[str, ...] = ()

    def reports(self, held: Held) -> bool:
        """Whether that partition is there, in that mode."""
        found = dict(self.gpus).get(held.place[1])
        return found is not None and found.mode == held.mode and held.place[2] in dict(found.partitions)


@dataclass(frozen=True, slots=True)
class Plan:
    """`kept`: names of the pods whose successors have a place on record. `person`: a person approved it. `gpus`: the
    addresses of those that it changes."""

    uid: str
    node: str
    phase: str = "Pending"
    kept: tuple[str, ...] = ()
    person: bool = False
    gpus: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Lease:
    """The agent's of a node, or another."""

    renewed: str


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    """`replicas`: how many pods are wanted."""

    uid: str
    replicas: int


Fact: TypeAlias = Pod | Claim | ResourceClaim | GpuNode | Plan | Lease | ReplicaSet


def fact(kind: Kind, obj: Object) -> Fact:
    """The facts of a stored object."""
    return _READERS[kind](obj)


def _pod(obj: Object) -> Pod:
    metadata, spec = obj["metadata"], obj["spec"]
    annotations = metadata.get("annotations") or {}
    claims = [entry.get("resourceClaimName") or "" for entry in spec.get("resourceClaims") or ()]
    owners = [one["uid"] for one in metadata.get("ownerReferences") or () if one.get("controller")]
    return Pod(
        uid=metadata["uid"],
        opted_in=annotations.get(OPT_IN, "false") != "false",
        gated=any(gate["name"] == GATE for gate in spec.get("schedulingGates") or ()),
        claim=next((name for name in claims if name.startswith("aim-")), ""),
        node=spec.get("nodeName", ""),
        phase=_status(obj).get("phase", "Pending"),
        deleting="deletionTimestamp" in metadata,
        annotated=any(name.startswith(OURS) and name != OPT_IN for name in annotations),
        owner=owners[0] if owners else "",
        service=(metadata.get("labels") or {}).get(SERVICE_LABEL, ""),
    )


def _claim(obj: Object) -> Claim:
    metadata, spec, status = obj["metadata"], obj["spec"], _status(obj)
    allocation = status.get("allocation") or {}
    devices = allocation.get("devices") or ()
    # a share group's that somebody deletes keeps its place until the last member has left
    holds = status.get("phase") in HOLDING and ("deletionTimestamp" not in metadata or not spec.get("podRef"))
    return Claim(
        uid=metadata["uid"],
        phase=status.get("phase", "Pending"),
        held=tuple(
            Held((allocation["node"], one["bdf"], one["partition"]), one["mode"], one.get("device") or "")
            for one in devices
            if holds
        ),
        pod=(spec.get("podRef") or {}).get("uid", ""),
        shares=sum(share["bytes"] for share in status.get("shares") or ()),
        whole=sum(one["bytes"] for one in devices),
        victims=tuple((status.get("nomination") or {}).get("victims") or ()),
        deleting="deletionTimestamp" in metadata,
    )


def _resource_claim(obj: Object) -> ResourceClaim:
    allocation = _status(obj).get("allocation") or {}
    results = [one for one in (allocation.get("devices") or {}).get("results") or () if one.get("driver") == DRIVER]
    return ResourceClaim(
        obj["metadata"]["uid"],
        tuple((one["pool"], one["device"]) for one in results if not one.get("adminAccess")),
        tuple((one["pool"], one["device"]) for one in results if one.get("adminAccess")),
    )


def _gpu_node(obj: Object) -> GpuNode:
    gpus = [
        (
            gpu["bdf"],
            Gpu(gpu.get("mode") or "", tuple((one["id"], one.get("device") or "") for one in gpu["partitions"])),
        )
        for gpu in _status(obj).get("gpus") or ()
        if "partitions" in gpu
    ]
    spec = obj["spec"]
    return GpuNode(
        tuple(gpus),
        (spec.get("operation") or {}).get("id", ""),
        tuple(one["pod"] for one in spec.get("reservations") or ()),
    )


def _plan(obj: Object) -> Plan:
    spec, status = obj["spec"], _status(obj)
    return Plan(
        obj["metadata"]["uid"],
        spec["node"],
        status.get("phase") or "Pending",
        tuple(one["pod"] for one in status.get("reservations") or ()),
        bool(spec.get("approved")),
        frozenset(gpu["bdf"] for gpu in spec["to"]["gpus"]),
    )


def _lease(obj: Object) -> Lease:
    return Lease(obj["spec"].get("renewTime") or "")


def _replica_set(obj: Object) -> ReplicaSet:
    return ReplicaSet(obj["metadata"]["uid"], obj["spec"].get("replicas", 1))


def _status(obj: Object) -> Object:
    found: Object = obj.get("status") or {}
    return found


_READERS: Final[Mapping[Kind, Callable[[Object], Fact]]] = {
    Kind.POD: _pod,
    Kind.CLAIM: _claim,
    Kind.RESOURCE_CLAIM: _resource_claim,
    Kind.GPU_NODE: _gpu_node,
    Kind.PLAN: _plan,
    Kind.LEASE: _lease,
    Kind.REPLICA_SET: _replica_set,
}
