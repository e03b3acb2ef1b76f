"""GPUNode: the GPUs of one node, how they are partitioned, and the operation under way there.

The agent writes the status, the operator the spec's operation, an administrator ``managed`` and ``paused``.
"""

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict, Field

from api.defaults import no_items
from api.formats import (
    BdfText,
    ByteCount,
    DeviceName,
    LabelName,
    LongText,
    ObjectName,
    ReportedMode,
    ShortText,
    Timestamp,
    UidText,
)
from api.group import API_VERSION
from api.markers import ATOMIC, SET, keyed_by, rules
from api.object import ApiModel, Condition, KubernetesObject
from api.v1beta1.gpu_layout import A_CHANGE, ONE_MEMORY_MODE, Layout, summarise_modes
from api.v1beta1.quarantine import Quarantine, taken_out
from api.v1beta1.repartition_plan import Reservation


class NodeOperation(ApiModel):
    """A change of modes that the agent is to carry out."""

    model_config = ConfigDict(json_schema_extra=rules(*A_CHANGE))

    id: UidText = Field(description="Identity of the operation; the agent does each once.")
    from_: Layout = Field(
        description="The layout before, to which a failure returns.", json_schema_extra=rules(ONE_MEMORY_MODE)
    )
    to: Layout = Field(description="The layout to reach.", json_schema_extra=rules(ONE_MEMORY_MODE))


class GPUNodeSpec(ApiModel):
    """What is to be done with the node."""

    managed: bool = Field(default=True, description="Whether partitions of this node are given to claims.")
    paused: bool = Field(default=False, description="Whether binding, eviction and repartitioning stop here.")
    operation: NodeOperation | None = Field(
        default=None, description="The change of modes to carry out; the operator alone writes it."
    )
    quarantine: list[Quarantine] = Field(
        default_factory=no_items,
        max_length=128,
        description="Partitions that get no claims until their entry is removed, in another mode their whole GPU; the "
        "operator adds them where a policy says onUnhealthy: Replace.",
        json_schema_extra=keyed_by("bdf", "partition"),
    )
    reservations: list[Reservation] = Field(
        default_factory=no_items,
        max_length=128,
        description="Partitions of this node kept for the successors of pods that are moved off broken ones; the "
        "operator alone writes them.",
        json_schema_extra=keyed_by("bdf", "partition"),
    )


class Driver(ApiModel):
    """The GPU driver of the node."""

    version: ShortText = Field(default="", description="Version of the amdgpu driver.")


class PartitionHealth(StrEnum):
    """Whether a partition can be used."""

    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"


class PartitionHolder(StrEnum):
    """Who holds a partition: nobody, a claim of ours, or somebody else."""

    FREE = "free"
    OURS = "ours"
    FOREIGN = "foreign"


class Partition(ApiModel):
    """One partition of a GPU."""

    id: int = Field(ge=0, le=63, description="Number of the partition within its GPU, from 0.")
    render_index: int = Field(ge=0, le=4095, description="Minor number of the render node, e.g. 128 for renderD128.")
    device: DeviceName | None = Field(default=None, description="Name of the device in its ResourceSlice.")
    bytes: ByteCount = Field(description="Memory in bytes; 0 when not known, and then nothing is placed here.")
    compute_units: int = Field(default=0, ge=0, description="Compute units; 0 when not known.")
    health: PartitionHealth = Field(default=PartitionHealth.HEALTHY, description="Healthy or Unhealthy.")
    holder: PartitionHolder = Field(default=PartitionHolder.FREE, description="free, ours or foreign.")


class EccCounts(ApiModel):
    """Memory errors since the driver was loaded."""

    correctable: int = Field(default=0, ge=0, description="Errors that the hardware corrected.")
    uncorrectable: int = Field(default=0, ge=0, description="Errors that lost data.")
    deferred: int = Field(default=0, ge=0, description="Errors found in data that nobody has read yet.")


