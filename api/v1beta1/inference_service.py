"""InferenceService: a model to serve, its precision, and the service level it needs.

The user says what; sizing, partition and node follow from it and are reported in the status.
"""

from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field

from api.defaults import no_items
from api.duration import DurationText, longer_than_zero
from api.formats import (
    BdfText,
    ByteCount,
    LabelName,
    LongText,
    ModelId,
    ModeText,
    ObjectName,
    ReportedMode,
    ShortText,
    Timestamp,
)
from api.group import API_VERSION
from api.markers import ATOMIC, PRESERVE_UNKNOWN, Rule, keyed_by, rules, with_value
from api.object import ApiModel, Condition, KubernetesObject
from api.quantity import PositiveQuantityText, QuantityText, rounded_up
from api.v1beta1.gpu_partition_claim import Isolation
from api.v1beta1.precision import Precision, ResolvedPrecision
from api.v1beta1.service_level import ObjectiveStatus, ServiceLevelObjective, ShardCounts
from api.v1beta1.sizing_parts import (
    ActivationBytes,
    GraphBytes,
    LoadingBytes,
    MarginBytes,
    NonTorchBytes,
    SizingUncertainty,
)

LONGEST_SERVICE_NAME: Final = 53
"""A Service's name has at most 63 characters; the rest is for suffixes such as -predictor."""

SERVICE_NAME_PATTERN: Final = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
"""What a Service can be called."""

LARGEST_MIN_MEMORY: Final = "1Pi"
"""More than any GPU has; keeps amounts in the range in which the flat version can say them, too."""


class Model(ApiModel):
    """The model and how much of it is wanted."""

    id: ModelId = Field(
        description="Identity of the model, as its publisher writes it, in the catalogue or in a ModelProfile, e.g. "
        "Qwen/Qwen3-8B."
    )
    precision: Precision = Field(
        default=Precision.AUTO,
        description="Precision of the weights; auto: the one in which the model is published, or bf16 where that is "
        "fp32, as engines load it. mxfp4 is there for models that are published so, such as openai/gpt-oss-20b.",
    )
    max_model_len: int | None = Field(
        default=None,
        ge=1,
        le=16_777_216,
        description="Longest sequence in tokens, prompt and output together; absent: the model's own limit, or 8192 "
        "where that is less.",
    )
    max_concurrency: int | None = Field(
        default=None,
        ge=1,
        le=65_536,
        description="Sequences served at once; KV cache is reserved for so many of the longest ones; absent: 8.",
    )
    profile_ref: ObjectName | None = Field(
        default=None,
        description="Name of the ModelProfile whose facts size the model, whichever model that is for; absent: the "
        "oldest ModelProfile for the id, or else the built-in catalogue.",
    )


_TOO_MUCH = f"is more than any GPU has: write at most {LARGEST_MIN_MEMORY}, such as 24Gi"
_WITHIN_A_GPU = Rule(
    f"!isQuantity(self) || quantity(self).compareTo(quantity('{LARGEST_MIN_MEMORY}')) <= 0",
    _TOO_MUCH,
    with_value(_TOO_MUCH),
)


class ResizePolicy(StrEnum):
    """Whether a service gets larger partitions while its objectives ask for them."""

    NEVER = "Never"
    AUTO = "Auto"


class PartitionRequest(ApiModel):
    """What to ask of the hardware beyond what sizing finds."""

    mode: ModeText | None = Field(
        default=None,
        description="The only partition mode to accept, compute and memory mode, e.g. CPX/NPS4; absent: any that the "
        "policy allows and that is large enough.",
    )
    count: int = Field(default=1, ge=1, le=64, description="Partitions that each replica gets, all on one node.")
    min_memory: PositiveQuantityText | None = Field(
        default=None,
        description="Memory that each partition must have at least, as a quantity such as 24Gi, when that is more than "
        "sizing finds; absent: what sizing finds.",
        json_schema_extra=rules(_WITHIN_A_GPU),
    )
    resize: ResizePolicy | None = Field(
        default=None,
        description="Whether replicas move to larger partitions while status.resizeRequest wants them, and back "
        "afterwards: Auto, where the service serves on meanwhile; absent: Never.",
    )


