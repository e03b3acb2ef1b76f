"""InferenceService, flat: a model to serve, in one list of fields.

What has no field here (further objectives, say) is kept beside the object while it is read as v1alpha1, and is not
lost when it is written back.
"""

from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, StringConstraints

from api.duration import DurationText, longer_than_zero
from api.formats import LabelName, ModelId, ModeText, ObjectName
from api.markers import PRESERVE_UNKNOWN, Remedy, Rule, rules, with_value
from api.object import ApiModel, KubernetesObject
from api.v1beta1.gpu_partition_claim import Isolation
from api.v1beta1.inference_service import InferenceServiceStatus
from api.v1beta1.precision import Precision

GIB_PATTERN: Final = r"^[0-9]{1,19}(\.[0-9]{1,9})?$"

_NOTHING: Final = "is no memory: write more than 0, such as 24"
_TOO_MUCH: Final = "is more than any GPU has: write at most 1048576, such as 24"
_NO_WAIT: Final = "lets no request wait: write more than 0, such as 30s; to refuse at once set queueLength 0"

GibText = Annotated[
    str,
    StringConstraints(pattern=GIB_PATTERN, max_length=32),
    Remedy("is no number of GiB: write it without a unit, such as 24 or 23.5"),
    Field(
        json_schema_extra=rules(
            Rule("!isQuantity(self) || quantity(self).isGreaterThan(quantity('0'))", _NOTHING, with_value(_NOTHING)),
            Rule(
                "!isQuantity(self) || quantity(self).compareTo(quantity('1048576')) <= 0",
                _TOO_MUCH,
                with_value(_TOO_MUCH),
            ),
        )
    ),
]
"""GiB as decimal text, e.g. ``24`` or ``23.5``."""

LONGEST_LATENCY_MS: Final = 999_999_999
"""The largest number of milliseconds that a duration of the hub can be written in."""


