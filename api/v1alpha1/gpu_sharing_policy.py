"""GPUSharingPolicy, flat: what is allowed on which nodes, for which namespaces."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from api.defaults import no_items
from api.duration import DurationText, at_most
from api.formats import ModeText
from api.label_selector import LabelValue
from api.markers import ATOMIC, SET, keyed_by, rules
from api.object import ApiModel, KubernetesObject
from api.v1beta1.gpu_partition_claim import Binding
from api.v1beta1.gpu_sharing_policy import (
    LONGEST_COOLDOWN,
    GPUSharingPolicyStatus,
    OnUnhealthy,
    QoSClass,
    Quota,
    Rollout,
    Scorer,
    WhenFull,
    Window,
    default_qos_classes,
)
from api.v1beta1.repartition_plan import Approval

_TOO_LONG: Final = (
    f"is too long a rest: write at most {LONGEST_COOLDOWN}, such as 10m; to change nothing set repartitionEnabled false"
)

Labels = dict[Annotated[str, StringConstraints(min_length=1, max_length=317)], LabelValue]
"""Labels with their values."""


class GPUSharingPolicySpec(ApiModel):
    """What is allowed where."""

    node_labels: Labels = Field(
        default_factory=dict,
        max_length=32,
        description="Nodes the policy governs: those with these labels; empty: all.",
    )
    namespace_labels: Labels = Field(
        default_factory=dict,
        max_length=32,
        description="Namespaces that may use it: those with these labels; empty: all.",
    )
    scorer: Scorer = Field(
        default=Scorer.DEFAULT, description="How a place is chosen: default, bestfit (tightest) or fgd (fragmentation)."
    )
    allowed_modes: list[ModeText] = Field(
        default_factory=no_items,
        max_length=15,
        description="Modes that GPUs may be put into, e.g. CPX/NPS4; empty: all the product has.",
        json_schema_extra=SET,
    )
    validated_only: bool = Field(
        default=True, description="Whether GPUs are only put into modes AMD has validated for the product."
    )
    binding: Binding | None = Field(
        default=None, description="DRA or DevicePlugin; absent: DRA where the API server serves it."
    )
    repartition_enabled: bool = Field(default=False, description="Whether modes are changed at all.")
    repartition_approval: Approval = Field(
        default=Approval.MANUAL, description="Auto changes idle GPUs by itself; Manual waits for a person."
    )
    max_parallel_nodes: int = Field(default=1, ge=1, le=1000, description="Nodes changed at once.")
    max_unavailable_pods: int = Field(
        default=1, ge=0, le=10_000, description="Pods that may be down for a change at once."
    )
    cooldown: DurationText = Field(
        default="10m",
        description="Rest of a node between two changes.",
        json_schema_extra=rules(at_most(LONGEST_COOLDOWN, _TOO_LONG)),
    )
    windows: list[Window] = Field(
        default_factory=no_items,
        max_length=32,
        description="When changes may begin; empty: at any time.",
        json_schema_extra=ATOMIC,
    )
    rollout: Rollout | None = Field(
        default=None,
        description="RollingUpdate, or Handover: an old pod gives its partition to the new revision; absent: "
        "RollingUpdate.",
    )
    when_full: WhenFull = Field(
        default=WhenFull.WAIT,
        description="What becomes of a pod that fits nowhere: Wait, or ReleaseForAutoscaler to make it visible.",
    )
    on_unhealthy: OnUnhealthy = Field(
        default=OnUnhealthy.REPORT, description="What becomes of a pod on an unhealthy partition: Report or Replace."
    )
    qos_classes: list[QoSClass] = Field(
        default_factory=default_qos_classes,
        max_length=16,
        description="Classes of requests that services can name.",
        json_schema_extra=keyed_by("name"),
    )
    quotas: list[Quota] = Field(
        default_factory=no_items,
        max_length=256,
        description="GPU memory of namespaces.",
        json_schema_extra=keyed_by("namespace"),
    )
    paused: bool = Field(default=False, description="Whether binding, eviction and repartitioning stop at once.")


class GPUSharingPolicy(KubernetesObject):
    """What is allowed on which nodes, for which namespaces; the flat form."""

    api_version: Literal["aim.amd.com/v1alpha1"] = "aim.amd.com/v1alpha1"
    kind: Literal["GPUSharingPolicy"] = "GPUSharingPolicy"
    spec: GPUSharingPolicySpec = Field(default_factory=GPUSharingPolicySpec, description="What is allowed where.")
    status: GPUSharingPolicyStatus = Field(
        default_factory=GPUSharingPolicyStatus, description="What the policy governs."
    )
