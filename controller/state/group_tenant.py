"""A share group as one that has to move: its members leave together, and ask for one partition together again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from api.v1beta1 import GPUPartitionClaim
from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.demand import GroupMember, PodConstraints, Resources, Shared
from controller.placement.share_group import needed_bytes, needed_resources
from controller.repartition.victims import Victim, unpinned
from controller.state.occupancy import Holdings
from controller.translate.claim import precision_of
from controller.translate.pod import PodView, constraints


@dataclass(frozen=True, slots=True)
class GroupTenant:
    """`victim` stands for all of the group: its claim, its first member's name. `members` have not left yet."""

    victim: Victim
    members: tuple[PodView, ...]


def group_tenant(cluster: Holdings, claim: GPUPartitionClaim, partition: PartitionId) -> GroupTenant | None:
    """The group whose claim holds `partition`; None once all its members have left or are leaving.

    The claim's name stands for the owner: whoever founds the group anew is known by it. Nobody does for a group of
    which a member has no controller.
    """
    members = tuple(_members(cluster, claim))
    if not members:
        return None
    shared = Shared(claim.spec.share_group or "", tuple(_asked(cluster, claim)))
    first = members[0]
    victim = Victim(
        namespace=first.namespace,
        pod=first.name,
        uid=claim.metadata.uid or "",
        claim=claim.metadata.name,
        owner=claim.metadata.name if all(each.owner is not None for each in members) else "",
        template_hash="",
        priority=max(each.priority for each in members),
        partition=partition,
        requirement_bytes=needed_bytes(shared.members),
        constraints=replace(shared.members[0].pod, resources=needed_resources(shared.members)),
        ready=any(each.ready for each in members),
        created_seconds=min(each.created_seconds for each in members),
        modes=frozenset(map(Mode.parse, claim.spec.requirement.modes)),
        policy=claim.spec.policy_ref,
        precision=precision_of(claim),
        shared=shared,
    )
    return GroupTenant(victim, members)


def _members(cluster: Holdings, claim: GPUPartitionClaim) -> Iterator[PodView]:
    for share in sorted(claim.status.shares, key=lambda share: share.pod.name):
        view = cluster.pod_table.view(f"{claim.metadata.namespace}/{share.pod.name}")
        if view is not None and view.uid == share.pod.uid and not view.deleting and not view.terminal:
            yield view


def _asked(cluster: Holdings, claim: GPUPartitionClaim) -> Iterator[GroupMember]:
    """What every member with a share will ask for again, those included who leave already."""
    for share in claim.status.shares:
        stored = cluster.pods.store.get(f"{claim.metadata.namespace}/{share.pod.name}")
        asked = constraints(stored.spec) if stored is not None else PodConstraints(resources=Resources(pods=1))
        yield GroupMember(share.bytes, precision_of(claim), unpinned(asked))
