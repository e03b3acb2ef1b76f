"""Who holds which partition and how much of each node: allocations of every namespace, our claims, our assumptions."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Protocol

from api.v1beta1 import GPUNode, GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase
from controller.gpu.identity import PartitionId
from controller.placement.demand import Resources
from controller.placement.snapshot import Gpu, Holder, Partition, Reservation
from controller.runtime.cache.informer import Informer
from controller.runtime.manifest import Manifest, key_of
from controller.runtime.objects.pod import Pod
from controller.runtime.objects.resource_claim import ResourceClaim
from controller.state.assumptions import Assumptions
from controller.state.plans import Plans
from controller.state.plugin_holdings import plugin_holdings
from controller.state.pods import PodTable
from controller.state.table import Table
from controller.state.update_places import UpdatePlaces
from controller.translate.pod import PodView
from controller.translate.resource_claim import ResourceClaimView
from controller.translate.share_group import as_claims_of_pods, share_of

HOLDING = (ClaimPhase.BOUND, ClaimPhase.ALLOCATED)


class Holdings(Protocol):
    """What says who holds what; `Cluster` has it all."""

    pods: Informer[Pod]
    pod_table: PodTable
    gpu_node_table: Table[Manifest, GPUNode]
    claim_table: Table[Manifest, GPUPartitionClaim]
    resource_claim_table: Table[ResourceClaim, ResourceClaimView]
    plan_table: Plans
    assumptions: Assumptions
    update_places: UpdatePlaces


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Holders by device and by partition, resources by node, plans by GPU and node, places kept; see the fields' names.

    `unlocated`: by node and extended resource, devices that are taken though nobody has told yet which they are.
    """

    by_device: dict[tuple[str, str], Holder]
    by_partition: dict[tuple[str, PartitionId], Holder]
    used_by_node: dict[str, Resources]
    plan_by_gpu: dict[tuple[str, str], str]
    plan_by_node: dict[str, str]
    reserved: dict[tuple[str, PartitionId], Reservation]
    unlocated: Mapping[str, Mapping[str, int]]

    def used(self, node: str) -> Resources:
        """What is taken of the node."""
        return self.used_by_node.get(node, Resources())

    def held(self, node: str, gpus: tuple[Gpu, ...]) -> tuple[Gpu, ...]:
        """The GPUs with holders, plans and reservations filled in."""
        return tuple(
            replace(
                gpu,
                plan=self.plan_by_gpu.get((node, gpu.bdf)) or self.plan_by_node.get(node),
                partitions=tuple(self._held(node, partition) for partition in gpu.partitions),
            )
            for gpu in gpus
        )

    def _held(self, node: str, partition: Partition) -> Partition:
        # what the scheduler has allocated stands; a claim of ours that is bound to the same has lost the race for it
        holder = self.by_device.get((node, partition.device)) or self.by_partition.get((node, partition.id))
        kept = self.reserved.get((node, partition.id))
        return partition if holder is None and kept is None else replace(partition, holder=holder, reservation=kept)


def occupancy(cluster: Holdings) -> Occupancy:
    """Everything that counts as taken now."""
    used: dict[str, Resources] = defaultdict(Resources)
    for name in cluster.gpu_node_table.keys():  # noqa: SIM118 - a table, no dict
        used[name] = cluster.pod_table.used(name)
    by_partition: dict[tuple[str, PartitionId], Holder] = {}
    by_plugin: list[GPUPartitionClaim] = []
    for key, claim in cluster.claim_table.items():
        allocation = claim.status.allocation
        if allocation is None or claim.status.phase not in HOLDING:
            continue
        holder = our_holder(cluster, key)
        for device in allocation.devices:
            by_partition[allocation.node, PartitionId(device.bdf, device.partition)] = holder
        if allocation.resource is not None:
            by_plugin.append(claim)
        _count_unscheduled(cluster, key, allocation.node, used)
    plugin = plugin_holdings(cluster, by_plugin)
    by_partition, unlocated = {**plugin.by_partition, **by_partition}, plugin.unlocated
    for assumed in cluster.assumptions:
        if assumed.resource:
            unlocated[assumed.node][assumed.resource] += len(assumed.partitions)
        else:
            by_partition |= dict.fromkeys(
                ((assumed.node, partition) for partition in assumed.partitions),
                Holder("ours", assumed.claim, assumed.resources),
            )
        used[assumed.node] = used[assumed.node].plus(assumed.resources)
    plans = cluster.plan_table
    return Occupancy(
        _by_device(cluster),
        by_partition,
        used,
        plans.gpus_in_hand(),
        plans.nodes_in_hand(),
        {**cluster.update_places.reservations(), **plans.reservations()},
        unlocated,
    )


def our_holder(world: Holdings, key: str) -> Holder:
    """The claim of that key as the holder of a partition, with what its pod takes of the node."""
    claim = world.claim_table.get(key)
    pods = map(world.pod_table.of_claim, as_claims_of_pods(claim) if claim is not None else ())
    taken = (
        world.pod_table.resources(f"{pod.namespace}/{pod.name}") for pod in pods if pod is not None and not pod.terminal
    )
    return Holder("ours", key, reduce(Resources.plus, (each for each in taken if each is not None), Resources()))


def _count_unscheduled(cluster: Holdings, claim: str, node: str, used: dict[str, Resources]) -> None:
    """A bound pod that the scheduler has not placed yet counts on the node that we pinned it to."""
    for pod in cluster.pods.store.by_index("claim", claim):
        key = key_of(pod)
        view, resources = cluster.pod_table.view(key), cluster.pod_table.resources(key)
        if view is not None and resources is not None and view.node is None and _counts(cluster, claim, view):
            used[node] = used[node].plus(resources)


def _counts(cluster: Holdings, claim: str, pod: PodView) -> bool:
    """Whether a pod that is on no node yet will be on the claim's; of a share group those that have their share."""
    stored = cluster.claim_table.get(claim)
    shared = stored is not None and stored.spec.share_group is not None
    return not pod.terminal and (not shared or stored is None or share_of(stored, pod.uid) is not None)


def _by_device(cluster: Holdings) -> dict[tuple[str, str], Holder]:
    taken: dict[tuple[str, str], Holder] = {}
    for key, claim in cluster.resource_claim_table.items():
        for device in claim.devices:
            if device.admin:
                continue
            ours = cluster.claim_table.get(key) is not None
            taken[device.pool, device.device] = our_holder(cluster, key) if ours else Holder("foreign", key)
    return taken


def admin_held(cluster: Holdings) -> frozenset[tuple[str, str]]:
    """Devices, as (pool, device), that somebody holds with adminAccess: they block mode changes only."""
    return frozenset(
        (device.pool, device.device)
        for claim in cluster.resource_claim_table.values()
        for device in claim.devices
        if device.admin
    )
