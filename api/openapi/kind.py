"""What the API server is told of each kind besides its schema: scope, names, table columns, subresources."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from api import v1alpha1
from api.group import V1ALPHA1, V1BETA1
from api.markers import Rule
from api.object import KubernetesObject
from api.v1beta1 import (
    GPUNode,
    GPUPartitionClaim,
    GPUSharingPolicy,
    InferenceService,
    ModelProfile,
    RepartitionPlan,
)
from api.v1beta1.inference_service import LONGEST_SERVICE_NAME, SERVICE_NAME_PATTERN


@dataclass(frozen=True, slots=True)
class Column:
    """One column of ``kubectl get``; ``priority`` above 0 shows it with ``-o wide`` only."""

    name: str
    json_path: str
    description: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """One served version of a kind.

    ``scale`` gives the paths of the scale subresource: spec replicas, status replicas, selector. ``rules`` are CEL
    rules of the whole object. ``selectable`` are the fields that lists and watches can be narrowed by.
    """

    model: type[KubernetesObject]
    columns: tuple[Column, ...]
    scale: tuple[str, str, str] | None = None
    rules: tuple[Rule, ...] = field(default=())
    selectable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of the group. ``versions`` has the storage version, which is the hub, first."""

    name: str
    plural: str
    short_name: str
    namespaced: bool
    versions: Mapping[str, Version]

    @property
    def singular(self) -> str:
        """The kind in lower case."""
        return self.name.lower()


AGE: Final = Column("Age", ".metadata.creationTimestamp", "Time since creation.", type="date")


def condition_column(name: str, condition: str, part: str, description: str, priority: int = 0) -> Column:
    """A column of one part (status, reason, message) of one condition."""
    path = f'.status.conditions[?(@.type=="{condition}")].{part}'
    return Column(name, path, description, priority=priority)


READY: Final = condition_column("Ready", "Ready", "status", "Whether it is ready.")

_SERVICE_NAME: Final = Rule(
    f"self.metadata.name.matches('{SERVICE_NAME_PATTERN}') && size(self.metadata.name) <= {LONGEST_SERVICE_NAME}",
    f"the name becomes a Service's: use at most {LONGEST_SERVICE_NAME} lower-case letters, digits and '-', "
    "beginning with a letter",
    message_expression="'metadata.name ' + self.metadata.name + ' becomes the name of a Service:"
    f" use at most {LONGEST_SERVICE_NAME} lower-case letters, digits and dashes, beginning with a letter'",
)


def _service_columns(model: str, precision: str) -> tuple[Column, ...]:
    """The columns of a service, whose versions keep what is asked for in different places."""
    return (
        Column("Model", model, "The model."),
        Column("Precision", precision, "Precision asked for."),
        Column("Memory", ".status.sizing.memory", "Memory a replica needs."),
        READY,
        condition_column("Allocated", "Allocated", "status", "Whether all pods have partitions."),
        condition_column("Reason", "Allocated", "reason", "Why they have or have not."),
        Column("Replicas", ".status.readyReplicas", "Ready pods.", type="integer", priority=1),
        Column("Backend", ".status.backend", "What runs the pods.", priority=1),
        condition_column("SLO", "SLOMet", "reason", "How its objectives are kept.", priority=1),
        condition_column("Message", "Allocated", "message", "Why, as a sentence.", priority=1),
        AGE,
    )


INFERENCE_SERVICE: Final = Kind(
    name="InferenceService",
    plural="inferenceservices",
    short_name="aimisvc",
    namespaced=True,
    versions={
        V1BETA1: Version(
            InferenceService,
            scale=(".spec.replicas", ".status.replicas", ".status.selector"),
            rules=(_SERVICE_NAME,),
            columns=_service_columns(".spec.model.id", ".spec.model.precision"),
        ),
        V1ALPHA1: Version(
            v1alpha1.InferenceService,
            scale=(".spec.minInstances", ".status.replicas", ".status.selector"),
            rules=(_SERVICE_NAME,),
            columns=_service_columns(".spec.modelId", ".spec.precision"),
        ),
    },
)

GPU_PARTITION_CLAIM: Final = Kind(
    name="GPUPartitionClaim",
    plural="gpupartitionclaims",
    short_name="gpc",
    namespaced=True,
    versions={
        V1BETA1: Version(
            GPUPartitionClaim,
            columns=(
                Column("Phase", ".status.phase", "Where the claim stands."),
                Column("Node", ".status.allocation.node", "The node."),
                Column("Device", ".status.allocation.devices[0].bdf", "The GPU, by PCI address."),
                Column("Partition", ".status.allocation.devices[0].partition", "The partition.", type="integer"),
                Column("Mode", ".status.allocation.devices[0].mode", "The GPU's mode."),
                condition_column("Reason", "Bound", "reason", "Why it is bound or waits."),
                Column("Pod", ".spec.podRef.name", "The pod that holds it."),
                Column("Memory", ".spec.requirement.memory", "Memory needed.", priority=1),
                Column("Group", ".spec.shareGroup", "The share group that holds it.", priority=1),
                Column("Explanation", ".status.explanation", "Why it waits, and what would help.", priority=1),
                AGE,
            ),
            # an agent hears of what is on its node, not of every claim of the cluster
            selectable=(".status.allocation.node",),
        )
    },
)

