"""What a pod asks of a place: the GPU memory it needs and what the real scheduler will check for the node."""

from dataclasses import dataclass, field
from typing import Literal

from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.expression import Expression
from controller.placement.peers import Peer, PodRules
from controller.sizing.precision import Precision


@dataclass(frozen=True, slots=True)
class Requirement:
    """GPU memory of one claim, and the precision in which its model is served there.

    `bytes` is what one partition must hold; `modes` empty means any mode; `count` is the number of partitions.
    `precision` is a resolved one; None, of a claim that names none, goes on any GPU.
    """

    bytes: int
    count: int = 1
    modes: frozenset[Mode] = frozenset()
    precision: Precision | None = None


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
class GroupMember:
    """One pod of a share group that waits: bytes of its fixed share, precision, and what its node must have.

    `guaranteed`: requests that its service is promised to have in flight, all pods together; 0: none.
    """

    bytes: int
    precision: Precision | None = None
    pod: PodConstraints = field(default_factory=PodConstraints)
    guaranteed: int = 0


@dataclass(frozen=True, slots=True)
class GroupPlace:
    """The partition that a share group has, and what its members leave of it: bytes, compute units, and pods.

    `left_units` None: nobody knows the partition's compute units, so there are no shares of them. `left_guarantees`:
    requests in flight that may be promised beside what other services are promised there; None: nothing bounds them.
    """

    node: str
    partition: PartitionId
    left_bytes: int
    left_units: int | None
    left_pods: int
    left_guarantees: int | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """What makes a demand one of a share group: its founders, in their order, or one that joins at `place`.

    `least_bytes` is what the partition must have at least, whatever the founders need.
    """

    group: str
    members: tuple[GroupMember, ...]
    least_bytes: int = 0
    place: GroupPlace | None = None


@dataclass(frozen=True, slots=True)
class Demand:
    """A claim that waits for a place. `created_seconds` is the pod's creation time, seconds since the epoch.

    `of_service`: an InferenceService asked, so messages name its fields instead of the pod's annotations. `owner` is
    the uid of the controller that made the pod and `template_hash` its revision, both empty where there is none: by
    them a moved pod's successor is known. `resource` is the extended resource of the device plugin that the pod asks
    for, and `naming` the way of naming it belongs to; both empty for a pod that asks by a ResourceClaim. `service` is
    the key of the InferenceService that the pod belongs to, `family` the uid of the Deployment above its ReplicaSet and
    `revision` the number of its revision there: empty and 0 where nobody told. `newest`: no later revision is known.
    `shared`: for members of a share group, which have one partition together. `preempts`: others may have to leave for
    it (preemptionPolicy). `gang`, with `gang_size` pods, is placed whole or not at all. `rules` are what it requires of
    the pods around it, None: nobody told, or it is judged elsewhere.
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
    service: str = ""
    family: str = ""
    revision: int = 0
    newest: bool = True
    shared: Shared | None = None
    preempts: bool = True
    gang: str = ""
    gang_size: int = 1
    rules: PodRules | None = None

    @property
    def peer(self) -> Peer | None:
        """Its pod, as those see it that come after it; None where nobody told of its rules."""
        rules = self.rules
        return Peer(self.key, self.namespace, rules.labels, rules.repels, rules.ports) if rules is not None else None

    @property
    def precisions(self) -> tuple[Precision | None, ...]:
        """Those that its GPU has to serve: its own, and each founder's of a share group."""
        if self.shared is None:  # asked for every partition that is looked at
            return (self.requirement.precision,)
        members = (member.precision for member in self.shared.members)
        return tuple(dict.fromkeys((self.requirement.precision, *members)))

    @property
    def joins(self) -> bool:
        """Whether it asks for a share of the partition that its share group has, and for no partition more."""
        return self.shared is not None and self.shared.place is not None
