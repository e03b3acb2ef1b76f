"""RepartitionPlan: one change of a node's GPU modes, from the reason to the verified result.

Each step stands in the status before it acts, so that a plan resumes or rolls back after any crash.
"""

from dataclasses import replace
from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict, Field

from api.defaults import no_items
from api.formats import (
    BdfText,
    ByteCount,
    LabelName,
    LongText,
    ObjectName,
    ReportedMode,
    ShortText,
    Timestamp,
    UidText,
)
from api.group import API_VERSION
from api.markers import ATOMIC, keyed_by, rules
from api.object import ApiModel, Condition, KubernetesObject
from api.unchanged import unchanged
from api.v1beta1.gpu_layout import MODES_THAT_EXIST, ONE_MEMORY_MODE, SAME_GPUS, SOMETHING_CHANGES, Layout
from api.v1beta1.references import ClaimReference, NamespacedName


class Approval(StrEnum):
    """Who says go: the operator, where nobody is disturbed, or a person."""

    AUTO = "Auto"
    MANUAL = "Manual"


class PlanPhase(StrEnum):
    """Where a plan stands."""

    PENDING = "Pending"
    AWAITING_APPROVAL = "AwaitingApproval"
    DRAINING = "Draining"
    QUIESCING = "Quiescing"
    APPLYING = "Applying"
    RELOADING = "Reloading"
    VERIFYING = "Verifying"
    SUCCEEDED = "Succeeded"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    FAILED = "Failed"


_UNCHANGED = unchanged(
    "only approved and rollback may change, delete the plan and create another",
    required=("node", "from", "to", "approval", "dryRun"),
    optional=("reason", "claimRef", "policyRef", "gain"),
)
_MOVES_OR_CHANGES = replace(SOMETHING_CHANGES, rule=f"has(self.gain) || {SOMETHING_CHANGES.rule}")


class PlanGain(ApiModel):
    """What a plan regains that brings scattered models together, as it was when the plan was written."""

    gpus: int = Field(
        default=0, ge=-16, le=16, description="GPUs that nobody holds once the pods have moved, more than before."
    )
    bytes: int = Field(default=0, description="Memory of those GPUs in bytes.")
    claims: int = Field(default=0, ge=0, le=1000, description="Waiting claims that get a place.")
    summary: ShortText = Field(default="", description="The gain for people, e.g. 1 GPU, 2 claims.")


class RepartitionPlanSpec(ApiModel):
    """The change and who wants it; only ``approved`` and ``rollback`` may change later."""

    model_config = ConfigDict(json_schema_extra=rules(_UNCHANGED, SAME_GPUS, _MOVES_OR_CHANGES))

    node: ObjectName = Field(description="Name of the node.")
    from_: Layout = Field(
        description="The layout the plan starts from, to which a failure returns.",
        json_schema_extra=rules(ONE_MEMORY_MODE),
    )
    to: Layout = Field(description="The layout to reach.", json_schema_extra=rules(ONE_MEMORY_MODE, MODES_THAT_EXIST))
    reason: LongText | None = Field(default=None, description="Why, for people.")
    claim_ref: ClaimReference | None = Field(default=None, description="The claim the change is made for.")
    policy_ref: ObjectName | None = Field(default=None, description="Name of the policy that allows the change.")
    approval: Approval = Field(default=Approval.MANUAL, description="Auto or Manual.")
    approved: bool = Field(default=False, description="Set to true to let a Manual plan run.")
    gain: PlanGain | None = Field(
        default=None,
        description="What is regained where the plan brings scattered models together. With it the modes in to may be "
        "those in from: pods move off the GPUs, and nothing else changes.",
    )
    dry_run: bool = Field(default=False, description="Report what would happen; change nothing.")
    rollback: bool = Field(
        default=False,
        description="Set to true to take a plan under way back: GPUs that were changed return to from. A plan that "
        "ended stays as it is.",
    )


class PlanStep(ApiModel):
    """One step, recorded before it acts."""

    name: ShortText = Field(description="What the step does, in CamelCase.")
    start_time: Timestamp | None = Field(default=None, description="When it began.")
    end_time: Timestamp | None = Field(default=None, description="When it ended; absent while it runs.")
    result: ShortText | None = Field(default=None, description="How it ended, in CamelCase, e.g. Succeeded.")
    message: LongText | None = Field(default=None, description="What happened, for people.")


