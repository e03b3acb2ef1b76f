"""What a share group asks of placement: its founders together, or one member that joins."""

from collections.abc import Sequence
from dataclasses import replace

from api.group import SERVICE_LABEL
from api.quantity import format_bytes
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import Isolation, Requirement
from api.v1beta1.precision import ResolvedPrecision
from controller.binding.shares import Left, Whole
from controller.gpu.mode import Mode
from controller.placement.demand import Demand, GroupPlace, Shared
from controller.placement.demand import Requirement as Asked
from controller.placement.share_group import (
    MOST_MEMBERS,
    Candidate,
    compatible,
    needed_bytes,
    needed_resources,
)
from controller.placement.snapshot import Node, Partition
from controller.reconcilers.share_group.members import Member


def founders(waiting: Sequence[Member]) -> tuple[Member, ...]:
    """Those of the waiting that can share with the first of them."""
    candidates = [Candidate(frozenset(member.request.modes), member.request.policy) for member in waiting]
    return tuple(waiting[place] for place in compatible(candidates))


def common_modes(members: Sequence[Member]) -> frozenset[Mode]:
    """The modes that all of them take; empty for any."""
    asked = [member.request.modes for member in members if member.request.modes]
    return frozenset.intersection(*asked) if asked else frozenset()


def requirement(members: Sequence[Member]) -> Requirement:
    """What the group needs when it is founded: the sum of the founders, in modes that all take.

    A precision is named only where all have the same; each founder's own counts all the same.
    """
    precisions = {member.need.sizing.precision for member in members}
    return Requirement(
        memory=format_bytes(needed_bytes([member.in_demand for member in members], _least(members))),
        modes=sorted(map(str, common_modes(members))),
        precision=ResolvedPrecision(precisions.pop().value) if len(precisions) == 1 else None,
        isolation=Isolation.COOPERATIVE,
    )


def founding_demand(key: str, claim: GPUPartitionClaim, group: str, members: Sequence[Member]) -> Demand:
    """The demand of all founders; the scheduler settles how many of the first fit together.

    By the claim's name, as by an owner, a place is known that was kept for a group which had to move.
    """
    first = members[0]
    asked = tuple(member.in_demand for member in members)
    least = _least(members)
    return Demand(
        key=key,
        uid=claim.metadata.uid,
        namespace=first.pod.namespace,
        requirement=Asked(needed_bytes(asked, least), 1, common_modes(members), first.need.sizing.precision),
        pod=replace(first.constraints, resources=needed_resources(asked)),
        priority=first.pod.priority,
        created_seconds=first.pod.created_seconds,
        policy=first.request.policy,
        of_service=SERVICE_LABEL in first.pod.labels,
        owner=claim.metadata.name,
        shared=Shared(group, asked, least),
    )


def joining_demand(key: str, claim: GPUPartitionClaim, member: Member, place: GroupPlace, group: str) -> Demand:
    """The demand of one member for a share of the partition that the group has."""
    asked = member.in_demand
    return Demand(
        key=key,
        uid=claim.metadata.uid,
        namespace=member.pod.namespace,
        requirement=Asked(asked.bytes, 1, member.request.modes, asked.precision),
        pod=asked.pod,
        priority=member.pod.priority,
        created_seconds=member.pod.created_seconds,
        policy=member.request.policy,
        of_service=SERVICE_LABEL in member.pod.labels,
        shared=Shared(group, (asked,), place=place),
    )


def place_left(node: Node, partition: Partition, rest: Left, members: int, guarantees: int | None = None) -> GroupPlace:
    """The group's place with what its members leave; `guarantees` None: nothing bounds what they are promised."""
    return GroupPlace(node.name, partition.id, rest.bytes, rest.units, MOST_MEMBERS - members, guarantees)


def whole_of(partition: Partition) -> Whole:
    """The partition, to be shared."""
    return Whole(partition.bytes, partition.compute_units)


def _least(members: Sequence[Member]) -> int:
    return max((member.least_bytes for member in members), default=0)
