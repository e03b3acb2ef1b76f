"""GPUSharingPolicy: what is allowed on which nodes, for which namespaces.

Without a policy, models are placed into partitions that exist and nothing is repartitioned.
"""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, StringConstraints

from api.defaults import no_items
from api.duration import DurationText, at_most, longer_than_zero
from api.formats import ByteCount, ClockTime, LabelName, ModeText
from api.group import API_VERSION
from api.label_selector import LabelSelector
from api.markers import ATOMIC, SET, Remedy, Rule, keyed_by, rules
from api.object import ApiModel, Condition, KubernetesObject
from api.quantity import QuantityText
from api.v1beta1.gpu_partition_claim import Binding
from api.v1beta1.repartition_plan import Approval


class Scorer(StrEnum):
    """How a place is chosen among several: the product's choice, the tightest fit, or least fragmentation."""

    DEFAULT = "default"
    BEST_FIT = "bestfit"
    FGD = "fgd"


class Rollout(StrEnum):
    """How a new revision gets partitions when none is free."""

    ROLLING_UPDATE = "RollingUpdate"
    HANDOVER = "Handover"


class WhenFull(StrEnum):
    """What becomes of a pod that fits nowhere."""

    WAIT = "Wait"
    RELEASE_FOR_AUTOSCALER = "ReleaseForAutoscaler"


class Divide(StrEnum):
    """When an idle GPU is divided for a claim that needs a small part of it."""

    FIRST = "First"
    WHEN_FULL = "WhenFull"


class OnUnhealthy(StrEnum):
    """What becomes of a pod whose partition turns unhealthy."""

    REPORT = "Report"
    REPLACE = "Replace"


class Weekday(StrEnum):
    """Day of the week."""

    MONDAY = "Mon"
    TUESDAY = "Tue"
    WEDNESDAY = "Wed"
    THURSDAY = "Thu"
    FRIDAY = "Fri"
    SATURDAY = "Sat"
    SUNDAY = "Sun"


TimeZone = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$", max_length=64),
    Remedy("is no time zone: write a name of the time zone database, such as UTC or Europe/Helsinki"),
]
"""Name of a time zone; whether it exists is not for the schema to know."""

LONGEST_COOLDOWN: Final = "720h"
"""30 days: a longer rest is a wrong unit, and who wants no change at all sets enabled false."""


