"""InferenceService: a model to serve, its precision, and the service level it needs.

The user says what; sizing, partition and node follow from it and are reported in the status.
"""

from enum import StrEnum
from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.duration import DurationText
from api.formats import (
    BdfText,
    ByteCount,
    LabelName,
    LongText,
    ModelId,
    ModeText,
    ObjectName,
    ShortText,
    Timestamp,
)
from api.group import API_VERSION
from api.markers import ATOMIC, PRESERVE_UNKNOWN, Rule, keyed_by, rules
from api.object import ApiModel, Condition, KubernetesObject
from api.quantity import PositiveQuantityText, QuantityText, rounded_up
from api.v1beta1.gpu_partition_claim import Isolation
from api.v1beta1.precision import Precision, ResolvedPrecision


class Model(ApiModel):
    """The model and how much of it is wanted."""

    id: ModelId = Field(description="Identity of the model in the catalogue, e.g. Qwen/Qwen3-8B.")
    precision: Precision = Field(
        default=Precision.AUTO,
        description="Precision of the weights; auto takes the one in which the model is published.",
    )
    max_model_len: int | None = Field(
        default=None,
        ge=1,
        le=16_777_216,
        description="Longest sequence in tokens, prompt and output together; absent: a sensible part of what the "
        "model allows.",
    )
    max_concurrency: int | None = Field(
        default=None,
        ge=1,
        le=65_536,
        description="Sequences served at once; KV cache is reserved for so many of the longest ones.",
    )
    profile_ref: ObjectName | None = Field(
        default=None, description="Name of the ModelProfile to size with; absent: the built-in catalogue."
    )


class PartitionRequest(ApiModel):
    """What to ask of the hardware beyond what sizing finds."""

    mode: ModeText | None = Field(
        default=None, description="The only partition mode to accept, e.g. CPX/NPS4; absent: any allowed one."
    )
    count: int = Field(default=1, ge=1, le=64, description="Partitions a replica, all on one node.")
    min_memory: PositiveQuantityText | None = Field(
        default=None, description="Memory that each partition must have at least, when more than sizing finds."
    )


_GROUP_RULES = rules(
    Rule(
        "!has(self.isolation) || self.isolation != 'cooperative' || has(self.shareGroup)",
        "isolation cooperative needs a shareGroup: name the group, or use isolation hardware",
        field_path=".isolation",
    ),
    Rule(
        "!has(self.shareGroup) || (has(self.isolation) && self.isolation == 'cooperative')",
        "a shareGroup shares one partition: set isolation cooperative, or leave shareGroup out",
        message_expression="'shareGroup ' + self.shareGroup + ' shares one partition:"
        " set isolation cooperative, or leave shareGroup out'",
        field_path=".shareGroup",
    ),
)


class GPUSharing(ApiModel):
    """How the service takes its part of a GPU."""

    model_config = ConfigDict(json_schema_extra=_GROUP_RULES)

    partition: PartitionRequest = Field(
        default_factory=PartitionRequest, description="What to ask of the hardware beyond what sizing finds."
    )
    isolation: Isolation = Field(
        default=Isolation.HARDWARE,
        description="hardware: a partition of its own; cooperative: one shared within a group, memory by agreement.",
    )
    share_group: LabelName | None = Field(
        default=None, description="The group of this namespace whose members share one partition."
    )
    policy_ref: ObjectName | None = Field(
        default=None, description="Name of the GPUSharingPolicy to use; absent: the one that selects the namespace."
    )


class SLOMetric(StrEnum):
    """What a service level objective measures."""

    REQUEST_LATENCY = "requestLatency"
    TIME_TO_FIRST_TOKEN = "timeToFirstToken"  # noqa: S105 - a metric, no secret
    TIME_PER_OUTPUT_TOKEN = "timePerOutputToken"  # noqa: S105 - a metric, no secret
    QUEUE_WAIT = "queueWait"


class Percentile(StrEnum):
    """Which of the requests a threshold is meant for."""

    P50 = "p50"
    P90 = "p90"
    P95 = "p95"
    P99 = "p99"
    P999 = "p99.9"


