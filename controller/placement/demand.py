"""What a pod asks of a place: the GPU memory it needs and what the real scheduler will check for the node."""

from dataclasses import dataclass, field
from typing import Literal

from controller.gpu.mode import Mode


@dataclass(frozen=True, slots=True)
class Requirement:
    """GPU memory of one claim.

    `bytes` is what one partition must hold; `modes` empty means any mode; `count` is the number of partitions.
    """

    bytes: int
    count: int = 1
    modes: frozenset[Mode] = frozenset()


@dataclass(frozen=True, slots=True)
class Resources:
    """CPU in thousandths of a core, memory in bytes, pods as a count."""

    cpu_milli: int = 0
    memory_bytes: int = 0
    pods: int = 0

    def plus(self, other: "Resources") -> "Resources":
        """The sum of both, item by item."""
        return Resources(
            self.cpu_milli + other.cpu_milli, self.memory_bytes + other.memory_bytes, self.pods + other.pods
        )

    def minus(self, other: "Resources") -> "Resources":
        """The difference, item by item; negative when more is used than there is (an overcommitted node)."""
        return Resources(
            self.cpu_milli - other.cpu_milli, self.memory_bytes - other.memory_bytes, self.pods - other.pods
        )


@dataclass(frozen=True, slots=True)
class Toleration:
    """A pod's toleration with Kubernetes' meaning: empty key with Exists tolerates all, empty effect any effect."""

    key: str = ""
    operator: Literal["Equal", "Exists", "Lt", "Gt"] = "Equal"
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True)
class Expression:
    """One requirement of a node selector term; `key` is a label, or `metadata.name` for a field."""

    key: str
    operator: str
    values: tuple[str, ...] = ()
    on_field: bool = False


@dataclass(frozen=True, slots=True)
class PodConstraints:
    """What the real scheduler checks for the node we pin.

    `affinity` is required node affinity: any term suffices, a term needs all its expressions, an empty term
    matches nothing; no terms at all means no constraint.
    """

    resources: Resources = field(default_factory=lambda: Resources(pods=1))
    node_selector: tuple[tuple[str, str], ...] = ()
    affinity: tuple[tuple[Expression, ...], ...] = ()
    tolerations: tuple[Toleration, ...] = ()


@dataclass(frozen=True, slots=True)
class Demand:
    """A claim that waits for a place. `created_seconds` is the pod's creation time, seconds since the epoch.

    `of_service`: an InferenceService asked, so messages name its fields instead of the pod's annotations. `owner` is
    the uid of the controller that made the pod and `template_hash` its revision, both empty where there is none: by
    them a moved pod's successor is known. `resource` is the extended resource of the device plugin that the pod asks
    for, and `naming` the way of naming it belongs to; both empty for a pod that asks by a ResourceClaim. `family`
    names what makes pods of several revisions (a Deployment), and `revision_seconds` tells when this one came; empty
    where nothing does. `preempts`: others may have to leave for it (preemptionPolicy). `gang`, with `gang_size` pods,
    is placed whole or not at all.
    """

    key: str
    uid: str
    namespace: str
    requirement: Requirement
    pod: PodConstraints = field(default_factory=PodConstraints)
    priority: int = 0
    created_seconds: float = 0.0
    policy: str | None = None
    qos_class: str | None = None
    of_service: bool = False
    excluded_nodes: frozenset[str] = frozenset()
    owner: str = ""
    template_hash: str = ""
    resource: str = ""
    naming: str = ""
    preempts: bool = True
    family: str = ""
    revision_seconds: float = 0.0
    gang: str = ""
    gang_size: int = 1