class Window(ApiModel):
    """A time of the week in which repartitioning may begin."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "self.start != self.end",
                "the window opens and closes at the same time: give another end, or no windows for any time",
                message_expression="'the window opens and closes at ' + self.end"
                " + ': give another end, or no windows for any time'",
                field_path=".end",
            )
        )
    )

    days: list[Weekday] = Field(
        default_factory=no_items,
        max_length=7,
        description="Days on which it opens, Mon to Sun; empty: every day.",
        json_schema_extra=SET,
    )
    start: ClockTime = Field(description="When it opens, HH:MM on a 24-hour clock.")
    end: ClockTime = Field(description="When it closes, HH:MM on a 24-hour clock; before start: on the next day.")
    timezone: TimeZone = Field(default="UTC", description="Time zone of start and end, e.g. Europe/Helsinki.")


_TOO_LONG = f"is too long a rest: write at most {LONGEST_COOLDOWN}, such as 10m; to change nothing set enabled false"


class RepartitionRules(ApiModel):
    """Whether and how GPU modes are changed to make room."""

    enabled: bool = Field(
        default=False, description="Whether modes are changed at all; false: models are placed in what there is."
    )
    approval: Approval = Field(
        default=Approval.MANUAL,
        description="Manual: each change waits for a person; Auto: idle GPUs are changed by themselves.",
    )
    max_parallel_nodes: int = Field(default=1, ge=1, le=1000, description="Nodes changed at once, at most.")
    max_unavailable_pods: int = Field(
        default=1,
        ge=0,
        le=10_000,
        description="Pods that may be down for changes, or leave for other claims, at once, at most; 0: only GPUs that "
        "nobody uses are changed, and nobody leaves.",
    )
    cooldown: DurationText = Field(
        default="10m",
        description="Rest of a node between two changes, as a duration such as 10m, at most 720h; 0s: none.",
        json_schema_extra=rules(at_most(LONGEST_COOLDOWN, _TOO_LONG)),
    )
    windows: list[Window] = Field(
        default_factory=no_items,
        max_length=32,
        description="When changes may begin; empty: at any time.",
        json_schema_extra=ATOMIC,
    )
    ignore_device_config_manager: bool = Field(
        default=False,
        description="Whether nodes that AMD's Device Config Manager partitions, by their labels, are changed, too; "
        "false: they are left to it.",
    )
    divide: Divide = Field(
        default=Divide.FIRST,
        description="When an idle GPU is divided for a model whose place is at least a quarter larger than what that "
        "would give, with approval Auto: First (before it is placed, it waits 5 minutes for that at most) or WhenFull "
        "(it takes what is free, whatever its size; GPUs are divided for models that find no place).",
    )
    taint_node: bool = Field(
        default=False,
        description="Whether a node is tainted aim.amd.com/repartitioning:NoSchedule while its modes change, so that "
        "pods that take no part stay away; false: they may come.",
    )


_NEVER_SEEN = f"is too long: write at most {LONGEST_COOLDOWN}, such as 1h; to propose nothing set enabled false"


class Defragmentation(ApiModel):
    """Whether it is proposed to bring scattered models together, so that whole GPUs come free.

    What is proposed moves pods, so each plan waits for a person's approval. It needs repartition.enabled.
    """

    enabled: bool = Field(
        default=False, description="Whether such plans are written; false: models stay where they are."
    )
    min_gain: int = Field(
        default=1, ge=1, le=64, description="Whole GPUs regained, or waiting claims served, by a plan at least."
    )
    max_evictions: int = Field(
        default=4, ge=1, le=64, description="Pods that may have to move for each of them, at most."
    )
    after: DurationText = Field(
        default="10m",
        description="How long a gain must have been there before it is proposed, as a duration such as 10m, at most "
        "720h; 0s: it is proposed at once.",
        json_schema_extra=rules(at_most(LONGEST_COOLDOWN, _NEVER_SEEN)),
    )
    rest: DurationText = Field(
        default="1h",
        description="Rest between the end of such a plan and the next one, as a duration such as 1h, at most 720h; 0s: "
        "none.",
        json_schema_extra=rules(at_most(LONGEST_COOLDOWN, _NEVER_SEEN)),
    )


_NO_ORDER = "would serve every request out of order: write more than 0, such as 10s"


class QoSClass(ApiModel):
    """A class of requests."""

    name: LabelName = Field(description="Name that services refer to in spec.qos.class.")
    rank: int = Field(ge=0, le=100, description="Order of service: lower ranks are served first, 0 before all others.")
    weight: int = Field(
        default=1, ge=1, le=1000, description="Share among classes of the same rank, in proportion to their weights."
    )
    starvation_after: DurationText = Field(
        default="60s",
        description="How long a request may wait before it is served out of order, as a duration such as 10s.",
        json_schema_extra=rules(longer_than_zero(_NO_ORDER)),
    )


def default_qos_classes() -> list[QoSClass]:
    """The classes of a policy that names none; ``standard`` is what services get by default."""
    return [
        QoSClass(name="realtime", rank=0, weight=8, starvation_after="1s"),
        QoSClass(name="standard", rank=1, weight=4, starvation_after="10s"),
        QoSClass(name="batch", rank=2, weight=1, starvation_after="60s"),
    ]


class Quota(ApiModel):
    """The GPU memory of one namespace."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "!has(self.min) || !has(self.max) || !isQuantity(self.min) || !isQuantity(self.max)"
                " || quantity(self.min).compareTo(quantity(self.max)) <= 0",
                "min is larger than max: lower min or raise max",
                message_expression="'min ' + self.min + ' is larger than max ' + self.max + ': lower min or raise max'",
                field_path=".min",
            ),
            Rule(
                "has(self.min) || has(self.max)",
                "the quota says nothing: set min, max or both",
                message_expression="'the quota of namespace ' + self.__namespace__"
                " + ' says nothing: set min, max or both'",
            ),
        )
    )

    namespace: LabelName = Field(description="Name of the namespace.")
    min: QuantityText | None = Field(
        default=None,
        description="GPU memory it can always have, as a quantity such as 192Gi; absent: none is promised.",
    )
    max: QuantityText | None = Field(
        default=None, description="GPU memory it never exceeds, as a quantity such as 384Gi; absent: no limit."
    )