class Guarantees(ApiModel):
    """Shares of a partition's capacity that requests can count on."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "!has(self.minConcurrency) || !has(self.maxConcurrency) || self.minConcurrency <= self.maxConcurrency",
                "minConcurrency is larger than maxConcurrency: lower the one or raise the other",
                message_expression="'minConcurrency %d is larger than maxConcurrency %d:"
                " lower the one or raise the other'.format([self.minConcurrency, self.maxConcurrency])",
                field_path=".minConcurrency",
            )
        )
    )

    min_concurrency: int | None = Field(
        default=None, ge=0, le=65_536, description="Requests that can always be in flight at once."
    )
    max_concurrency: int | None = Field(
        default=None, ge=1, le=65_536, description="Requests that are never exceeded in flight, even when idle."
    )
    max_rate: int | None = Field(default=None, ge=1, le=1_000_000, description="Requests a second at most.")


class ServiceLevelObjective(ApiModel):
    """One objective: so many percent of windows keep a percentile below a threshold."""

    metric: SLOMetric = Field(description="What is measured.")
    percentile: Percentile = Field(default=Percentile.P99, description="The percentile that is compared.")
    threshold: DurationText = Field(description="What the percentile may reach, e.g. 500ms.")
    objective: str = Field(
        default="99",
        pattern=r"^(100|[0-9]{1,2}(\.[0-9]{1,3})?)$",
        max_length=6,
        description="Percent of the time the threshold has to be kept, as decimal text, e.g. 99.5.",
    )


class RequestQueueLimits(ApiModel):
    """How long requests may wait at the gateway."""

    max_length: int = Field(default=1000, ge=0, le=100_000, description="Requests that may wait; 0 refuses at once.")
    timeout: DurationText = Field(default="60s", description="How long one may wait before it is refused.")


class QoS(ApiModel):
    """The service level of requests."""

    class_: LabelName | None = Field(
        default=None, description="Name of a QoS class of the policy; absent: the policy's default, standard."
    )
    guarantees: Guarantees | None = Field(default=None, description="Shares that requests can count on.")
    slo: list[ServiceLevelObjective] = Field(
        default_factory=list, max_length=8, description="Objectives to keep and report.", json_schema_extra=ATOMIC
    )
    queue: RequestQueueLimits | None = Field(default=None, description="How long requests may wait.")


_REPLICA_RULES = rules(
    Rule(
        "!has(self.maxReplicas) || !has(self.replicas) || self.replicas <= self.maxReplicas",
        "replicas is larger than maxReplicas: lower replicas or raise maxReplicas",
        message_expression="'replicas %d is larger than maxReplicas %d:"
        " lower replicas or raise maxReplicas'.format([self.replicas, self.maxReplicas])",
        field_path=".replicas",
    )
)


class InferenceServiceSpec(ApiModel):
    """What is wanted."""

    model_config = ConfigDict(json_schema_extra=_REPLICA_RULES)

    model: Model = Field(description="The model and how much of it is wanted.")
    gpu_sharing: GPUSharing = Field(default_factory=GPUSharing, description="How the service takes its part of a GPU.")
    qos: QoS = Field(default_factory=QoS, description="The service level of requests.")
    replicas: int = Field(default=1, ge=0, le=1000, description="Pods wanted; 0 stops the service.")
    max_replicas: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Pods that an autoscaler may go up to from replicas; absent: nothing scales beyond replicas.",
    )
    predictor: dict[str, Any] | None = Field(
        default=None,
        description="KServe's predictor, passed through; without KServe its containers are run. Absent: one container "
        "kserve-container with the catalogue's image.",
        json_schema_extra=PRESERVE_UNKNOWN,
    )


class SizingResult(ApiModel):
    """The memory a replica needs, and what of."""

    weights_bytes: ByteCount = Field(description="Weights.")
    kv_cache_bytes: ByteCount = Field(description="KV cache for maxConcurrency sequences of maxModelLen tokens.")
    overhead_bytes: ByteCount = Field(description="Activations, graphs and what the runtime itself takes.")
    total_bytes: ByteCount = Field(description="The sum, which a partition must have.")
    kv_bytes_per_token: ByteCount = Field(description="KV cache a token.")
    memory: QuantityText = Field(
        default_factory=lambda known: rounded_up(known.get("total_bytes", 0)),
        description="The sum for people, in whole Mi, rounded up.",
    )
    precision: ResolvedPrecision = Field(description="The precision that was sized.")
    max_model_len: int = Field(ge=1, description="The sequence length that was sized, in tokens.")
    max_concurrency: int = Field(ge=1, description="The number of sequences that was sized.")


class Placement(ApiModel):
    """Where one pod runs, an entry a partition."""

    pod: ObjectName = Field(description="Name of the pod.")
    claim: ObjectName = Field(description="Name of its GPUPartitionClaim.")
    node: ObjectName = Field(description="Name of the node.")
    bdf: BdfText = Field(description="PCI address of the GPU, dddd:bb:dd.0.")
    partition: int = Field(ge=0, le=63, description="Number of the partition within its GPU, from 0.")
    mode: ModeText = Field(description="Mode of the GPU, e.g. CPX/NPS4.")
    bytes: ByteCount = Field(description="Memory of the partition in bytes.")


class Backend(StrEnum):
    """What runs the pods: KServe, or a Deployment and a Service of ours."""

    KSERVE = "kserve"
    DEPLOYMENT = "deployment"


class ResizeRequest(ApiModel):
    """A wish for a larger partition, because an objective is missed for long."""

    reason: ShortText = Field(description="Why, as one CamelCase word.")
    want_memory: QuantityText | None = Field(default=None, description="Memory wanted.")
    want_compute_units: int | None = Field(default=None, ge=1, description="Compute units wanted.")
    since: Timestamp | None = Field(default=None, description="Since when.")
    observed_burn: ShortText | None = Field(
        default=None, description="How many times faster than allowed the error budget is used up, as decimal text."
    )


class InferenceServiceStatus(ApiModel):
    """What became of the service; written by the operator alone."""

    observed_generation: int | None = Field(default=None, ge=0, description="The generation last acted upon.")
    replicas: int = Field(default=0, ge=0, description="Pods that exist.")
    ready_replicas: int = Field(default=0, ge=0, description="Pods that are ready.")
    selector: LongText = Field(default="", description="Label selector of the pods, as text, for autoscalers.")
    sizing: SizingResult | None = Field(default=None, description="The memory a replica needs.")
    placements: list[Placement] = Field(
        default_factory=list, max_length=2000, description="Where the pods run.", json_schema_extra=ATOMIC
    )
    backend: Backend | None = Field(default=None, description="What runs the pods; chosen once.")
    resize_request: ResizeRequest | None = Field(default=None, description="A wish for a larger partition.")
    url: str | None = Field(default=None, max_length=2048, description="Where requests go.")
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        description="Ready, Allocated, PredictorReady, SLOMet and others.",
        json_schema_extra=keyed_by("type"),
    )


class InferenceService(KubernetesObject):
    """A model to serve on a part of a GPU that is chosen, bound and kept for it."""

    api_version: Literal["aim.amd.com/v1beta1"] = API_VERSION
    kind: Literal["InferenceService"] = "InferenceService"
    spec: InferenceServiceSpec = Field(description="What is wanted.")
    status: InferenceServiceStatus = Field(
        default_factory=InferenceServiceStatus, description="What became of the service."
    )
