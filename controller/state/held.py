"""What our claims hold, by node: kept up claim by claim, so that a change of one costs what that one holds."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Final, Protocol

from api.v1beta1 import GPUPartitionClaim
from controller.gpu.identity import PartitionId
from controller.placement.demand import Resources
from controller.placement.node import Holder
from controller.placement.peers import Peer
from controller.runtime.cache.informer import Informer
from controller.runtime.manifest import Manifest, key_of
from controller.runtime.objects.pod import Pod
from controller.state.occupancy import HOLDING
from controller.state.pods import PodTable
from controller.state.table import Table
from controller.translate.share_group import as_claims_of_pods, share_of

NOTHING: Final = Resources()


class Claims(Protocol):
    """What is read; `Cluster` has it all."""

    pods: Informer[Pod]
    pod_table: PodTable
    claim_table: Table[Manifest, GPUPartitionClaim]


@dataclass(frozen=True, slots=True)
class Held:
    """What one claim holds. `unscheduled`: what its pod takes of the node though nobody has placed it there yet.

    `peers` are those pods.
    `pods`: `namespace/name` of the pod that the claim is for, or of those that have a share of a share group's.
    """

    node: str
    partitions: tuple[PartitionId, ...]
    holder: Holder
    unscheduled: Resources
    by_plugin: bool
    pods: tuple[str, ...]
    peers: tuple[Peer, ...] = ()


@dataclass(slots=True)
class _OnNode:
    holders: dict[str, dict[int, dict[str, Holder]]] = field(default_factory=dict)
    unscheduled: Resources = NOTHING
    peers: dict[str, tuple[Peer, ...]] = field(default_factory=dict)
    by_plugin: set[str] = field(default_factory=set)


class HeldByClaims:
    """By node, the partitions that claims with a place have. `update` whenever a claim or its pod changed."""

    def __init__(self, world: Claims) -> None:
        self._world = world
        self._entries: dict[str, Held] = {}
        self._nodes: dict[str, _OnNode] = defaultdict(_OnNode)
        self._by_pod: dict[str, set[str]] = defaultdict(set)

    def update(self, key: str) -> tuple[Held | None, Held | None]:
        """Read the claim `namespace/name` and its pod anew; what it held before, and what it holds now."""
        before, after = self._entries.get(key), self._read(key)
        if before == after:
            return before, after
        if before is not None:
            self._take_off(key, before)
        if after is not None:
            self._put_on(key, after)
        return before, after

    def on(self, node: str) -> Mapping[str, Mapping[int, Mapping[str, Holder]]]:
        """By GPU and partition the claims that have it, by key.

        They are two only while something is wrong.
        """
        there = self._nodes.get(node)
        return there.holders if there is not None else {}

    def unscheduled(self, node: str) -> Resources:
        """What bound pods will take of the node that the scheduler has not placed yet."""
        there = self._nodes.get(node)
        return there.unscheduled if there is not None else NOTHING

    def peers(self, node: str) -> tuple[Peer, ...]:
        """Those pods, as other pods see them."""
        there = self._nodes.get(node)
        return tuple(peer for _, peers in sorted(there.peers.items()) for peer in peers) if there is not None else ()

    def by_plugin(self, node: str) -> frozenset[str]:
        """The claims that are bound there by an extended resource."""
        there = self._nodes.get(node)
        return frozenset(there.by_plugin) if there is not None else frozenset()

    def for_pod(self, pod: str) -> tuple[str, ...]:
        """The claims with a place that are for the pod `namespace/name`."""
        return tuple(sorted(self._by_pod.get(pod, ())))

    def of(self, key: str) -> Held | None:
        """What the claim holds."""
        return self._entries.get(key)

    def _read(self, key: str) -> Held | None:
        claim = self._world.claim_table.get(key)
        allocation = claim.status.allocation if claim is not None else None
        if claim is None or allocation is None or claim.status.phase not in HOLDING:
            return None
        waiting = self._unscheduled(key, claim)
        return Held(
            node=allocation.node,
            partitions=tuple(PartitionId(device.bdf, device.partition) for device in allocation.devices),
            holder=our_holder(self._world.claim_table, self._world.pod_table, key),
            unscheduled=reduce(Resources.plus, (taken for taken, _ in waiting), NOTHING),
            peers=tuple(peer for _, peer in waiting),
            by_plugin=allocation.resource is not None,
            pods=tuple(f"{claim.metadata.namespace}/{name}" for name in _pod_names(claim)),
        )

    def _unscheduled(self, key: str, claim: GPUPartitionClaim) -> list[tuple[Resources, Peer]]:
        """A bound pod that the scheduler has not placed yet counts on the node that we pinned it to.

        Of a share group's pods those do that have their share: the others wait.
        """
        found = []
        table = self._world.pod_table
        for name in sorted(map(key_of, self._world.pods.store.by_index("claim", key))):
            view, resources, peer = table.view(name), table.resources(name), table.peer(name)
            if view is None or resources is None or peer is None or view.node is not None or view.terminal:
                continue
            if claim.spec.share_group is None or share_of(claim, view.uid) is not None:
                found.append((resources, peer))
        return found

    def _take_off(self, key: str, held: Held) -> None:
        del self._entries[key]
        for pod in held.pods:
            self._by_pod[pod].discard(key)
            if not self._by_pod[pod]:
                del self._by_pod[pod]
        there = self._nodes[held.node]
        for partition in held.partitions:
            on_gpu = there.holders[partition.bdf]
            del on_gpu[partition.index][key]
            if not on_gpu[partition.index]:
                del on_gpu[partition.index]
            if not on_gpu:
                del there.holders[partition.bdf]
        there.unscheduled = there.unscheduled.minus(held.unscheduled)
        there.peers.pop(key, None)
        there.by_plugin.discard(key)
        if not there.holders and not there.by_plugin:
            del self._nodes[held.node]

    def _put_on(self, key: str, held: Held) -> None:
        self._entries[key] = held
        for pod in held.pods:
            self._by_pod[pod].add(key)
        there = self._nodes[held.node]
        for partition in held.partitions:
            there.holders.setdefault(partition.bdf, {}).setdefault(partition.index, {})[key] = held.holder
        there.unscheduled = there.unscheduled.plus(held.unscheduled)
        if held.peers:
            there.peers[key] = held.peers
        if held.by_plugin:
            there.by_plugin.add(key)


def our_holder(claims: Table[Manifest, GPUPartitionClaim], pods: PodTable, key: str) -> Holder:
    """The claim of that key as the holder of a partition, with what its pod takes of the node, or its members do."""
    claim = claims.get(key)
    found = map(pods.of_claim, as_claims_of_pods(claim) if claim is not None else ())
    taken = (pods.resources(f"{pod.namespace}/{pod.name}") for pod in found if pod is not None and not pod.terminal)
    return Holder("ours", key, reduce(Resources.plus, (each for each in taken if each is not None), NOTHING))


def _pod_names(claim: GPUPartitionClaim) -> list[str]:
    references = (
        [claim.spec.pod_ref] if claim.spec.pod_ref is not None else [share.pod for share in claim.status.shares]
    )
    return [reference.name for reference in references]
