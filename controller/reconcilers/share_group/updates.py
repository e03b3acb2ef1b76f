"""Whether the next revision of a service fits into the share group where its pods are: their shares come back to it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from api.group import SERVICE_LABEL
from api.v1beta1 import GPUPartitionClaim, InferenceService
from api.v1beta1.gpu_partition_claim import Isolation
from controller.binding.shares import Share, left
from controller.placement.decision import Decision, Placed
from controller.placement.demand import Demand, GroupMember, Shared
from controller.placement.snapshot import Snapshot
from controller.placement.update import Blocked, Possible, Verdict, Way
from controller.reconcilers.share_group.demands import place_left, whole_of
from controller.reconcilers.share_group.joining import GroupPartition, group_place
from controller.state.cluster import Cluster
from controller.translate.share_group import group_claim_name, shares_of


class GroupUpdate:
    """The question for one service whose wanted pods are members of a group that has its partition."""

    def __init__(
        self,
        schedule: Callable[[Demand], Decision],
        demand: Demand,
        place: GroupPartition,
        shares: Sequence[Share],
    ) -> None:
        self._schedule = schedule
        self._demand = demand
        self._place = place
        self._shares = shares

    def verdict(self, own: Sequence[Share], pods: int) -> Verdict:
        """The mildest way in which `pods` new pods get shares, `own` being those of the old ones."""
        asked = self._demand.requirement.bytes
        after = self._without(own, asked * pods)
        if not isinstance(after, Placed):
            return Blocked(after, 0, pods)
        for way, leaving in ((Way.SURGE, ()), (Way.ONE_BY_ONE, own[:1])):
            # old pods go in any order, so one that goes first may be the smallest
            if isinstance(self._without(leaving, asked), Placed):
                return Possible(way, ())
        return Possible(Way.RECREATE, ())

    def _without(self, leaving: Sequence[Share], size: int) -> Decision:
        """Whether a share of `size` bytes is there once these are given back, and the node takes the pod."""
        rest = [share for share in self._shares if share not in leaving]
        whole = whole_of(self._place.partition)
        free = place_left(self._place.node, self._place.partition, left(whole, rest), len(rest))
        shared = self._demand.shared
        if shared is None:
            raise ValueError(f"demand {self._demand.key} is of no share group")
        requirement = replace(self._demand.requirement, bytes=size)
        asked = replace(self._demand, requirement=requirement, shared=replace(shared, place=free))
        return self._schedule(asked)


def group_verdict(
    cluster: Cluster,
    snapshot: Snapshot,
    schedule: Callable[[Demand], Decision],
    update: tuple[Demand, int],
    service: InferenceService,
) -> Verdict | None:
    """The verdict of the group that the service names; None where it names none, or one without a partition.

    `update`: what a new pod asks for, and how many there are to be.
    """
    demand, pods = update
    claim = _claim_of(cluster, service)
    place = group_place(snapshot, claim) if claim is not None and claim.status.allocation is not None else None
    if claim is None or place is None or claim.spec.share_group is None:
        return None
    shares = shares_of(claim)
    member = GroupMember(demand.requirement.bytes, demand.requirement.precision, demand.pod)
    key = f"{claim.metadata.namespace}/{claim.metadata.name}"
    asked = replace(demand, key=key, shared=Shared(claim.spec.share_group, (member,)))
    own = sorted((share for share in shares if _is_of(cluster, service, claim, share)), key=lambda share: share.bytes)
    return GroupUpdate(schedule, asked, place, shares).verdict(own, pods)


def _claim_of(cluster: Cluster, service: InferenceService) -> GPUPartitionClaim | None:
    sharing, namespace = service.spec.gpu_sharing, service.metadata.namespace or ""
    if sharing.isolation is not Isolation.COOPERATIVE or sharing.share_group is None:
        return None
    return cluster.claim_table.get(f"{namespace}/{group_claim_name(namespace, sharing.share_group)}")


def _is_of(cluster: Cluster, service: InferenceService, claim: GPUPartitionClaim, share: Share) -> bool:
    name = next(each.pod.name for each in claim.status.shares if each.pod.uid == share.member)
    pod = cluster.pod_table.view(f"{claim.metadata.namespace}/{name}")
    return pod is not None and pod.uid == share.member and pod.labels.get(SERVICE_LABEL) == service.metadata.name