GPU_NODE: Final = Kind(
    name="GPUNode",
    plural="gpunodes",
    short_name="gpun",
    namespaced=False,
    versions={
        V1BETA1: Version(
            GPUNode,
            columns=(
                Column("Product", ".status.product", "The GPUs' product."),
                Column("GPUs", ".status.summary.gpus", "GPUs.", type="integer"),
                Column("Partitions", ".status.summary.partitions", "Partitions.", type="integer"),
                Column("Free", ".status.summary.free", "Partitions that a claim can get.", type="integer"),
                Column("Modes", ".status.summary.modes", "Modes and how many GPUs are in each."),
                Column("Problems", ".status.summary.problems", "What is wrong, counted."),
                READY,
                Column("Operation", ".status.operation.phase", "The operation under way, or the last.", priority=1),
                Column("Step", ".status.operation.step", "Its step.", priority=1),
                Column("Simulated", ".status.simulated", "Whether the GPUs are simulated.", type="boolean", priority=1),
                condition_column("Reason", "Ready", "reason", "Why it is ready or not.", priority=1),
                AGE,
            ),
        )
    },
)

REPARTITION_PLAN: Final = Kind(
    name="RepartitionPlan",
    plural="repartitionplans",
    short_name="rpp",
    namespaced=False,
    versions={
        V1BETA1: Version(
            RepartitionPlan,
            columns=(
                Column("Node", ".spec.node", "The node."),
                Column("Phase", ".status.phase", "Where the plan stands."),
                Column("From", ".status.summary.from", "Modes before."),
                Column("To", ".status.summary.to", "Modes after."),
                Column("Gain", ".spec.gain.summary", "What is regained by bringing models together."),
                Column("Cost", ".status.cost.summary", "What it costs those who are served."),
                Column("Reason", ".spec.reason", "Why."),
                Column("Approved", ".spec.approved", "Whether a person said go.", type="boolean"),
                Column("Approval", ".spec.approval", "Auto or Manual.", priority=1),
                Column("Message", ".status.message", "Where it stands and why.", priority=1),
                AGE,
            ),
        )
    },
)


def _policy_columns(enabled: str, approval: str) -> tuple[Column, ...]:
    """The columns of a policy, whose versions keep the rules of repartitioning in different places."""
    return (
        Column("Scorer", ".spec.scorer", "How a place is chosen."),
        Column("Repartition", enabled, "Whether modes are changed.", type="boolean"),
        Column("Approval", approval, "Who approves changes."),
        Column("Paused", ".spec.paused", "Whether everything stops.", type="boolean"),
        Column("Nodes", ".status.nodes", "Nodes governed.", type="integer"),
        Column("Claims", ".status.claims", "Claims placed.", type="integer"),
        READY,
        AGE,
    )


GPU_SHARING_POLICY: Final = Kind(
    name="GPUSharingPolicy",
    plural="gpusharingpolicies",
    short_name="gsp",
    namespaced=False,
    versions={
        V1BETA1: Version(
            GPUSharingPolicy, columns=_policy_columns(".spec.repartition.enabled", ".spec.repartition.approval")
        ),
        V1ALPHA1: Version(
            v1alpha1.GPUSharingPolicy,
            columns=_policy_columns(".spec.repartitionEnabled", ".spec.repartitionApproval"),
        ),
    },
)

MODEL_PROFILE: Final = Kind(
    name="ModelProfile",
    plural="modelprofiles",
    short_name="aimmp",
    namespaced=False,
    versions={
        V1BETA1: Version(
            ModelProfile,
            columns=(
                Column("Model", ".spec.modelId", "The model."),
                Column("Parameters", ".spec.architecture.totalParams", "Parameters in all.", type="integer"),
                Column("Precisions", ".spec.precisions", "Precisions that exist."),
                READY,
                AGE,
            ),
        )
    },
)

KINDS: Final = (
    INFERENCE_SERVICE,
    GPU_PARTITION_CLAIM,
    GPU_NODE,
    REPARTITION_PLAN,
    GPU_SHARING_POLICY,
    MODEL_PROFILE,
)
"""All kinds of the group."""