class GPU(ApiModel):
    """One GPU of the node."""

    bdf: BdfText = Field(description="PCI address, dddd:bb:dd.0.")
    product: ShortText = Field(default="", description="Product, e.g. MI300X.")
    vram_bytes: ByteCount | None = Field(default=None, description="Memory of the whole GPU in bytes.")
    modes_allowed: list[ReportedMode] = Field(
        default_factory=no_items, max_length=15, description="Modes the GPU can be put into.", json_schema_extra=SET
    )
    modes_validated: list[ReportedMode] = Field(
        default_factory=no_items,
        max_length=15,
        description="Those of them that AMD has validated for the product.",
        json_schema_extra=SET,
    )
    mode: ReportedMode | None = Field(default=None, description="The current mode; absent when it cannot be read.")
    partitions: list[Partition] = Field(
        default_factory=no_items,
        max_length=8,
        description="The partitions in the current mode.",
        json_schema_extra=keyed_by("id"),
    )
    missing_partitions: int = Field(
        default=0, ge=0, le=8, description="Partitions that the mode has and the driver does not show."
    )
    processes: int | None = Field(
        default=None, ge=0, description="Processes that have the GPU open; absent where it cannot be told."
    )
    ecc: EccCounts | None = Field(default=None, description="Memory errors; absent where they are not counted.")
    problem: LongText | None = Field(default=None, description="Why the GPU is not healthy, and the remedy.")
    xgmi_hive: int | None = Field(
        default=None,
        ge=0,
        le=15,
        description="Number of the GPU's xGMI hive: xGMI links the GPUs of one number with one another. Absent where "
        "none is linked with it, or nobody tells.",
    )


class MissingGPU(ApiModel):
    """A GPU that the node had and has not now."""

    bdf: BdfText = Field(description="PCI address it had, dddd:bb:dd.0.")
    since: Timestamp = Field(description="When the agent first read the hardware without it.")


