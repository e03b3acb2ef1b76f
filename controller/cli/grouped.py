"""Members of share groups in a plan: the demands of a group become one, and its place the place of those that fit.

demands, one a pod -> `together` -> demands, one a group or pod -> the scheduler -> `decision_for` each pod
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from controller.placement.decision import Decision, Placed, Unplaced, gib
from controller.placement.demand import Demand, GroupMember, Shared
from controller.placement.share_group import Candidate, compatible, of_first
from controller.translate.share_group import group_claim_name


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the scheduler. `founders`: by the uid of a member's demand, its group's and its place there."""

    demands: tuple[Demand, ...]
    founders: Mapping[str, tuple[Demand, int]]


def together(asked: Iterable[tuple[Demand, str | None]]) -> Asked:
    """Demands with their pods' share groups, None for pods on their own.

    As the operator has it: those that can share with the first member found the group with it. The others wait until a
    plan's end, and so have no place in it.
    """
    alone: list[Demand] = []
    groups: dict[tuple[str, str], list[Demand]] = {}
    for demand, group in asked:
        (alone if group is None else groups.setdefault((demand.namespace, group), [])).append(demand)
    founders: dict[str, tuple[Demand, int]] = {}
    for (_, group), members in groups.items():
        candidates = [Candidate(frozenset(each.requirement.modes), each.policy) for each in members]
        chosen = [members[place] for place in compatible(candidates)]
        whole = _whole(group, chosen)
        alone.append(whole)
        founders |= {member.uid: (whole, place) for place, member in enumerate(chosen)}
        alone += [member for member in members if member.uid not in founders]
    return Asked(tuple(alone), founders)


def _whole(group: str, members: list[Demand]) -> Demand:
    first = members[0]
    modes = [each.requirement.modes for each in members if each.requirement.modes]
    founding = tuple(GroupMember(each.requirement.bytes, each.requirement.precision, each.pod) for each in members)
    demand = replace(
        first,
        key=f"{first.namespace}/{group_claim_name(first.namespace, group)}",
        requirement=replace(first.requirement, modes=frozenset.intersection(*modes) if modes else frozenset()),
        shared=Shared(group, founding),
    )
    return of_first(demand, len(founding))


def decision_for(whole: Demand, place: int, decision: Decision) -> Decision:
    """What becomes of the group's member at that place, where the group's fate is `decision`."""
    if not isinstance(decision, Placed) or whole.shared is None:
        return decision
    size, used = decision.partition.bytes, 0
    for number, member in enumerate(whole.shared.members):
        fits = used + member.bytes <= size
        if number == place:
            return decision if fits else _full(whole.shared, decision, member.bytes, size - used)
        used += member.bytes if fits else 0
    raise ValueError(f"share group {whole.shared.group} has no member {place}")


def _full(shared: Shared, placed: Placed, need: int, rest: int) -> Unplaced:
    where = f"{placed.node.name} {placed.partition.id}"
    return Unplaced(
        "ShareGroupFull", f"share group {shared.group} leaves {gib(rest)} of {where}, needed are {gib(need)}"
    )