_GROUP_RULES = rules(
    Rule(
        "!has(self.isolation) || self.isolation != 'cooperative' || has(self.shareGroup)",
        "isolation cooperative needs a shareGroup: name the group, or use isolation hardware",
        message_expression="'isolation ' + self.isolation + ' needs a shareGroup:"
        " name the group, or use isolation hardware'",
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
        description="hardware: each replica has partitions of its own; cooperative: it shares one within shareGroup, "
        "where memory is kept by agreement only.",
    )
    share_group: LabelName | None = Field(
        default=None,
        description="Name of the group, within this namespace, whose members share one partition; only with isolation "
        "cooperative.",
    )
    policy_ref: ObjectName | None = Field(
        default=None, description="Name of the GPUSharingPolicy to use; absent: the one that selects the namespace."
    )


class Guarantees(ApiModel):
    """How many requests are served at once, at least and at most."""

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
        default=None,
        ge=0,
        le=65_536,
        description="Requests that can always be in flight at once, whatever the neighbours do; absent: none is "
        "promised.",
    )
    max_concurrency: int | None = Field(
        default=None,
        ge=1,
        le=65_536,
        description="Requests in flight at once at most, even when nobody else is served; absent: no limit.",
    )
    max_rate: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Requests begun in a second at most; absent: no limit."
    )


_NO_WAIT = "lets no request wait: write more than 0, such as 30s; to refuse at once set maxLength 0"


class RequestQueueLimits(ApiModel):
    """How long requests may wait at the gateway."""

    max_length: int = Field(
        default=1000,
        ge=0,
        le=100_000,
        description="Requests that may wait at once; 0: a request that cannot be served at once is refused.",
    )
    timeout: DurationText = Field(
        default="60s",
        description="How long a request may wait before it is refused, as a duration such as 30s.",
        json_schema_extra=rules(longer_than_zero(_NO_WAIT)),
    )


_SAME_TARGET = (
    "self.filter(one, !self.exists_one(other, other.metric == one.metric"
    " && other.percentile == one.percentile && other.threshold == one.threshold))"
)
_DISTINCT = Rule(
    f"size({_SAME_TARGET}) == 0",
    "several objectives have the same metric, percentile and threshold: keep the one whose objective is meant",
    "'several objectives have the same metric, percentile and threshold %s: keep the one whose objective is meant'"
    f".format([{_SAME_TARGET}.map(one, one.threshold)])",
)


class QoS(ApiModel):
    """The service level of requests."""

    class_: LabelName | None = Field(
        default=None,
        description="Name of one of the policy's qosClasses, which decides who is served first; absent: standard.",
    )
    guarantees: Guarantees | None = Field(
        default=None, description="How many requests are served at once, at least and at most; absent: no bounds."
    )
    slo: list[ServiceLevelObjective] = Field(
        default_factory=no_items,
        max_length=8,
        description="Service level objectives to keep and to report; absent: none is watched.",
        json_schema_extra=ATOMIC | rules(_DISTINCT),
    )
    queue: RequestQueueLimits | None = Field(
        default=None, description="How many requests may wait, and how long; absent: 1000 requests, 60s each."
    )


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
    gpu_sharing: GPUSharing = Field(
        default_factory=GPUSharing,
        description="How the service takes its part of a GPU; absent: one partition that nobody shares, of the size "
        "that sizing finds.",
    )
    qos: QoS = Field(
        default_factory=QoS,
        description="The service level of requests: their class, how many are served at once, the objectives to keep, "
        "and how long they may wait. Absent: class standard, no bounds and no objectives.",
    )
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

    weights_bytes: ByteCount = Field(description="Weights, in bytes.")
    kv_cache_bytes: ByteCount = Field(
        description="KV cache for maxConcurrency sequences of maxModelLen tokens, in bytes."
    )
    overhead_bytes: ByteCount = Field(
        description="All the rest, in bytes: the sum of activationBytes, nonTorchBytes, graphBytes, loadingBytes and "
        "marginBytes."
    )
    activation_bytes: ActivationBytes = None
    non_torch_bytes: NonTorchBytes = None
    graph_bytes: GraphBytes = None
    loading_bytes: LoadingBytes = None
    margin_bytes: MarginBytes = None
    total_bytes: ByteCount = Field(
        description="What a partition must have, in bytes: the sum of weightsBytes, kvCacheBytes and overheadBytes."
    )
    uncertainty: SizingUncertainty | None = Field(
        default=None, description="Between which bytes the need may lie; the total is within them."
    )
    kv_bytes_per_token: ByteCount = Field(description="KV cache a token, in bytes.")
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
    mode: ReportedMode = Field(description="Mode of the GPU, e.g. CPX/NPS4.")
    bytes: ByteCount = Field(description="Memory of the partition in bytes.")
    profile: ShortText | None = Field(
        default=None, description="AIM profile with which the engine starts there; absent where there is none."
    )


class Backend(StrEnum):
    """What runs the pods: KServe, or a Deployment and a Service of ours."""

    KSERVE = "kserve"
    DEPLOYMENT = "deployment"