KeyName = Annotated[
    str,
    StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253),
    Remedy("cannot be the name of a key: write letters, digits, dashes, dots and underscores, as in the Secret"),
]
"""Name of an API key: that of its entry in a Secret."""


class CallerKey(ApiModel):
    """One API key, on terms of its own."""

    name: KeyName = Field(
        description="Name of the key: of its entry in the Secret aim-gpu-gateway-keys of the caller's namespace."
    )
    ceiling: LabelName | None = Field(
        default=None, description="Name of the best class its requests are served in; absent: as its namespace."
    )
    max_rate: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Requests it begins in a second at most; absent: no limit."
    )


class CallerTerms(ApiModel):
    """On which terms requests of one namespace are served, whichever services they are for."""

    namespace: LabelName = Field(
        description="Namespace of the callers: of the Secret with their API keys, or of their ServiceAccounts."
    )
    ceiling: LabelName | None = Field(
        default=None,
        description="Name of one of qosClasses, the best in which they are served: a request for a service of a class "
        "with a lower rank counts as of this one; absent: as of its service's class.",
    )
    max_rate: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Requests begun in a second at most by all of them together, but for those of keys; absent: no "
        "limit.",
    )
    weight: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Share of a model's seats among the callers of one class that wait for them, in proportion to "
        "their weights.",
    )
    namespaces: list[LabelName] = Field(
        default_factory=no_items,
        max_length=64,
        description="Namespaces whose services they may call besides those of their own; empty: none.",
        json_schema_extra=SET,
    )
    keys: list[CallerKey] = Field(
        default_factory=no_items,
        max_length=64,
        description="API keys on terms of their own.",
        json_schema_extra=keyed_by("name"),
    )


