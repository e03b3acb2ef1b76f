"""A GPU node as one decision sees it: its GPUs, their partitions, and who holds them. Frozen facts.

What a search asks again and again of a GPU or a node is worked out once and kept with it: it never changes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.demand import Resources
from controller.placement.peers import Peer, Term
from controller.placement.quota import NO_QUOTA, Quota


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a partition: one of our claims (`namespace/name`), or something that is not ours.

    `resources` are those of the claim's pod as far as they count on the node; without the claim they are free, too.
    """

    kind: Literal["ours", "foreign"]
    name: str
    resources: Resources = field(default_factory=Resources)

    @property
    def namespace(self) -> str:
        """Of the claim."""
        return self.name.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Reservation:
    """Whom a partition is kept for: the successor of a moved pod, one claim that waits, or a service's next revision.

    `owner` is the uid of the controller that makes the successor; `template_hash` empty means any pod of it. With
    `claim`, a uid, the partition is that claim's alone, and a demand of more than its `priority` may take it. With
    `service`, the key of an InferenceService, it is for pods of its newest revision, whoever makes them.
    """

    owner: str
    template_hash: str = ""
    claim: str = ""
    priority: int = 0
    service: str = ""

    @property
    def whose(self) -> str:
        """The uid or key by which those for whom it is kept are found."""
        return self.claim or self.service or self.owner


@dataclass(frozen=True, slots=True)
class Awaited:
    """What a claim that waits will take of a node on which a place is kept for it. `claim` is its uid."""

    claim: str
    priority: int
    resources: Resources


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

    def kept(self, holder: Holder | None, reservation: Reservation | None) -> "Partition":
        """The partition as somebody's, or kept for somebody. Written out: this runs for every change of a claim."""
        return Partition(
            self.id,
            self.device,
            self.render_index,
            self.bytes,
            self.compute_units,
            self.healthy,
            holder,
            reservation,
            self.quarantined,
            self.resource,
        )


@dataclass(frozen=True, slots=True)
class Alike:
    """Partitions of one GPU that differ in nothing but their number and who holds them, by number."""

    partitions: tuple[Partition, ...]
    free: tuple[Partition, ...]


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, its modes and its partitions. `plan` names the repartition plan that has it in hand.

    xGMI links the GPUs of a node that have the same `hive` with one another; None: with none, or nobody told.
    """

    bdf: str
    product: str
    mode: Mode
    partitions: tuple[Partition, ...]
    allowed: tuple[Mode, ...] = ()
    validated: frozenset[Mode] = frozenset()
    plan: str | None = None
    hive: int | None = None
    _alike: tuple[Alike, ...] | None = field(default=None, init=False, repr=False, compare=False)

    def having(self, partitions: tuple[Partition, ...], plan: str | None) -> "Gpu":
        """The GPU with other partitions, in hand of that plan. Written out: this runs for every change of a claim."""
        return Gpu(self.bdf, self.product, self.mode, partitions, self.allowed, self.validated, plan, self.hive)

    @property
    def alike(self) -> tuple[Alike, ...]:
        """The partitions in groups that are one to every check and scorer."""
        found = self._alike
        if found is None:
            found = _groups(self.partitions)
            object.__setattr__(self, "_alike", found)
        return found


def _groups(partitions: tuple[Partition, ...]) -> tuple[Alike, ...]:
    groups: dict[object, list[Partition]] = {}
    for one in partitions:
        groups.setdefault(_kind(one), []).append(one)
    return tuple(Alike(tuple(group), tuple(one for one in group if one.holder is None)) for group in groups.values())


def _is_idle(alike: Alike) -> bool:
    one = alike.partitions[0]
    return one.healthy and not one.quarantined and len(alike.free) == len(alike.partitions)


def _kind(one: Partition) -> object:
    return one.bytes, one.compute_units, one.healthy, one.quarantined, one.reservation, one.resource


@dataclass(frozen=True, slots=True)
class Offer:
    """What some GPUs of one product could give at the most, whoever holds them.

    `modes` are those that one of them is in or may be put into, `largest_bytes` the memory of the largest, all its
    partitions together.
    """

    modes: frozenset[Mode]
    largest_bytes: int

    def joined(self, other: "Offer") -> "Offer":
        """That of the GPUs of both."""
        return Offer(self.modes | other.modes, max(self.largest_bytes, other.largest_bytes))


def joined_offers(found: Iterable[Mapping[str, Offer]]) -> Mapping[str, Offer]:
    """Offers by product, those of one product as one."""
    joined: dict[str, Offer] = {}
    for offers in found:
        for product, offer in offers.items():
            joined[product] = offer.joined(joined[product]) if product in joined else offer
    return joined


def _offer(gpu: Gpu) -> Offer:
    return Offer(frozenset((*gpu.allowed, gpu.mode)), sum(one.bytes for one in gpu.partitions))


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
    the node's last mode change, 0 when there is none; `rests_until` when that ends, a whole minute (RFC 3339), empty
    where nobody told. `window_opens` says when changes may begin, or why they never may, and is empty while
    `in_window`. `ignore_device_config_manager`: nodes with AMD's labels are changed, too.
    `handover`: an old-revision pod gives up its partition where the newest revision finds none. `releases`: pods that
    fit nowhere are let go, so that a cluster autoscaler sees them. `scorer` chooses among places that fit. `divides`:
    an idle GPU is divided for a claim that would take far too much of it.
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
    rests_until: str = ""
    in_window: bool = True
    window_opens: str = ""
    ignore_device_config_manager: bool = False
    paused: bool = False
    handover: bool = False
    releases: bool = False
    quotas: Mapping[str, Quota] = field(default_factory=dict, hash=False)
    scorer: str = "default"
    divides: bool = False

    @property
    def rest(self) -> str:
        """When the node's modes may change again. It is stored in texts, so it is no countdown if the end is known."""
        return f"after {self.rests_until}" if self.rests_until else f"in {self.cooldown_left:.0f} s"

    def admits(self, namespace: str) -> bool:
        """Whether the policy lets this namespace use its nodes."""
        return self.namespaces is None or namespace in self.namespaces

    def quota(self, namespace: str) -> Quota:
        """What the policy promises and allows the namespace."""
        return self.quotas.get(namespace, NO_QUOTA)