class ResizeRequest(ApiModel):
    """A wish for larger partitions, because an objective is missed for long; it ends when it is taken away."""

    reason: ShortText = Field(description="Why, as one CamelCase word.")
    want_memory: QuantityText | None = Field(
        default=None, description="Memory wanted of each partition, as a quantity."
    )
    want_compute_units: int | None = Field(default=None, ge=1, description="Compute units wanted of each partition.")
    since: Timestamp | None = Field(default=None, description="Since when.")
    observed_burn: ShortText | None = Field(
        default=None, description="How many times faster than allowed the error budget is used up, as decimal text."
    )


class UpdateStrategy(StrEnum):
    """How new pods take the old ones' place: beside them, after one of them at a time, or after all of them."""

    SURGE = "Surge"
    ONE_BY_ONE = "OneByOne"
    RECREATE = "Recreate"


class KeptPlace(ApiModel):
    """A partition that is kept for a new pod."""

    node: ObjectName = Field(description="Name of the node.")
    bdf: BdfText = Field(description="PCI address of the GPU, dddd:bb:dd.0.")
    partition: int = Field(ge=0, le=63, description="Number of the partition within its GPU, from 0.")


class AppliedResize(ApiModel):
    """What the last resize made of the service."""

    min_memory: QuantityText | None = Field(
        default=None,
        description="Memory that each partition of the pods has at least because it was wanted; absent: the wish is "
        "over, and what spec and model need is enough again.",
    )
    hash: ShortText = Field(description="Short hash of the template that it made.")
    time: Timestamp = Field(description="When it was decided.")


class AppliedRevision(ApiModel):
    """The revision of the pods' template that runs, or is being rolled out; a later spec may wait."""

    hash: ShortText = Field(description="Short hash of the template.")
    generation: int = Field(ge=0, description="The service's generation that the template was made of.")
    strategy: UpdateStrategy | None = Field(
        default=None,
        description="How it is being rolled out: Surge (a new pod beside the old ones), OneByOne (an old pod's "
        "partition is freed first) or Recreate (all old pods go first); absent: no rollout is under way.",
    )
    places: list[KeptPlace] = Field(
        default_factory=no_items,
        max_length=2000,
        description="Partitions that are kept for the new pods until the rollout is over.",
        json_schema_extra=ATOMIC,
    )
    resize: AppliedResize | None = Field(
        default=None, description="The last resize that status.resizeRequest led to; absent: there was none."
    )


_CHOSEN_ONCE = Rule(
    "!has(oldSelf.backend) || has(self.backend) && self.backend == oldSelf.backend",
    "backend is chosen once: to change it, delete the service and create it again",
    message_expression="'backend ' + oldSelf.backend + ' was chosen once and cannot become '"
    " + (has(self.backend) ? self.backend : 'absent') + ': to change it, delete the service and create it again'",
    field_path=".backend",
)


class InferenceServiceStatus(ApiModel):
    """What became of the service; written by the operator alone, but for requestCounts, which is the gateway's."""

    model_config = ConfigDict(json_schema_extra=rules(_CHOSEN_ONCE))

    observed_generation: int | None = Field(default=None, ge=0, description="The generation last acted upon.")
    replicas: int = Field(default=0, ge=0, description="Pods that exist.")
    ready_replicas: int = Field(default=0, ge=0, description="Pods that are ready.")
    selector: LongText = Field(default="", description="Label selector of the pods, as text, for autoscalers.")
    sizing: SizingResult | None = Field(default=None, description="The memory a replica needs.")
    placements: list[Placement] = Field(
        default_factory=no_items, max_length=2000, description="Where the pods run.", json_schema_extra=ATOMIC
    )
    backend: Backend | None = Field(default=None, description="What runs the pods, kserve or deployment; chosen once.")
    applied: AppliedRevision | None = Field(
        default=None, description="The revision of the pods' template that runs, or is being rolled out."
    )
    slo: list[ObjectiveStatus] = Field(
        default_factory=no_items,
        max_length=8,
        description="How well each objective of spec.qos.slo is kept, in its order.",
        json_schema_extra=ATOMIC,
    )
    request_counts: list[ShardCounts] = Field(
        default_factory=no_items,
        max_length=64,
        description="Requests counted by the gateway, an entry a shard of it; written by the gateway alone.",
        json_schema_extra=keyed_by("shard"),
    )
    resize_request: ResizeRequest | None = Field(default=None, description="A wish for larger partitions.")
    url: str | None = Field(default=None, max_length=2048, description="URL to which requests go.")
    conditions: list[Condition] = Field(
        default_factory=no_items,
        max_length=16,
        description="Ready, Allocated, PredictorReady, SLOMet, Routable (requests find it by its names), UpdateBlocked "
        "(the old revision serves on), Resized (partitions are larger because that was wanted) and others.",
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
