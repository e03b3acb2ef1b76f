"""Members of share groups in a plan: the demands of a group become one, and its place that of those that can share it.

demands, one a pod -> `together` -> demands, one a group or pod -> the scheduler -> `fates` of each group's members
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from controller.binding.shares import Share, left, take
from controller.placement.decision import Decision, Placed
from controller.placement.demand import Demand, GroupMember, GroupPlace, Shared
from controller.placement.promises import Promises
from controller.placement.share_group import Candidate, compatible, join, of_first
from controller.placement.snapshot import Snapshot
from controller.reconcilers.share_group.demands import place_left, whole_of
from controller.translate.share_group import group_claim_name


@dataclass(frozen=True, slots=True)
class Membership:
    """What a pod asks of its share group: `bytes` of its share, which the partition may have to exceed.

    `service`: the key of its InferenceService, "" for none, which is promised `guaranteed` requests in flight, all its
    pods together. `bound`: what its policy lets be in flight where pods share a partition; None: anything.
    """

    group: str
    bytes: int
    service: str = ""
    guaranteed: int = 0
    bound: int | None = None


Member = tuple[Demand, Membership]


@dataclass(frozen=True, slots=True)
class Group:
    """A share group that is founded: the demand of its founders, and its members in the order of their shares."""

    whole: Demand
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the scheduler, and the groups whose members' fates follow from that."""

    demands: tuple[Demand, ...]
    groups: tuple[Group, ...]


def together(asked: Iterable[tuple[Demand, Membership | None]]) -> Asked:
    """Demands with what their pods ask of a share group, None for pods on their own.

    As the operator has it: those that can share with the first member found the group with it, and then each joins.
    """
    alone: list[Demand] = []
    groups: dict[tuple[str, str], list[Member]] = {}
    for demand, membership in asked:
        if membership is None:
            alone.append(demand)
        else:
            groups.setdefault((demand.namespace, membership.group), []).append((demand, membership))
    founded = [Group(_whole(members), members) for members in map(_in_order, groups.values())]
    return Asked((*alone, *(group.whole for group in founded)), tuple(founded))


def _in_order(members: Iterable[Member]) -> tuple[Member, ...]:
    return tuple(sorted(members, key=lambda member: (-member[0].priority, member[0].created_seconds)))


def _whole(members: tuple[Member, ...]) -> Demand:
    """The demand of those that found the group, which goes by the first one's uid."""
    candidates = [Candidate(frozenset(each.requirement.modes), each.policy) for each, _ in members]
    founders = [members[place] for place in compatible(candidates)]
    first, group = founders[0][0], founders[0][1].group
    modes = [each.requirement.modes for each, _ in founders if each.requirement.modes]
    # of one that asks for a larger partition than its share
    least = max(each.requirement.bytes for each, _ in founders)
    demand = replace(
        first,
        key=f"{first.namespace}/{group_claim_name(first.namespace, group)}",
        requirement=replace(first.requirement, modes=frozenset.intersection(*modes) if modes else frozenset()),
        shared=Shared(group, tuple(_in_demand(*each) for each in founders), least),
    )
    return of_first(demand, len(founders))


def _in_demand(demand: Demand, membership: Membership) -> GroupMember:
    return GroupMember(membership.bytes, demand.requirement.precision, demand.pod, membership.guaranteed)


def fates(group: Group, decision: Decision, snapshot: Snapshot) -> Mapping[str, Decision]:
    """By their uids what becomes of the group's members, where that of its founders' demand is `decision`.

    `snapshot` has the group's partition held. As the operator has it: the first member has its share in any case, and
    each of the others is asked whether it can join those before it.
    """
    if not isinstance(decision, Placed):
        return {demand.uid: decision for demand, _ in group.members}
    found: dict[str, Decision] = {}
    with snapshot.without([group.whole.key]):
        shares, promises = _Shares(decision), Promises()
        for demand, membership in group.members:
            place = shares.place(promises.left(membership.service, membership.bound))
            fate = decision if not found else join(snapshot, _joining(group.whole, demand, membership, place))
            found[demand.uid] = fate
            if isinstance(fate, Placed):
                partitions = decision.partitions if not shares.taken else ()
                snapshot.hold(decision.node, partitions, group.whole.key, demand.pod.resources)
                promises.make(membership.service, membership.guaranteed)
                shares.take(demand.uid, membership.bytes)
    return found


class _Shares:
    """The shares of a group's partition that its members have so far. Mutable."""

    def __init__(self, placed: Placed) -> None:
        self._placed = placed
        self._whole = whole_of(placed.partition)
        self.taken: list[Share] = []

    def place(self, guarantees: int | None) -> GroupPlace:
        """What they leave; `guarantees`: requests in flight that may be promised to whoever comes next."""
        rest = left(self._whole, self.taken)
        return place_left(self._placed.node, self._placed.partition, rest, len(self.taken), guarantees)

    def take(self, member: str, size: int) -> None:
        """Raises RuntimeError where they leave too little."""
        share = take(self._whole, self.taken, member, size)
        if share is None:
            raise RuntimeError(f"{self._placed.partition.id} was chosen for {member}, and the others leave too little")
        self.taken.append(share)


def _joining(whole: Demand, demand: Demand, membership: Membership, place: GroupPlace) -> Demand:
    """The member's demand for a share of the partition that the group has."""
    return replace(
        demand,
        key=whole.key,
        requirement=replace(demand.requirement, bytes=membership.bytes),
        shared=Shared(membership.group, (_in_demand(demand, membership),), place=place),
    )
