"""The mode changes that demands of a trial would ask for: the operator's own joint choice and planner. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from controller.placement.demand import Demand
from controller.placement.gangs import units
from controller.placement.scheduler import order
from controller.placement.snapshot import Snapshot
from controller.repartition import joint
from controller.repartition.disruption_budget import Refused, Usage
from controller.repartition.division import NO_DIVISION, Division, Judging, divide_first, sort_out
from controller.repartition.planner import NOTHING_ELSE, Proposal, Standing, propose


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What bears on changes in a real cluster.

    `active` nodes have a change under way, and `expected` says what it will make of them; `standing` is asked of a
    snapshot.
    """

    active: tuple[str, ...] = ()
    expected: Mapping[str, joint.Expected] = field(default_factory=dict)
    standing: Callable[[Snapshot], Standing] = lambda _: NOTHING_ELSE


NOTHING_UNDER_WAY: Final = UnderWay()


class Changes:
    """What may be asked on one snapshot, where `waiting` are all demands that a change could help."""

    def __init__(self, snapshot: Snapshot, waiting: Sequence[Demand], under_way: UnderWay) -> None:
        self._snapshot = snapshot
        self._under_way = under_way
        self._standing = under_way.standing(snapshot)
        self._joint = self._jointly(waiting)

    def propose(self, demand: Demand) -> Proposal | Refused:
        """The change that would help a demand, or why there is none."""
        if demand.key in self._joint.served:
            plan = self._joint.served[demand.key]
            return Refused("RepartitionRunning", f"plan {plan} makes a place for this claim, too")
        if demand.key in self._joint.proposals:
            return self._joint.proposals[demand.key]
        if demand.key in self._joint.unserved:
            return Refused("IdleGPUsTaken", "the modes of the idle GPUs are chosen for other claims that wait")
        return propose(self._snapshot, demand, self._under_way.active, self._standing)

    def _jointly(self, waiting: Sequence[Demand]) -> joint.Joint:
        around = _around(self._under_way, self._standing)
        several = len(waiting) > 1 or any(demand.requirement.count > 1 for demand in waiting)
        if not several or not joint.may_help(self._snapshot, around):
            return joint.NOTHING
        return joint.propose_jointly(self._snapshot, waiting, around)


def divided(snapshot: Snapshot, waiting: Sequence[Demand], under_way: UnderWay, judging: Judging) -> Division:
    """Who of those who wait would wait for an idle GPU to be divided although there is a place."""
    if not any(map(joint.divides, snapshot.nodes)):
        return NO_DIVISION
    around = _around(under_way, under_way.standing(snapshot))
    if not joint.may_help(snapshot, replace(around, patient=True)):
        return NO_DIVISION
    pending = sort_out(snapshot, units(order(waiting)[: joint.MOST_CLAIMS]), judging)
    return divide_first(snapshot, pending, around) if pending.wasteful else NO_DIVISION


def _around(under_way: UnderWay, standing: Standing) -> joint.Around:
    usage = Usage(under_way.active, standing.unavailable_pods)
    return joint.Around(usage, under_way.expected, standing.admin_held, lambda *_: False)
