"""One change: what it is, what it costs, and the function that makes it on a snapshot and a demand."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from controller.placement.demand import Demand
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot


class Kind(StrEnum):
    """What is changed. The order is that of the cost: what nobody has to do first, what costs hardware last."""

    WAIT_FOR_PLAN = "WaitForPlan"
    MODE_CHANGE = "ModeChange"
    APPROVAL = "ApproveModeChange"
    TOLERATION = "Toleration"
    NODE_SELECTOR = "NodeSelector"
    NODE_AFFINITY = "NodeAffinity"
    POD_RULES = "PodRules"
    PARTITION_MODE = "PartitionMode"
    POLICY_REF = "PolicyRef"
    UNPAUSE = "Unpause"
    UNCORDON = "Uncordon"
    NODE_REPAIR = "NodeRepair"
    QUARANTINE = "Quarantine"
    CONCURRENCY = "MaxConcurrency"
    LENGTH = "MaxModelLen"
    PRECISION = "Precision"
    COUNT = "PartitionCount"
    EVICTION = "Eviction"
    QUOTA = "Quota"
    POLICY = "Policy"
    NODE_RESOURCES = "NodeResources"


class Actor(StrEnum):
    """Who can make a change."""

    NOBODY = "nobody has to act"
    OWNER = "the owner of the pod"
    APPROVER = "who approves plans"
    ADMINISTRATOR = "an administrator of the cluster"


RANKS: Final[Mapping[Kind, int]] = MappingProxyType(
    {
        Kind.WAIT_FOR_PLAN: 0,
        Kind.MODE_CHANGE: 1,
        Kind.APPROVAL: 2,
        Kind.TOLERATION: 3,
        Kind.NODE_SELECTOR: 3,
        Kind.NODE_AFFINITY: 3,
        Kind.POD_RULES: 3,
        Kind.PARTITION_MODE: 3,
        Kind.POLICY_REF: 3,
        Kind.UNPAUSE: 4,
        Kind.UNCORDON: 4,
        Kind.NODE_REPAIR: 5,
        Kind.QUARANTINE: 5,
        Kind.CONCURRENCY: 6,
        Kind.LENGTH: 6,
        Kind.PRECISION: 6,
        Kind.COUNT: 6,
        Kind.EVICTION: 7,
        Kind.QUOTA: 8,
        Kind.POLICY: 9,
        Kind.NODE_RESOURCES: 10,
    }
)
"""What a kind costs, lower is cheaper: nobody acts, one word of approval, the pod's own template, a word to a node, a
repair, a model that serves less, pods of others that go, a larger quota, what a policy allows, hardware."""

ACTORS: Final[Mapping[Kind, Actor]] = MappingProxyType(
    {
        Kind.WAIT_FOR_PLAN: Actor.NOBODY,
        Kind.MODE_CHANGE: Actor.NOBODY,
        Kind.APPROVAL: Actor.APPROVER,
        Kind.POD_RULES: Actor.OWNER,
        **dict.fromkeys((Kind.TOLERATION, Kind.NODE_SELECTOR, Kind.NODE_AFFINITY, Kind.PARTITION_MODE), Actor.OWNER),
        **dict.fromkeys((Kind.POLICY_REF, Kind.CONCURRENCY, Kind.LENGTH, Kind.PRECISION, Kind.COUNT), Actor.OWNER),
        **dict.fromkeys((Kind.UNPAUSE, Kind.UNCORDON, Kind.NODE_REPAIR, Kind.QUARANTINE), Actor.ADMINISTRATOR),
        **dict.fromkeys((Kind.EVICTION, Kind.QUOTA, Kind.POLICY, Kind.NODE_RESOURCES), Actor.ADMINISTRATOR),
    }
)
"""Who can make a change of a kind."""


class Cost(NamedTuple):
    """Lower is cheaper: the kind's rank, then what the kind counts (its file says what), then its target."""

    rank: int
    counted: tuple[int, ...]
    target: str


def _node_as_it_is(node: Node) -> Node:
    return node


def _demand_as_it_is(demand: Demand) -> Demand:
    return demand


@dataclass(frozen=True, slots=True)
class Change:
    """A single change. `target` is what is changed, `text` says it in words, without names of others.

    `node` is the one that `on_node` changes, or `policy` the one whose nodes it does; None of both where the demand
    alone is changed, by `on_demand`. `count` is the number of pods that go, or of GPUs touched. `permitted`: no policy
    stands against it.
    """

    kind: Kind
    target: str
    text: str
    counted: tuple[int, ...] = ()
    node: str | None = None
    policy: str | None = None
    count: int = 0
    permitted: bool = True
    on_node: Callable[[Node], Node] = _node_as_it_is
    on_demand: Callable[[Demand], Demand] = _demand_as_it_is

    @property
    def cost(self) -> Cost:
        """What it costs, for comparison with others."""
        return Cost(RANKS[self.kind], self.counted, self.target)

    @property
    def actor(self) -> Actor:
        """Who can make it."""
        return ACTORS[self.kind]

    def made(self, snapshot: Snapshot, demand: Demand) -> tuple[Snapshot, Demand]:
        """A snapshot and a demand with the change made; those given stay as they are."""
        nodes = (as_tried(snapshot, node) for node in snapshot.nodes)
        changed = Snapshot(self.on_node(node) if self._concerns(node) else node for node in nodes)
        return changed, self.on_demand(demand)

    def _concerns(self, node: Node) -> bool:
        ruled = node.policy is not None and node.policy.name == self.policy
        return node.name == self.node or ruled


def as_tried(snapshot: Snapshot, node: Node) -> Node:
    """The node as facts, with what was tried on it in the snapshot."""
    gpus = tuple(_gpu_as_tried(snapshot, node, gpu) for gpu in node.gpus)
    used, peers = snapshot.used(node), snapshot.peers(node)
    same = gpus == node.gpus and used == node.used and peers is node.peers
    return node if same else replace(node, gpus=gpus, used=used, peers=peers)


def _gpu_as_tried(snapshot: Snapshot, node: Node, gpu: Gpu) -> Gpu:
    holders = [snapshot.holder(node, partition) for partition in gpu.partitions]
    if all(holder is partition.holder for holder, partition in zip(holders, gpu.partitions, strict=True)):
        return gpu
    tried = (replace(one, holder=holder) for one, holder in zip(gpu.partitions, holders, strict=True))
    return replace(gpu, partitions=tuple(tried))


def with_gpus(node: Node, change: Callable[[Gpu], Gpu]) -> Node:
    """The node with each of its GPUs changed."""
    return replace(node, gpus=tuple(map(change, node.gpus)))


def with_partitions(gpu: Gpu, change: Callable[[Partition], Partition]) -> Gpu:
    """The GPU with each of its partitions changed."""
    return replace(gpu, partitions=tuple(map(change, gpu.partitions)))


def listed(names: Iterable[str], most: int = 3) -> str:
    """Some names for a sentence, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more
