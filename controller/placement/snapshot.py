"""The cluster as one decision sees it: frozen facts, and trial changes that undo themselves."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.demand import Resources


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a partition: one of our claims (`namespace/name`), or something that is not ours."""

    kind: Literal["ours", "foreign"]
    name: str


@dataclass(frozen=True, slots=True)
class Reservation:
    """Whom a partition is kept for: the successor of a pod that was moved.

    `owner` is the uid of the controller that makes the successor; `template_hash` empty means any pod of it.
    """

    owner: str
    template_hash: str = ""


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition as its agent reported it. `device` is its name in the node's ResourceSlice.

    `quarantined`: taken out by the operator or a person, however healthy it looks. `resource` is the extended resource
    that the node's device plugin advertises it by, empty where ResourceSlices do.
    """

    id: PartitionId
    device: str
    render_index: int
    bytes: int
    compute_units: int
    healthy: bool = True
    holder: Holder | None = None
    reservation: Reservation | None = None
    quarantined: bool = False
    resource: str = ""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, its modes and its partitions. `plan` names the repartition plan that has it in hand."""

    bdf: str
    product: str
    mode: Mode
    partitions: tuple[Partition, ...]
    allowed: tuple[Mode, ...] = ()
    validated: frozenset[Mode] = frozenset()
    plan: str | None = None


@dataclass(frozen=True, slots=True)
class Taint:
    """A node's taint."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class PolicyView:
    """What a GPUSharingPolicy says about one node. Times are seconds.

    `modes` empty allows every mode. `namespaces` None selects all. `cooldown_left` is the rest of the pause after
    the node's last mode change, 0 when there is none. `window_opens` says when changes may begin, or why they never
    may, and is empty while `in_window`. `ignore_device_config_manager`: nodes with AMD's labels are changed, too.
    """

    name: str
    modes: frozenset[Mode] = frozenset()
    validated_only: bool = True
    namespaces: frozenset[str] | None = None
    repartition: bool = False
    approval: Literal["Auto", "Manual"] = "Manual"
    max_parallel_nodes: int = 1
    max_unavailable_pods: int = 1
    cooldown_left: float = 0.0
    in_window: bool = True
    window_opens: str = ""
    ignore_device_config_manager: bool = False
    paused: bool = False

    def admits(self, namespace: str) -> bool:
        """Whether the policy lets this namespace use its nodes."""
        return self.namespaces is None or namespace in self.namespaces


@dataclass(frozen=True, slots=True)
class Node:
    """A GPU node. `fresh` says that its agent's inventory may be trusted for binding.

    `plugin_pods` counts pods that hold devices through AMD's device plugin, past any ResourceClaim.
    `hostname` is the node's own value of `kubernetes.io/hostname`, None when it has no such label.
    `plugin`: GPUs are handed out by the device plugin, and `naming` is how it names them, None while it never did.
    `devices` counts what it advertises by resource, `unlocated` those of them that pods hold or will hold without
    anybody knowing which: the kubelet chooses.
    """

    name: str
    hostname: str | None
    gpus: tuple[Gpu, ...]
    allocatable: Resources
    used: Resources = field(default_factory=Resources)
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    ready: bool = True
    unschedulable: bool = False
    fresh: bool = True
    paused: bool = False
    policy: PolicyView | None = None
    pool: str = ""
    plugin_pods: int = 0
    plugin: bool = False
    naming: str | None = None
    devices: Mapping[str, int] = field(default_factory=dict)
    unlocated: Mapping[str, int] = field(default_factory=dict)


class Snapshot:
    """Nodes, frozen, with an overlay of trial holders.

    `hold` returns its own undo, so that a what-if leaves the snapshot as it found it.
    """

    __slots__ = ("_held", "_nodes", "_used")

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes = {node.name: node for node in sorted(nodes, key=lambda node: node.name)}
        self._held: dict[tuple[str, PartitionId], Holder] = {}
        self._used: dict[str, Resources] = {}

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, by name."""
        return tuple(self._nodes.values())

    def node(self, name: str) -> Node | None:
        """The node of that name, None when there is none."""
        return self._nodes.get(name)

    def holder(self, node: Node, partition: Partition) -> Holder | None:
        """Who holds the partition, trial holders included; None when it is free."""
        return partition.holder or self._held.get((node.name, partition.id))

    def used(self, node: Node) -> Resources:
        """CPU, memory and pods taken on the node, trial holders included."""
        extra = self._used.get(node.name)
        return node.used if extra is None else node.used.plus(extra)

    def partitions(self) -> Iterator[tuple[Node, Gpu, Partition]]:
        """Every partition with its GPU and node, in a stable order."""
        for node in self._nodes.values():
            for gpu in node.gpus:
                for partition in gpu.partitions:
                    yield node, gpu, partition

    def idle(self, node: Node, gpu: Gpu) -> bool:
        """Whether nobody, ours or foreign, holds any partition of the GPU."""
        return all(self.holder(node, partition) is None for partition in gpu.partitions)

    def hold(self, node: Node, partition: Partition, claim: str, pod: Resources) -> Callable[[], None]:
        """Try a claim on a partition; the returned call takes it back.

        Raises RuntimeError when the partition is held already: two claims on one partition is the fault this
        system exists to prevent, so it is never clamped.
        """
        present = self.holder(node, partition)
        if present is not None:
            raise RuntimeError(
                f"partition {partition.id} of node {node.name} is held by {present.name}; cannot hold it for {claim}"
            )
        key = (node.name, partition.id)
        before = self._used.get(node.name)
        self._held[key] = Holder("ours", claim)
        self._used[node.name] = pod if before is None else before.plus(pod)

        def undo() -> None:
            del self._held[key]
            self._used[node.name] = self._used[node.name].minus(pod)

        return undo
