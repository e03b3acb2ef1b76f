"""GPUPartitionClaim: what one pod, or one share group, needs of a GPU, and what it got.

The operator makes claims; users read them to see why a pod waits. The spec never changes: another need is
another claim.
"""

from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict, Field

from api.defaults import no_items
from api.formats import (
    BdfText,
    ByteCount,
    LabelName,
    LongText,
    ModelId,
    ObjectName,
    ReportedMode,
    ShortText,
    Timestamp,
    UidText,
)
from api.group import API_VERSION
from api.markers import ATOMIC, SET, Rule, keyed_by, rules
from api.object import ApiModel, Condition, KubernetesObject
from api.quantity import PositiveQuantityText
from api.unchanged import unchanged
from api.v1beta1.device import Device
from api.v1beta1.precision import ResolvedPrecision
from api.v1beta1.references import PodReference
from api.v1beta1.released import ReleasedFor
from api.v1beta1.share import MemberShare


class Isolation(StrEnum):
    """What separates a model from its neighbours: a partition of its own, or agreement within a share group."""

    HARDWARE = "hardware"
    COOPERATIVE = "cooperative"


class Binding(StrEnum):
    """How a pod gets its device: by a ResourceClaim, or by an extended resource of the device plugin."""

    DRA = "DRA"
    DEVICE_PLUGIN = "DevicePlugin"


class IsolationLabel(StrEnum):
    """How strongly a model is kept apart from its neighbours on the same GPU, the strongest first."""

    WHOLE_GPU = "whole-gpu"
    COMPUTE_AND_BANDWIDTH = "compute+bandwidth"
    COMPUTE = "compute"
    CU_MASK = "cu-mask"
    COOPERATIVE = "cooperative"


class ClaimPhase(StrEnum):
    """Where a claim stands: waiting, chosen by us, confirmed by the scheduler, over."""

    PENDING = "Pending"
    BOUND = "Bound"
    ALLOCATED = "Allocated"
    RELEASED = "Released"


class Requirement(ApiModel):
    """What is needed of the hardware."""

    memory: PositiveQuantityText | None = Field(
        default=None,
        description="Memory that each partition must have at least, e.g. 24Gi; absent: the model could not be sized, "
        "the condition Bound says why.",
    )
    count: int = Field(default=1, ge=1, le=64, description="Partitions needed, all on one node.")
    modes: list[ReportedMode] = Field(
        default_factory=no_items,
        max_length=15,
        description="Modes to accept, e.g. CPX/NPS4; empty accepts any mode the policy allows.",
        json_schema_extra=SET,
    )
    precision: ResolvedPrecision | None = Field(
        default=None,
        description="Precision in which the model is served; GPUs on which the engine does not run in it are passed "
        "over; absent: any GPU.",
    )
    isolation: Isolation = Field(
        default=Isolation.HARDWARE, description="hardware: a partition of its own; cooperative: a shared one."
    )


class ClaimModel(ApiModel):
    """The model behind the requirement. Informational: placement reads the requirement alone."""

    id: ModelId = Field(description="Identity of the model, e.g. Qwen/Qwen3-8B.")
    precision: ShortText | None = Field(default=None, description="Precision of the weights, e.g. fp8.")
    max_model_len: int | None = Field(default=None, ge=1, description="Longest sequence in tokens.")
    max_concurrency: int | None = Field(default=None, ge=1, description="Sequences served at once.")
    profile_ref: ObjectName | None = Field(
        default=None, description="Name of the ModelProfile that was asked to size the model, if one was."
    )


_ONE_HOLDER = Rule(
    "has(self.podRef) != has(self.shareGroup)",
    "set exactly one of podRef and shareGroup: a claim belongs to one pod or to one share group",
    "(has(self.podRef) && has(self.shareGroup)"
    " ? 'podRef ' + self.podRef.name + ' and shareGroup ' + self.shareGroup + ' are both set'"
    " : 'neither podRef nor shareGroup is set')"
    " + ': set exactly one of podRef and shareGroup, a claim belongs to one pod or to one share group'",
)
_ISOLATION_OF_HOLDER = Rule(
    "has(self.podRef) == has(self.shareGroup) || has(self.shareGroup) == (self.requirement.isolation == 'cooperative')",
    "a pod's claim has isolation hardware, a share group's cooperative: change isolation or the holder",
    "'isolation ' + self.requirement.isolation + ' does not go with '"
    " + (has(self.podRef) ? 'podRef ' + self.podRef.name : 'shareGroup ' + self.shareGroup)"
    " + ': write hardware for a pod, cooperative for a share group'",
    field_path=".requirement.isolation",
)
_FIXED = unchanged(
    "the spec of a claim never changes, delete the claim and create another",
    required=("requirement",),
    optional=("podRef", "shareGroup", "model", "policyRef"),
)


class GPUPartitionClaimSpec(ApiModel):
    """Who needs what."""

    model_config = ConfigDict(json_schema_extra=rules(_ONE_HOLDER, _ISOLATION_OF_HOLDER, _FIXED))

    pod_ref: PodReference | None = Field(default=None, description="The pod that holds the claim.")
    share_group: LabelName | None = Field(
        default=None, description="The share group of this namespace that holds the claim."
    )
    requirement: Requirement = Field(description="What is needed of the hardware.")
    model: ClaimModel | None = Field(default=None, description="The model behind the requirement, for people.")
    policy_ref: ObjectName | None = Field(
        default=None, description="Name of the GPUSharingPolicy to use; absent: the one that selects the namespace."
    )


