"""The cluster as one decision sees it: frozen facts, and trial changes that undo themselves."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.demand import Resources


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a partition: one of our claims (`namespace/name`), or something that is not ours.

    `resources` are those of the claim's pod as far as they count on the node; without the claim they are free, too.
    """

    kind: Literal["ours", "foreign"]
    name: str
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True, slots=True)
class Reservation:
    """Whom a partition is kept for: the successor of a pod that was moved, or the next revision of a service.

    `owner` is the uid of the controller that makes the successor; `template_hash` empty means any pod of it. With
    `service`, the key of an InferenceService, it is for pods of its newest revision, whoever makes them.
    """

    owner: str
    template_hash: str = ""
    service: str = ""


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
class Alike:
    """Partitions of one GPU that differ in nothing but their number and who holds them, by number."""

    partitions: tuple[Partition, ...]
    free: tuple[Partition, ...]


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
    _alike: tuple[Alike, ...] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def alike(self) -> tuple[Alike, ...]:
        """The partitions in groups that are one to every check and scorer; worked out once."""
        found = self._alike
        if found is None:
            found = _alike(self.partitions)
            object.__setattr__(self, "_alike", found)
        return found


def _alike(partitions: tuple[Partition, ...]) -> tuple[Alike, ...]:
    groups: dict[object, list[Partition]] = {}
    for one in partitions:
        kind = (one.bytes, one.compute_units, one.healthy, one.quarantined, one.reservation, one.resource)
        groups.setdefault(kind, []).append(one)
    return tuple(Alike(tuple(group), tuple(one for one in group if one.holder is None)) for group in groups.values())


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
    `handover`: an old-revision pod gives up its partition where the newest revision finds none. `releases`: pods that
    fit nowhere are let go, so that a cluster autoscaler sees them.
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
    handover: bool = False
    releases: bool = False

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


@dataclass(frozen=True, slots=True)
class _Trial:
    """What was tried on one node: who holds what, which partitions are free again, and what that takes of the node."""

    held: Mapping[PartitionId, Holder] = field(default_factory=dict)
    freed: frozenset[PartitionId] = frozenset()
    used: Resources = field(default_factory=Resources)

    def holder(self, partition: Partition) -> Holder | None:
        """Who holds the partition now."""
        tried = self.held.get(partition.id)
        return partition.holder if tried is None and partition.id not in self.freed else tried

    def held_by(self, holder: Holder, partitions: Iterable[Partition]) -> "_Trial":
        """With the partitions held, and the holder's resources taken."""
        held = {**self.held, **{partition.id: holder for partition in partitions}}
        return replace(self, held=held, used=self.used.plus(holder.resources))

    def given_back(self, holder: Holder, partitions: Iterable[Partition]) -> "_Trial":
        """What `held_by` did, taken back. Raises KeyError when it is not there."""
        held = dict(self.held)
        for partition in partitions:
            del held[partition.id]
        return replace(self, held=held, used=self.used.minus(holder.resources))

    def without(self, holder: Holder, partitions: Iterable[Partition]) -> "_Trial":
        """With the partitions free, and the holder's resources too, whether it was tried or found."""
        ids = {partition.id for partition in partitions}
        held = {number: tried for number, tried in self.held.items() if number not in ids}
        return _Trial(held, self.freed | ids, self.used.minus(holder.resources))


_UNTRIED: Final = _Trial()


class Snapshot:
    """Nodes, frozen, with trial changes beside them.

    `hold` returns its own undo and `without` ends with its block, so that a what-if leaves the snapshot as it found it.
    """

    __slots__ = ("_nodes", "_trials")

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes = {node.name: node for node in sorted(nodes, key=lambda node: node.name)}
        self._trials: dict[str, _Trial] = {}

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, by name."""
        return tuple(self._nodes.values())

    def node(self, name: str) -> Node | None:
        """The node of that name, None when there is none."""
        return self._nodes.get(name)

    def holder(self, node: Node, partition: Partition) -> Holder | None:
        """Who holds the partition, trial changes included; None when it is free."""
        trial = self._trials.get(node.name)
        return partition.holder if trial is None else trial.holder(partition)

    def free_of(self, node: Node, alike: Alike) -> tuple[Partition, ...]:
        """Those of the partitions that nobody holds, by number."""
        if node.name not in self._trials:
            return alike.free
        return tuple(one for one in alike.partitions if self.holder(node, one) is None)

    def free(self, node: Node, gpu: Gpu) -> int:
        """How many partitions of the GPU nobody holds, fit for use or not."""
        return sum(len(self.free_of(node, alike)) for alike in gpu.alike)

    def used(self, node: Node) -> Resources:
        """CPU, memory and pods taken on the node, trial changes included."""
        trial = self._trials.get(node.name)
        return node.used if trial is None else node.used.plus(trial.used)

    def partitions(self) -> Iterator[tuple[Node, Gpu, Partition]]:
        """Every partition with its GPU and node, in a stable order."""
        for node in self._nodes.values():
            for gpu in node.gpus:
                for partition in gpu.partitions:
                    yield node, gpu, partition

    def idle(self, node: Node, gpu: Gpu) -> bool:
        """Whether nobody, ours or foreign, holds any partition of the GPU."""
        return all(self.holder(node, partition) is None for partition in gpu.partitions)

    def hold(self, node: Node, partitions: Iterable[Partition], claim: str, pod: Resources) -> Callable[[], None]:
        """Try a claim on partitions of one node; the returned call takes it back.

        Raises RuntimeError when one is held already, and holds none then: two claims on one partition is the fault
        this system exists to prevent, so it is never clamped.
        """
        wanted = tuple(partitions)
        for partition in wanted:
            present = self.holder(node, partition)
            if present is not None:
                raise RuntimeError(
                    f"partition {partition.id} of node {node.name} is held by {present.name}; "
                    f"cannot hold it for {claim}"
                )
        holder = Holder("ours", claim, pod)
        self._trials[node.name] = self._trial(node.name).held_by(holder, wanted)

        def undo() -> None:
            self._trials[node.name] = self._trial(node.name).given_back(holder, wanted)

        return undo

    @contextmanager
    def without(self, claims: Iterable[str]) -> Iterator[None]:
        """As if our `claims` were gone: their partitions free, and what their pods use of the nodes.

        Whatever is tried within the block ends with it, holds that were not undone included.
        """
        wanted, before = frozenset(claims), dict(self._trials)
        for (name, holder), partitions in self._held_by(wanted).items():
            self._trials[name] = self._trial(name).without(holder, partitions)
        try:
            yield
        finally:
            self._trials = before

    def _held_by(self, claims: frozenset[str]) -> dict[tuple[str, Holder], list[Partition]]:
        found: dict[tuple[str, Holder], list[Partition]] = {}
        for node, _, partition in self.partitions() if claims else ():
            holder = self.holder(node, partition)
            if holder is not None and holder.kind == "ours" and holder.name in claims:
                found.setdefault((node.name, holder), []).append(partition)
        return found

    def _trial(self, node: str) -> _Trial:
        return self._trials.get(node, _UNTRIED)