class Reservation(ApiModel):
    """A place kept for the successor of an evicted pod, so that nobody else takes it meanwhile."""

    namespace: LabelName = Field(description="Namespace of the evicted pod.")
    pod: ObjectName = Field(description="Name of the evicted pod.")
    claim: ObjectName = Field(description="Name of its claim.")
    owner: UidText = Field(description="Identity of the controller that makes the successor.")
    template_hash: ShortText = Field(
        default="", description="The label pod-template-hash of the evicted pod; empty: any pod of the controller."
    )
    node: ObjectName = Field(description="Name of the node.")
    bdf: BdfText = Field(description="PCI address of the GPU, dddd:bb:dd.0.")
    partition: int = Field(ge=0, le=63, description="Number of the partition within its GPU, from 0.")
    mode: ReportedMode = Field(description="Mode of the GPU when the place is taken.")
    bytes: ByteCount = Field(default=0, description="Memory of the partition in bytes.")
    evicted_time: Timestamp | None = Field(default=None, description="When the eviction was accepted; absent before.")


class PlanSummary(ApiModel):
    """The plan in one line, for tables."""

    from_: ShortText = Field(default="", description="Modes before, e.g. 8xSPX/NPS1.")
    to: ShortText = Field(default="", description="Modes after.")


class PlanCost(ApiModel):
    """What the plan costs those who are served on its GPUs. A figure that nobody has measured here is absent."""

    evictions: int = Field(default=0, ge=0, description="Pods that have to move.")
    restart_seconds: int | None = Field(
        default=None, ge=0, description="Seconds that those pods took to start, added up: they start anew elsewhere."
    )
    change_seconds: int | None = Field(
        default=None,
        ge=0,
        description="Seconds that nobody is served on the GPUs while modes change, as such changes took here before.",
    )
    summary: ShortText = Field(default="", description="The cost for people, e.g. 2 pods start anew (3m10s).")


class RepartitionPlanStatus(ApiModel):
    """How the plan went; written by the operator alone."""

    observed_generation: int | None = Field(default=None, ge=0, description="The generation last acted upon.")
    phase: PlanPhase = Field(default=PlanPhase.PENDING, description="Where the plan stands.")
    steps: list[PlanStep] = Field(
        default_factory=no_items, max_length=64, description="The steps so far, in order.", json_schema_extra=ATOMIC
    )
    operation_id: UidText | None = Field(default=None, description="Identity of the agent's operation.")
    affected_pods: list[NamespacedName] = Field(
        default_factory=no_items, max_length=512, description="Pods that have to move.", json_schema_extra=ATOMIC
    )
    reservations: list[Reservation] = Field(
        default_factory=no_items,
        max_length=512,
        description="Places kept for the successors of pods that have to move, each made before the eviction.",
        json_schema_extra=ATOMIC,
    )
    before: list[ShortText] = Field(
        default_factory=no_items,
        max_length=512,
        description="Placement before, a line a pod.",
        json_schema_extra=ATOMIC,
    )
    after: list[ShortText] = Field(
        default_factory=no_items, max_length=512, description="Placement after, a line a pod.", json_schema_extra=ATOMIC
    )
    cost: PlanCost | None = Field(
        default=None, description="What the plan costs those who are served on its GPUs, while it has not begun."
    )
    message: LongText = Field(default="", description="Where the plan stands and why, for people.")
    summary: PlanSummary = Field(default_factory=PlanSummary, description="The plan in one line.")
    conditions: list[Condition] = Field(
        default_factory=no_items,
        max_length=16,
        description="Succeeded and others.",
        json_schema_extra=keyed_by("type"),
    )


class RepartitionPlan(KubernetesObject):
    """A change of a node's GPU modes: planned, approved, done, verified or rolled back."""

    api_version: Literal["aim.amd.com/v1beta1"] = API_VERSION
    kind: Literal["RepartitionPlan"] = "RepartitionPlan"
    spec: RepartitionPlanSpec = Field(description="The change and who wants it.")
    status: RepartitionPlanStatus = Field(default_factory=RepartitionPlanStatus, description="How the plan went.")
