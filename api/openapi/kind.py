"""What the API server is told of each kind besides its schema: scope, names, table columns, subresources."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

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
    rules of the whole object.
    """

    model: type[KubernetesObject]
    columns: tuple[Column, ...]
    scale: tuple[str, str, str] | None = None
    rules: tuple[Rule, ...] = field(default=())


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

_LONGEST_SERVICE_NAME: Final = 53
"""A Service's name has at most 63 characters; the rest is for suffixes such as -predictor."""

INFERENCE_SERVICE: Final = Kind(
    name="InferenceService",
    plural="inferenceservices",
    short_name="aimisvc",
    namespaced=True,
    versions={
        "v1beta1": Version(
            InferenceService,
            scale=(".spec.replicas", ".status.replicas", ".status.selector"),
            rules=(
                Rule(
                    f"self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')"
                    f" && size(self.metadata.name) <= {_LONGEST_SERVICE_NAME}",
                    f"the name becomes a Service's: use at most {_LONGEST_SERVICE_NAME} lower-case letters, digits and '-', "
                    "beginning with a letter",
                    message_expression="'metadata.name ' + self.metadata.name + ' becomes the name of a Service:"
                    f" use at most {_LONGEST_SERVICE_NAME} lower-case letters, digits and dashes, beginning with a letter'",
                ),
            ),
            columns=(
                Column("Model", ".spec.model.id", "The model."),
                Column("Precision", ".spec.model.precision", "Precision asked for."),
                Column("Memory", ".status.sizing.memory", "Memory a replica needs."),
                READY,
                condition_column("Allocated", "Allocated", "status", "Whether all pods have partitions."),
                condition_column("Reason", "Allocated", "reason", "Why they have or have not."),
                Column("Replicas", ".status.readyReplicas", "Ready pods.", type="integer", priority=1),
                Column("Backend", ".status.backend", "What runs the pods.", priority=1),
                condition_column("Message", "Allocated", "message", "Why, as a sentence.", priority=1),
                AGE,
            ),
        )
    },
)

GPU_PARTITION_CLAIM: Final = Kind(
    name="GPUPartitionClaim",
    plural="gpupartitionclaims",
    short_name="gpc",
    namespaced=True,
    versions={
        "v1beta1": Version(
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
        )
    },
)

GPU_NODE: Final = Kind(
    name="GPUNode",
    plural="gpunodes",
    short_name="gpun",
    namespaced=False,
    versions={
        "v1beta1": Version(
            GPUNode,
            columns=(
                Column("Product", ".status.product", "The GPUs' product."),
                Column("GPUs", ".status.summary.gpus", "GPUs.", type="integer"),
                Column("Partitions", ".status.summary.partitions", "Partitions.", type="integer"),
                Column("Free", ".status.summary.free", "Free partitions.", type="integer"),
                Column("Modes", ".status.summary.modes", "Modes and how many GPUs are in each."),
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
        "v1beta1": Version(
            RepartitionPlan,
            columns=(
                Column("Node", ".spec.node", "The node."),
                Column("Phase", ".status.phase", "Where the plan stands."),
                Column("From", ".status.summary.from", "Modes before."),
                Column("To", ".status.summary.to", "Modes after."),
                Column("Reason", ".spec.reason", "Why."),
                Column("Approved", ".spec.approved", "Whether a person said go.", type="boolean"),
                Column("Approval", ".spec.approval", "Auto or Manual.", priority=1),
                Column("Message", ".status.message", "Where it stands and why.", priority=1),
                AGE,
            ),
        )
    },
)

GPU_SHARING_POLICY: Final = Kind(
    name="GPUSharingPolicy",
    plural="gpusharingpolicies",
    short_name="gsp",
    namespaced=False,
    versions={
        "v1beta1": Version(
            GPUSharingPolicy,
            columns=(
                Column("Scorer", ".spec.scorer", "How a place is chosen."),
                Column("Repartition", ".spec.repartition.enabled", "Whether modes are changed.", type="boolean"),
                Column("Approval", ".spec.repartition.approval", "Who approves changes."),
                Column("Paused", ".spec.paused", "Whether everything stops.", type="boolean"),
                Column("Nodes", ".status.nodes", "Nodes governed.", type="integer"),
                Column("Claims", ".status.claims", "Claims placed.", type="integer"),
                READY,
                AGE,
            ),
        )
    },
)

MODEL_PROFILE: Final = Kind(
    name="ModelProfile",
    plural="modelprofiles",
    short_name="aimmp",
    namespaced=False,
    versions={
        "v1beta1": Version(
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