class PluginResource(ApiModel):
    """An extended resource of the device plugin, and what any device of that name on the node is."""

    name: ShortText = Field(description="Name of the resource that the pod asks for, e.g. amd.com/cpx_nps4.")
    mode: ReportedMode = Field(description="Mode of the GPUs whose partitions bear the name on the node.")
    bytes: ByteCount = Field(description="Memory of the smallest of these partitions in bytes.")


class Allocation(ApiModel):
    """Where the claim was placed."""

    node: ObjectName = Field(description="Name of the node.")
    devices: list[Device] = Field(
        default_factory=no_items,
        max_length=64,
        description="The partitions, in order; with DevicePlugin the kubelet's choice, empty until it was read back.",
        json_schema_extra=ATOMIC,
    )
    binding: Binding = Field(default=Binding.DRA, description="How the pod gets its devices: DRA or DevicePlugin.")
    resource_claim: ObjectName | None = Field(
        default=None, description="Name of the ResourceClaim that carries the allocation, with DRA."
    )
    resource: PluginResource | None = Field(
        default=None, description="The extended resource by which the kubelet chooses the device, with DevicePlugin."
    )
    profile: ShortText | None = Field(
        default=None, description="AIM profile with which the engine starts there; absent where there is none."
    )
    isolation: IsolationLabel | None = Field(
        default=None,
        description="What keeps the model apart from its neighbours on the GPU: whole-gpu, compute+bandwidth (memory, "
        "compute units and memory channels of its own), compute (the channels are shared), cu-mask and cooperative "
        "(members of a share group: memory is kept by their own settings alone; with cu-mask, compute units apart).",
    )


class ObservedDevices(ApiModel):
    """What the pod really holds."""

    devices: list[Device] = Field(
        default_factory=no_items, max_length=64, description="Partitions in use.", json_schema_extra=ATOMIC
    )


class NominationReason(StrEnum):
    """Why a place is kept for a claim that waits: others leave it for the claim, or the claim has waited too long."""

    PREEMPTION = "Preemption"
    RESERVATION = "Reservation"


class NominatedDevice(ApiModel):
    """A partition that is kept for the claim."""

    bdf: BdfText = Field(description="PCI address of its GPU, dddd:bb:dd.0.")
    partition: int = Field(ge=0, le=63, description="Number of the partition within its GPU, from 0.")


class Nomination(ApiModel):
    """A place kept for a claim that waits until those who hold it have left."""

    node: ObjectName = Field(description="Name of the node.")
    devices: list[NominatedDevice] = Field(
        min_length=1, max_length=64, description="The partitions that are kept.", json_schema_extra=ATOMIC
    )
    reason: NominationReason = Field(
        description="Preemption (pods are evicted for the claim) or Reservation (it has waited long; nobody is)."
    )
    victims: list[UidText] = Field(
        default_factory=no_items,
        max_length=64,
        description="Uids of the pods that are evicted for the claim; whose they are is not told.",
        json_schema_extra=ATOMIC,
    )
    time: Timestamp = Field(description="Since when the place is kept.")


class GPUPartitionClaimStatus(ApiModel):
    """What became of the claim; written by the operator alone."""

    observed_generation: int | None = Field(default=None, ge=0, description="The generation last acted upon.")
    phase: ClaimPhase = Field(
        default=ClaimPhase.PENDING,
        description="Pending, Bound (chosen), Allocated (confirmed by the scheduler, or with DevicePlugin by the "
        "kubelet) or Released.",
    )
    allocation: Allocation | None = Field(default=None, description="Where the claim was placed.")
    shares: list[MemberShare] = Field(
        default_factory=no_items,
        max_length=256,
        description="Of a share group: the fixed share that each bound member has of the partition, in the order of "
        "binding; empty for a pod's own claim.",
        json_schema_extra=ATOMIC,
    )
    observed: ObservedDevices | None = Field(
        default=None, description="What the pod really holds by the kubelet's word; absent where it does not tell."
    )
    nomination: Nomination | None = Field(
        default=None, description="The place that is kept for the claim while it waits; absent where there is none."
    )
    explanation: LongText | None = Field(
        default=None, description="Why the claim waits, and the nearest change that would place it."
    )
    excluded_nodes: list[ObjectName] = Field(
        default_factory=no_items,
        max_length=64,
        description="Nodes passed over, because the scheduler refused them for this pod's predecessor.",
        json_schema_extra=SET,
    )
    released: ReleasedFor | None = Field(
        default=None,
        description="The kind of partition that the pod was let go for, which fits nowhere yet, so that a cluster "
        "autoscaler sees it; absent for all others.",
    )
    rebinds: int = Field(default=0, ge=0, description="How often a lost race for a device forced another choice.")
    bound_time: Timestamp | None = Field(default=None, description="When the claim was bound first.")
    conditions: list[Condition] = Field(
        default_factory=no_items,
        max_length=16,
        description="Bound, Allocated, Stuck (needs a person), ObservedMismatch (the pod holds another device than "
        "it was bound to), Unassigned (the pod was let go without what its containers read) and TooSmall (the model "
        "needs more by now than the partition has).",
        json_schema_extra=keyed_by("type"),
    )


class GPUPartitionClaim(KubernetesObject):
    """A claim of one pod, or one share group, on GPU partitions, and what it got."""

    api_version: Literal["aim.amd.com/v1beta1"] = API_VERSION
    kind: Literal["GPUPartitionClaim"] = "GPUPartitionClaim"
    spec: GPUPartitionClaimSpec = Field(description="Who needs what.")
    status: GPUPartitionClaimStatus = Field(
        default_factory=GPUPartitionClaimStatus, description="What became of the claim."
    )