class QoSLevel(StrEnum):
    """Three levels of service; each is a class that every policy has unless it names its own."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


_SPEC_RULES: Final = rules(
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
    Rule(
        "!has(self.qosLevel) || !has(self.qosClass)",
        "qosLevel and qosClass name a class both: leave one out",
        message_expression="'qosLevel ' + self.qosLevel + ' and qosClass ' + self.qosClass + ' name a class both:"
        " leave one out'",
        field_path=".qosClass",
    ),
    Rule(
        "!has(self.qosClass) || !(self.qosClass in ['realtime', 'standard', 'batch'])",
        "qosClass realtime, standard and batch have levels: use qosLevel high, medium or low",
        message_expression="'qosClass ' + self.qosClass + ' has a level: use qosLevel '"
        " + (self.qosClass == 'realtime' ? 'high' : self.qosClass == 'standard' ? 'medium' : 'low')",
        field_path=".qosClass",
    ),
    Rule(
        "!has(self.minRequests) || !has(self.maxRequests) || self.minRequests <= self.maxRequests",
        "minRequests is larger than maxRequests: lower the one or raise the other",
        message_expression="'minRequests %d is larger than maxRequests %d:"
        " lower the one or raise the other'.format([self.minRequests, self.maxRequests])",
        field_path=".minRequests",
    ),
    Rule(
        "has(self.queueLength) == has(self.queueTimeout)",
        "queueLength and queueTimeout describe one queue: set both or neither",
        message_expression="has(self.queueLength)"
        " ? 'queueLength %d comes without queueTimeout: set both or neither'.format([self.queueLength])"
        " : 'queueTimeout ' + self.queueTimeout + ' comes without queueLength: set both or neither'",
        field_path=".queueLength",
    ),
    Rule(
        "!has(self.maxInstances) || !has(self.minInstances) || self.minInstances <= self.maxInstances",
        "minInstances is larger than maxInstances: lower minInstances or raise maxInstances",
        message_expression="'minInstances %d is larger than maxInstances %d:"
        " lower minInstances or raise maxInstances'.format([self.minInstances, self.maxInstances])",
        field_path=".minInstances",
    ),
)


class InferenceServiceSpec(ApiModel):
    """What is wanted."""

    model_config = ConfigDict(json_schema_extra=_SPEC_RULES)

    model_id: ModelId = Field(description="Identity of the model in the catalogue, e.g. Qwen/Qwen3-8B.")
    precision: Precision = Field(
        default=Precision.AUTO,
        description="Precision of the weights; auto takes the one in which the model is published, or bf16 where that "
        "is fp32.",
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
    profile: ObjectName | None = Field(
        default=None,
        description="Name of the ModelProfile to size with; absent: the oldest for the model, or else the built-in "
        "catalogue.",
    )
    partition: ModeText | None = Field(
        default=None, description="The only partition mode to accept, e.g. CPX/NPS4; absent: any allowed one."
    )
    partition_count: int = Field(default=1, ge=1, le=64, description="Partitions an instance, all on one node.")
    memory_gb: GibText | None = Field(
        default=None,
        alias="memoryGB",
        description="GiB that each partition must have at least, as decimal text, e.g. 24; absent: what sizing finds.",
    )
    isolation: Isolation = Field(
        default=Isolation.HARDWARE,
        description="hardware: a partition of its own; cooperative: one shared within a group, memory by agreement.",
    )
    share_group: LabelName | None = Field(
        default=None, description="The group of this namespace whose members share one partition."
    )
    policy: ObjectName | None = Field(
        default=None, description="Name of the GPUSharingPolicy to use; absent: the one that selects the namespace."
    )
    qos_level: QoSLevel | None = Field(
        default=None,
        description="high, medium or low: the classes realtime, standard and batch; absent: the policy's default.",
    )
    qos_class: LabelName | None = Field(
        default=None, description="Name of a QoS class of the policy that has no level; not beside qosLevel."
    )
    min_requests: int | None = Field(
        default=None, ge=0, le=65_536, description="Requests that can always be in flight at once."
    )
    max_requests: int | None = Field(
        default=None, ge=1, le=65_536, description="Requests that are never exceeded in flight, even when idle."
    )
    max_rate: int | None = Field(default=None, ge=1, le=1_000_000, description="Requests a second at most.")
    slo_latency_ms: int | None = Field(
        default=None,
        ge=1,
        le=LONGEST_LATENCY_MS,
        description="Milliseconds in which 99 % of requests are to be answered, 99 % of the time.",
    )
    queue_length: int | None = Field(
        default=None, ge=0, le=100_000, description="Requests that may wait; 0 refuses at once. With queueTimeout."
    )
    queue_timeout: DurationText | None = Field(
        default=None,
        description="How long a request may wait before it is refused, e.g. 60s. With queueLength.",
        json_schema_extra=rules(longer_than_zero(_NO_WAIT)),
    )
    min_instances: int = Field(default=1, ge=0, le=1000, description="Pods wanted; 0 stops the service.")
    max_instances: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Pods that an autoscaler may go up to from minInstances; absent: nothing scales beyond it.",
    )
    predictor: dict[str, Any] | None = Field(
        default=None,
        description="KServe's predictor, passed through; without KServe its containers are run. Absent: one container "
        "kserve-container with the catalogue's image.",
        json_schema_extra=PRESERVE_UNKNOWN,
    )


class InferenceService(KubernetesObject):
    """A model to serve on a part of a GPU that is chosen, bound and kept for it; the flat form."""

    api_version: Literal["aim.amd.com/v1alpha1"] = "aim.amd.com/v1alpha1"
    kind: Literal["InferenceService"] = "InferenceService"
    spec: InferenceServiceSpec = Field(description="What is wanted.")
    status: InferenceServiceStatus = Field(
        default_factory=InferenceServiceStatus, description="What became of the service."
    )