class GPUSharingPolicySpec(ApiModel):
    """What is allowed where."""

    node_selector: LabelSelector = Field(
        default_factory=LabelSelector, description="Nodes that the policy governs, by their labels; empty: all."
    )
    namespace_selector: LabelSelector = Field(
        default_factory=LabelSelector, description="Namespaces that may use those nodes, by their labels; empty: all."
    )
    scorer: Scorer = Field(
        default=Scorer.DEFAULT,
        description="How a place is chosen among several: default (the product's choice), bestfit (the tightest) or "
        "fgd (the least fragmentation left).",
    )
    allowed_modes: list[ModeText] = Field(
        default_factory=no_items,
        max_length=15,
        description="Modes that GPUs may be put into, e.g. CPX/NPS4; empty: all that the product has.",
        json_schema_extra=SET,
    )
    validated_only: bool = Field(
        default=True,
        description="Whether GPUs are put only into modes that AMD has validated for the product; false: into any it "
        "has.",
    )
    binding: Binding | None = Field(
        default=None,
        description="How pods get their partitions, DRA or DevicePlugin; absent: DRA where the API server serves it, "
        "else DevicePlugin.",
    )
    repartition: RepartitionRules = Field(
        default_factory=RepartitionRules, description="Whether and how GPU modes are changed to make room."
    )
    defragmentation: Defragmentation = Field(
        default_factory=Defragmentation,
        description="Whether it is proposed to bring scattered models together, so that whole GPUs come free.",
    )
    rollout: Rollout | None = Field(
        default=None,
        description="How a new revision gets partitions when none is free: RollingUpdate (it waits), or Handover (an "
        "old pod gives up its partition to it); absent: RollingUpdate.",
    )
    when_full: WhenFull = Field(
        default=WhenFull.WAIT,
        description="What becomes of a pod that fits nowhere: Wait, or ReleaseForAutoscaler, which lets a cluster "
        "autoscaler see it.",
    )
    on_unhealthy: OnUnhealthy = Field(
        default=OnUnhealthy.REPORT,
        description="What becomes of a pod on an unhealthy partition: Report (nothing is done), or Replace (it is "
        "moved).",
    )
    qos_classes: list[QoSClass] = Field(
        default_factory=default_qos_classes,
        max_length=16,
        description="Classes of requests that services can name; absent: realtime (rank 0), standard (1), batch (2). "
        "Services that name none get standard.",
        json_schema_extra=keyed_by("name"),
    )
    quotas: list[Quota] = Field(
        default_factory=no_items,
        max_length=256,
        description="GPU memory of namespaces, an entry each; a namespace without one has no bounds.",
        json_schema_extra=keyed_by("namespace"),
    )
    callers: list[CallerTerms] = Field(
        default_factory=no_items,
        max_length=256,
        description="On which terms callers are served at the gateway, an entry a namespace; those without one may "
        "call the services of their own namespace, in those services' classes, at any rate.",
        json_schema_extra=keyed_by("namespace"),
    )
    shared_concurrency: int | None = Field(
        default=None,
        ge=1,
        le=65_536,
        description="Requests in flight at once at most on a partition that several pods share. Below what their "
        "engines reserve memory for together, they lend each other what they do not use, and their guarantees decide "
        "who is served first when all are busy; absent: as many as the engines reserve memory for, and fewer while the "
        "first tokens of answers come later than usual.",
    )
    paused: bool = Field(
        default=False,
        description="Whether binding, eviction and repartitioning stop at once; what runs keeps running.",
    )


class QuotaUse(ApiModel):
    """What a namespace with a quota has on the policy's nodes."""

    namespace: LabelName = Field(description="Name of the namespace.")
    used_bytes: ByteCount = Field(default=0, description="Memory of its partitions in bytes, whatever the models need.")
    borrowed_bytes: ByteCount = Field(
        default=0, description="Memory of those partitions that its min does not cover: others may take it back."
    )


class GPUSharingPolicyStatus(ApiModel):
    """What the policy governs; written by the operator alone."""

    observed_generation: int | None = Field(default=None, ge=0, description="The generation last acted upon.")
    nodes: int = Field(default=0, ge=0, description="Nodes governed.")
    claims: int = Field(default=0, ge=0, description="Claims placed under the policy.")
    used_bytes: ByteCount = Field(default=0, description="Memory of their partitions in bytes.")
    quotas: list[QuotaUse] = Field(
        default_factory=no_items,
        max_length=256,
        description="What the namespaces with a quota use of it, by name.",
        json_schema_extra=keyed_by("namespace"),
    )
    conditions: list[Condition] = Field(
        default_factory=no_items,
        max_length=16,
        description="Ready, Conflict and others.",
        json_schema_extra=keyed_by("type"),
    )


class GPUSharingPolicy(KubernetesObject):
    """What is allowed on which nodes, for which namespaces."""

    api_version: Literal["aim.amd.com/v1beta1"] = API_VERSION
    kind: Literal["GPUSharingPolicy"] = "GPUSharingPolicy"
    spec: GPUSharingPolicySpec = Field(default_factory=GPUSharingPolicySpec, description="What is allowed where.")
    status: GPUSharingPolicyStatus = Field(
        default_factory=GPUSharingPolicyStatus, description="What the policy governs."
    )
