"""Members join the partition that their group has: as many as fit beside those that are there, in order."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.v1beta1 import GPUPartitionClaim
from controller.binding.shares import Share, left, take
from controller.gpu.identity import PartitionId
from controller.placement.decision import Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.promises import Promises
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Node, Partition, Snapshot
from controller.reconcilers.gpu_partition_claim import events
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.pinning import allocation_of
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.reconcilers.share_group.demands import joining_demand, place_left, whole_of
from controller.reconcilers.share_group.members import Group, Member
from controller.reconcilers.share_group.shared_status import waits, with_shares, with_waiting
from controller.state.cluster import Cluster
from controller.state.promises import promises_on, service_of
from controller.translate.guarantees import shared_bound
from controller.translate.policy_choice import refuse_choice
from controller.translate.share_group import member_share, shares_of


@dataclass(frozen=True, slots=True)
class Refused:
    """A member that has to wait, and why."""

    member: Member
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class GroupPartition:
    """Where a group is, as the inventory has it now."""

    node: Node
    partition: Partition


class Joining:
    """The step of a group that has its partition and members that wait."""

    def __init__(self, context: ClaimContext, writer: ClaimWriter) -> None:
        self._context = context
        self._writer = writer

    async def join(self, key: str, claim: GPUPartitionClaim, group: Group) -> GPUPartitionClaim:
        """The claim with the shares of those that fit, written before any of their gates opens.

        While the group's own place is only assumed, its founders count on the node already: they join once it is seen.
        """
        if self._context.cluster.assumptions.get(key) is not None:
            return claim
        if claim.metadata.deletion_timestamp is not None:
            message = f"claim {claim.metadata.name} was deleted: its members stay, new ones wait until they have left"
            return await self._told(
                claim, claim, [Refused(each, "ShareGroupEnding", message) for each in group.waiting]
            )
        cluster, scheduler = self._context.cluster, self._context.cycle.scheduler
        joined, refused = decide_joining(cluster, scheduler, key, claim, group)
        return await self._told(claim, joined, refused)

    async def _told(
        self, claim: GPUPartitionClaim, joined: GPUPartitionClaim, refused: list[Refused]
    ) -> GPUPartitionClaim:
        told = with_waiting(joined, [waits(each.member.pod.name, each.reason, each.message) for each in refused])
        for each in refused:
            note = events.waiting(each.reason, each.message)
            events.tell(self._context.recorder, [each.member.pod.reference], note)
        return claim if told.status == claim.status else await self._writer.write(told)


def decide_joining(
    cluster: Cluster, scheduler: ModelScheduler, key: str, claim: GPUPartitionClaim, group: Group
) -> tuple[GPUPartitionClaim, list[Refused]]:
    """The claim with the shares of those of the waiting that fit, in order, and why the others do not."""
    snapshot = cluster.snapshot()
    place = group_place(snapshot, claim)
    if place is None:
        return claim, []  # the node's inventory is not there, and nobody is bound on that
    shares, written, refused = list(shares_of(claim)), list(claim.status.shares), []
    promises = promises_on(cluster, claim)
    for member in group.waiting:
        guarantees = _guarantees_left(cluster, member, promises)
        demand = _demand(key, claim, member, place, shares, guarantees)
        unplaced = _unplaced(cluster, scheduler, snapshot, demand)
        if unplaced is not None:
            refused.append(Refused(member, unplaced.reason, unplaced.message))
            continue
        share = _share(member, place, shares)
        snapshot.hold(place.node, (), key, member.constraints.resources)
        promises.make(service_of(member.pod), member.guaranteed)
        shares.append(share)
        written.append(member_share(member.pod, share.bytes, share.units))
    return (with_shares(claim, written) if len(written) > len(claim.status.shares) else claim), refused


def _unplaced(cluster: Cluster, scheduler: ModelScheduler, snapshot: Snapshot, demand: Demand) -> Unplaced | None:
    labels = cluster.namespace_labels.get(demand.namespace) or {}
    refused = refuse_choice(demand, labels, tuple(cluster.policy_table.values()))
    decision = refused or scheduler.schedule(snapshot, demand)
    return None if isinstance(decision, Placed) else decision


def _guarantees_left(cluster: Cluster, member: Member, promises: Promises) -> int | None:
    """What the services of the others leave; its own is promised the same however many pods it has there."""
    labels = cluster.namespace_labels.get(member.pod.namespace) or {}
    bound = shared_bound(member.request.policy, labels, cluster.policy_table.values())
    return promises.left(service_of(member.pod), bound)


def _demand(
    key: str,
    claim: GPUPartitionClaim,
    member: Member,
    place: GroupPartition,
    shares: Sequence[Share],
    guarantees: int | None,
) -> Demand:
    rest = left(whole_of(place.partition), shares)
    left_over = place_left(place.node, place.partition, rest, len(shares), guarantees)
    return joining_demand(key, claim, member, left_over, claim.spec.share_group or "")


def _share(member: Member, place: GroupPartition, shares: Sequence[Share]) -> Share:
    share = take(whole_of(place.partition), shares, member.pod.uid, member.bytes)
    if share is None:
        raise RuntimeError(
            f"{place.partition.id} was chosen for pod {member.pod.name}, and the others leave too little"
        )
    return share


def group_place(snapshot: Snapshot, claim: GPUPartitionClaim) -> GroupPartition | None:
    """The node and partition of the group's allocation, None when the inventory does not have them (now)."""
    allocation = allocation_of(claim)
    node, device = snapshot.node(allocation.node), allocation.devices[0]
    wanted = PartitionId(device.bdf, device.partition)
    for gpu in node.gpus if node is not None else ():
        for partition in gpu.partitions:
            if node is not None and partition.id == wanted and str(gpu.mode) == device.mode:
                return GroupPartition(node, partition)
    return None