@dataclass(frozen=True, slots=True)
class Node:
    """A GPU node. `fresh` says that its agent's inventory may be trusted for binding, `reads_only` that the agent
    reports and changes no mode.

    `plugin_pods` counts pods that hold devices through AMD's device plugin, past any ResourceClaim.
    `hostname` is the node's own value of `kubernetes.io/hostname`, None when it has no such label.
    `plugin`: GPUs are handed out by the device plugin, and `naming` is how it names them, None while it never did.
    `devices` counts what it advertises by resource, `unlocated` those of them that pods hold or will hold without
    anybody knowing which: the kubelet chooses.
    `claimed` are the bytes of partitions that claims have there, by namespace: what quotas count. `awaited`: what
    claims will take for which a place is kept. `peers`: the pods that are there or bound to it, opted in or not.
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
    reads_only: bool = False
    policy: PolicyView | None = None
    pool: str = ""
    plugin_pods: int = 0
    plugin: bool = False
    naming: str | None = None
    devices: Mapping[str, int] = field(default_factory=dict)
    unlocated: Mapping[str, int] = field(default_factory=dict)
    claimed: Mapping[str, int] = field(default_factory=dict)
    awaited: tuple[Awaited, ...] = ()
    peers: tuple[Peer, ...] = ()
    _facts: "_Facts | None" = field(default=None, init=False, repr=False, compare=False)

    @property
    def distinct(self) -> tuple[Gpu, ...]:
        """One of each sort of GPU that checks and scorers can tell apart: of those that differ by name, the first."""
        return self._known.distinct

    @property
    def offers(self) -> Mapping[str, Offer]:
        """By product what GPUs there could give at the most."""
        return self._known.offers

    @property
    def idle(self) -> tuple[Gpu, ...]:
        """Of the distinct GPUs those that nobody holds, whoever tries to, and whose partitions are all fit for use."""
        return self._known.idle

    @property
    def partition_sizes(self) -> frozenset[int]:
        """The sizes of partitions that there are, bytes."""
        return self._known.partition_sizes

    @property
    def kept_for(self) -> frozenset[str]:
        """The uids of owners of pods and of claims, and the keys of services, for which something is kept there."""
        return self._known.kept_for

    @property
    def claims(self) -> Mapping[str, tuple[Partition, ...]]:
        """By claim `namespace/name` of ours, the partitions that it holds."""
        return self._known.claims

    @property
    def repelling(self) -> frozenset[Term]:
        """What pods there require to be far from."""
        return self._known.repelling

    @property
    def _known(self) -> "_Facts":
        found = self._facts
        if found is None:
            found = _facts(self)
            object.__setattr__(self, "_facts", found)
        return found


@dataclass(frozen=True, slots=True)
class _Facts:
    distinct: tuple[Gpu, ...]
    idle: tuple[Gpu, ...]
    offers: Mapping[str, Offer]
    partition_sizes: frozenset[int]
    kept_for: frozenset[str]
    claims: Mapping[str, tuple[Partition, ...]]
    repelling: frozenset[Term]


def _facts(node: Node) -> _Facts:
    distinct: dict[object, Gpu] = {}
    kept = {awaited.claim for awaited in node.awaited}
    claims: dict[str, list[Partition]] = {}
    for gpu in sorted(node.gpus, key=lambda gpu: gpu.bdf):
        sort = tuple((_kind(alike.partitions[0]), len(alike.partitions), len(alike.free)) for alike in gpu.alike)
        distinct.setdefault((gpu.product, gpu.mode, gpu.plan, sort), gpu)
        for one in gpu.partitions:
            if one.reservation is not None:
                kept.add(one.reservation.whose)
            if one.holder is not None and one.holder.kind == "ours":
                claims.setdefault(one.holder.name, []).append(one)
    return _Facts(
        distinct=tuple(distinct.values()),
        idle=tuple(gpu for gpu in distinct.values() if all(map(_is_idle, gpu.alike))),
        offers=joined_offers({gpu.product: _offer(gpu)} for gpu in node.gpus),
        partition_sizes=frozenset(one.bytes for gpu in node.gpus for one in gpu.partitions),
        kept_for=frozenset(kept),
        claims={claim: tuple(held) for claim, held in claims.items()},
        repelling=frozenset(term for peer in node.peers for term in peer.repels),
    )