class OperationPhase(StrEnum):
    """Where an operation stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class OperationProgress(ApiModel):
    """What the agent reports of an operation."""

    id: UidText = Field(description="Identity of the operation.")
    phase: OperationPhase = Field(default=OperationPhase.PENDING, description="Pending, Running, Succeeded or Failed.")
    step: ShortText = Field(default="", description="The step under way, e.g. SetMemoryMode.")
    progress_percent: int = Field(default=0, ge=0, le=100, description="How much is done, in percent.")
    message: LongText = Field(default="", description="What happens, or why it failed, for people.")
    start_time: Timestamp | None = Field(default=None, description="When the agent began.")
    end_time: Timestamp | None = Field(default=None, description="When it ended.")


class AssignedDevice(ApiModel):
    """A partition that the kubelet gave to a container."""

    namespace: LabelName = Field(description="Namespace of the pod.")
    pod: ObjectName = Field(description="Name of the pod.")
    container: LabelName = Field(description="Name of the container.")
    resource: ShortText = Field(description="The resource asked for, e.g. amd.com/cpx_nps4, or the DRA driver's name.")
    device: ShortText = Field(description="The device as the kubelet names it.")
    bdf: BdfText | None = Field(default=None, description="PCI address of its GPU; absent when it is none of ours.")
    partition: int | None = Field(default=None, ge=0, le=63, description="Number of the partition within its GPU.")


class NodeSummary(ApiModel):
    """The node in one line, for tables."""

    gpus: int = Field(default=0, ge=0, description="GPUs.")
    partitions: int = Field(default=0, ge=0, description="Partitions.")
    free: int = Field(
        default=0,
        ge=0,
        description="Partitions that a claim can get: healthy, of known mode and size, neither held nor in quarantine.",
    )
    modes: ShortText = Field(default="", description="Modes with the number of GPUs in each, e.g. 8xCPX/NPS4.")
    problems: ShortText = Field(default="", description="What is wrong, counted, e.g. unhealthy: 8, in quarantine: 1.")

    @classmethod
    def of(cls, gpus: Iterable[GPU], quarantine: Collection[Quarantine] = (), missing_gpus: int = 0) -> "NodeSummary":
        """The summary of these GPUs, of partitions in quarantine, and of GPUs that are not there any more."""
        listed = list(gpus)
        partitions = [partition for gpu in listed for partition in gpu.partitions]
        out = {gpu.bdf: taken_out(quarantine, gpu.bdf, gpu.mode, [one.id for one in gpu.partitions]) for gpu in listed}
        problems = {
            "unhealthy": sum(one.health is PartitionHealth.UNHEALTHY for one in partitions),
            "in quarantine": sum(map(len, out.values())),
            "not shown by the driver": sum(gpu.missing_partitions for gpu in listed),
            "GPUs without a mode": sum(gpu.mode is None for gpu in listed),
            "GPUs missing": missing_gpus,
        }
        return cls(
            gpus=len(listed),
            partitions=len(partitions),
            free=sum(_can_be_had(gpu, one) and one.id not in out[gpu.bdf] for gpu in listed for one in gpu.partitions),
            modes=summarise_modes(gpu.mode for gpu in listed if gpu.mode is not None),
            problems=", ".join(f"{what}: {count}" for what, count in problems.items() if count),
        )


def _can_be_had(gpu: GPU, partition: Partition) -> bool:
    """Whether a claim can get it, as far as hardware and holders go. Of unknown mode or size nothing is placed."""
    healthy = partition.health is PartitionHealth.HEALTHY
    return gpu.mode is not None and healthy and partition.bytes > 0 and partition.holder is PartitionHolder.FREE


class GPUNodeStatus(ApiModel):
    """What the agent found and did; written by the agent alone."""

    observed_generation: int | None = Field(default=None, ge=0, description="The generation last acted upon.")
    driver: Driver = Field(default_factory=Driver, description="The GPU driver.")
    simulated: bool = Field(default=False, description="Whether the GPUs are simulated.")
    backend: ShortText | None = Field(
        default=None, description="What the agent reads the GPUs by: amdsmi, sysfs (it changes nothing) or simulated."
    )
    product: ShortText | None = Field(default=None, description="Product of the GPUs, when all are the same.")
    gpus: list[GPU] = Field(
        default_factory=no_items, max_length=16, description="The GPUs.", json_schema_extra=keyed_by("bdf")
    )
    missing_gpus: list[MissingGPU] = Field(
        default_factory=no_items,
        max_length=16,
        description="GPUs that the node had and has not now, until they are seen again or an administrator removes "
        "their entry; condition Complete is False meanwhile.",
        json_schema_extra=keyed_by("bdf"),
    )
    assigned: list[AssignedDevice] | None = Field(
        default=None,
        max_length=1024,
        description="What the kubelet gave to which container; absent where the kubelet does not tell.",
        json_schema_extra=ATOMIC,
    )
    operation: OperationProgress | None = Field(default=None, description="The operation under way, or the last one.")
    fingerprint: ShortText | None = Field(
        default=None, description="Changes whenever GPUs, modes or partitions do: a decision names what it saw."
    )
    summary: NodeSummary = Field(default_factory=NodeSummary, description="The node in one line.")
    conditions: list[Condition] = Field(
        default_factory=no_items, max_length=16, description="Ready and others.", json_schema_extra=keyed_by("type")
    )


class GPUNode(KubernetesObject):
    """The GPUs of the node of the same name, their partitions and the operation under way."""

    api_version: Literal["aim.amd.com/v1beta1"] = API_VERSION
    kind: Literal["GPUNode"] = "GPUNode"
    spec: GPUNodeSpec = Field(default_factory=GPUNodeSpec, description="What is to be done with the node.")
    status: GPUNodeStatus = Field(default_factory=GPUNodeStatus, description="What the agent found and did.")
