"""What would become of demands on nodes: the operator's own placement, planning and preemption, nothing carried out.

    demands -> ModelScheduler, a gang's at once -> for the first of those left over that can be helped: an automatic
    change is taken as done, or pods of lower priority as gone -> those left over, and those gone, are tried again

Mode changes are assumed to succeed one after another; a node's cooldown starts with its change, and a change that
waits for an approval is told but not taken as done. Pods that a change moves get their places before it; pods that
leave for others are made anew by their controllers, and wait like any other. No I/O.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from api.duration import parse_duration
from api.v1beta1 import GPUSharingPolicy
from controller.cli.trial_changes import NOTHING_UNDER_WAY, Changes, UnderWay, divided
from controller.cli.trial_victims import ANYBODY, Leave, Leavers
from controller.placement.changes.change import as_tried
from controller.placement.changes.modes import changed_node
from controller.placement.decision import Decision, Placed, PlacedDevice, Unplaced
from controller.placement.demand import Demand
from controller.placement.gangs import DOES_NOT_FIT, Gang, gang_of, place_gang, units
from controller.placement.occupant import Occupant
from controller.placement.preemption import NoVictims, Preemption
from controller.placement.scheduler import ModelScheduler, order
from controller.placement.snapshot import Node, Snapshot
from controller.reconcilers.gpu_partition_claim.outcome import QUOTA_EXCEEDED
from controller.repartition.disruption_budget import Refused
from controller.repartition.division import DIVIDING, NO_DIVISION, Division, Judging, keep, sentence
from controller.repartition.drain import Drain, decide_drain
from controller.repartition.move import Move
from controller.repartition.planner import Proposal
from controller.repartition.victims import Victim

Unit: TypeAlias = tuple[Demand, ...]
"""Demands that are decided together: one, or those of a gang."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What becomes of one replica. `change` is the mode change that makes its place, `no_change` why none does.

    `no_victims`: why nobody leaves for it.
    """

    decision: Decision
    change: Proposal | None = None
    no_change: Refused | None = None
    no_victims: NoVictims | None = None

    @property
    def placed(self) -> Placed | None:
        """The place, None when there is none."""
        return self.decision if isinstance(self.decision, Placed) else None


@dataclass(frozen=True, slots=True)
class Leaving:
    """A pod that leaves for a demand, and the demand of the one that its controller makes instead; None for nobody."""

    occupant: Occupant
    whom: Demand
    successor: Demand | None


@dataclass(frozen=True, slots=True)
class Around:
    """What else there is in a real cluster: changes under way, and claims that have a place.

    `successor`: what the pod that comes after such a claim's asks for. `gang_placed`: how many of a demand's gang have
    a place. `now_seconds`: since the epoch. `leave`: what bears on who leaves.
    """

    changes: UnderWay = NOTHING_UNDER_WAY
    occupants: tuple[Occupant, ...] = ()
    successor: Callable[[Occupant], Demand | None] = lambda _: None
    gang_placed: Callable[[Demand], int] = lambda _: 0
    now_seconds: float = 0.0
    leave: Leave = ANYBODY


ALONE: Final = Around()


@dataclass(slots=True)
class _Course:
    """What has become of demands so far, by uid, and who is to be tried yet. Mutable, private to a run."""

    waiting: list[Demand]
    expected: dict[str, Expected] = field(default_factory=dict)


class Trial:
    """Nodes on which demands are tried. Mutable: modes change as automatic plans are taken as done, and pods leave.

    `changes` are those, in their order; `moved` says of each pod that one of them moves where it goes; `leaving` are
    the pods that leave for others, in their order.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        policies: Iterable[GPUSharingPolicy],
        around: Around = ALONE,
        scheduler: ModelScheduler | None = None,
    ) -> None:
        self._around = around
        self._scheduler = scheduler or ModelScheduler.by_policy()
        self._nodes = {node.name: node for node in nodes}
        self._cooldowns = {
            policy.metadata.name: parse_duration(policy.spec.repartition.cooldown) for policy in policies
        }
        self._held: list[tuple[Demand, Placed]] = []
        self._gone: set[str] = set()
        self.changes: list[Proposal] = []
        self.moved: dict[Victim, Placed] = {}
        self.leaving: list[Leaving] = []

    def run(self, demands: Iterable[Demand]) -> dict[str, Expected]:
        """What becomes of each demand, and of each that comes after a pod that left, by its uid."""
        course = _Course(list(demands))
        while course.waiting:
            course.waiting = self._cycle(course.waiting, course.expected)
            if not self._help_one(course):
                break
        return course.expected

    def _cycle(
        self, demands: Iterable[Demand], expected: dict[str, Expected], change: Proposal | None = None
    ) -> list[Demand]:
        """One cycle of placement; gives the demands that found no place. `change` has just been taken as done."""
        left, snapshot, waiting = [], self.snapshot(), order(demands)
        division = NO_DIVISION if change is not None else self._divided(snapshot, waiting)
        for unit in units(waiting):
            if unit[0].key in division.waits:
                left.append(unit[0])
                expected[unit[0].uid] = _dividing(division, unit[0].key)
                continue
            for demand, decision in self._decided(snapshot, unit):
                if isinstance(decision, Placed):
                    snapshot.hold(decision.node, decision.partitions, demand.key, demand.pod.resources, demand.peer)
                    self._held.append((demand, decision))
                    expected[demand.uid] = Expected(decision, self._made(decision))
                else:
                    left.append(demand)
                    expected[demand.uid] = Expected(decision, change)
        return left

    def _divided(self, snapshot: Snapshot, waiting: Sequence[Demand]) -> Division:
        """Who would wait for an idle GPU to be divided; GPUs of changes that come later are nobody's meanwhile."""

        def helps(demand: Demand, why: Unplaced) -> bool:
            return not demand.gang and why.reason != QUOTA_EXCEEDED

        judging = Judging(lambda unit: self._decided(snapshot, unit), helps=helps)
        division = divided(snapshot, waiting, self._around.changes, judging)
        keep(snapshot, division.later)
        return division

    def _decided(self, snapshot: Snapshot, unit: Unit) -> Sequence[tuple[Demand, Decision]]:
        if gang_of(unit[0]) is None:
            return [(unit[0], self._scheduler.schedule(snapshot, unit[0]))]
        present = sum(gang_of(demand) == gang_of(unit[0]) for demand, _ in self._held)
        gang = Gang(unit[0].gang, unit, self._around.gang_placed(unit[0]) + present)
        return place_gang(snapshot, gang, self._scheduler, self._around.now_seconds)

    def _made(self, placed: Placed) -> Proposal | None:
        """The last change that made the partitions what they are; None where they are as they were."""
        mine = {device.gpu.bdf for device in placed.devices}
        made = (
            each for each in self.changes if each.node == placed.node.name and not mine.isdisjoint(dict(each.after))
        )
        return max(made, key=self.changes.index, default=None)

    def _help_one(self, course: _Course) -> bool:
        """Do for the first demand, or gang, that can be helped what the operator would do; note of the rest why not."""
        snapshot = self.snapshot()
        could = [each for each in course.waiting if not each.gang and not _quota(course.expected[each.uid])]
        changes = Changes(snapshot, could, self._around.changes)
        gone = [each.occupant for each in self.leaving]
        leavers = Leavers(self._scheduler, snapshot, self._occupants(), self._around.leave, gone)
        return any(
            self._help(unit[0], course, changes, leavers)
            if gang_of(unit[0]) is None
            else self._help_gang(unit, course, leavers)
            for unit in units(course.waiting)
        )

    def _help(self, demand: Demand, course: _Course, changes: Changes, leavers: Leavers) -> bool:
        """As the operator has it: idle GPUs, then pods of lower priority, then a change that moves pods."""
        present = course.expected[demand.uid]
        if isinstance(present.decision, Unplaced) and present.decision.reason == DIVIDING:
            return present.change is not None and self._change(demand, course, present.change)
        proposal = changes.propose(demand)
        if isinstance(proposal, Proposal) and proposal.automatic and not proposal.victims:
            return self._change(demand, course, proposal)
        found = leavers.find(demand)
        if isinstance(found, Preemption):
            self._leave(course, [(demand, found)])
            return True
        if isinstance(proposal, Proposal) and proposal.automatic:
            return self._change(demand, course, proposal)
        change = proposal if isinstance(proposal, Proposal) else None
        refused = proposal if isinstance(proposal, Refused) else None
        course.expected[demand.uid] = replace(present, change=change, no_change=refused, no_victims=found)
        return False

    def _help_gang(self, gang: Unit, course: _Course, leavers: Leavers) -> bool:
        """Nobody leaves for a gang that is not whole, or would not be placed as a whole then."""
        decision = course.expected[gang[0].uid].decision
        if not isinstance(decision, Unplaced) or decision.reason != DOES_NOT_FIT:
            return False
        found = leavers.together(gang)
        if isinstance(found, NoVictims) or not any(one.victims for _, one in found):
            return False
        self._leave(course, found)
        return True

    def _change(self, demand: Demand, course: _Course, change: Proposal) -> bool:
        """The operator binds the claim that a change was made for before the others get to see it free."""
        self._apply(change)
        self._cycle([demand], course.expected, change)
        course.waiting = [other for other in course.waiting if other is not demand]
        return True

    def _leave(self, course: _Course, found: Iterable[tuple[Demand, Preemption]]) -> None:
        """Take the victims as gone, and those who leave these nodes anyway; who comes after them waits."""
        whole = list(found)
        nodes = {one.placed.node.name for _, one in whole}
        gone = {each.key for each in self._occupants() if each.leaving and each.node in nodes}
        tried = {demand.key: demand for demand, _ in self._held}
        for demand, one in whole:
            for occupant in one.victims:
                successor = tried.get(occupant.key) or self._around.successor(occupant)
                self.leaving.append(Leaving(occupant, demand, successor))
                course.waiting += [successor] if successor is not None else []
                gone.add(occupant.key)
        self._clear(gone)

    def _clear(self, gone: set[str]) -> None:
        self._gone |= gone
        self._held = [(demand, placed) for demand, placed in self._held if demand.key not in gone]
        facts = Snapshot(self._nodes.values())
        with facts.without(gone):
            self._nodes = {node.name: as_tried(facts, node) for node in facts.nodes}

    def _occupants(self) -> Iterator[Occupant]:
        """Claims that have a place still, and what was tried: nobody leaves twice."""
        yield from (each for each in self._around.occupants if each.key not in self._gone)
        yield from (_occupant(*pair, movable=pair[0].key not in self._gone) for pair in self._held)

    def _apply(self, change: Proposal) -> None:
        moved = self._places(change)
        if moved:
            self._clear({victim.demand.key for victim in moved})
        self._held += [(victim.demand, placed) for victim, placed in moved.items()]
        self.moved |= moved
        node = self._nodes[change.node]
        changed = changed_node(node, dict(change.after))
        if changed is None:
            raise RuntimeError(f"node {node.name}: no table has the modes {change.after} that were proposed for it")
        policy = node.policy
        if policy is not None:
            policy = replace(policy, cooldown_left=self._cooldowns.get(policy.name, 0.0), rests_until="")
        self._nodes[node.name] = replace(changed, policy=policy)
        self.changes.append(change)

    def _places(self, change: Proposal) -> dict[Victim, Placed]:
        """Where each pod that the change moves goes, as its plan would decide before it evicts anybody."""
        snapshot, touched = self.snapshot(), frozenset(bdf for bdf, _ in change.after)
        found = decide_drain(
            snapshot, change.node, touched, change.victims, budget_left=len(change.victims), allowed=lambda _: True
        )
        moves: dict[Victim, list[Move]] = {}
        for move in found.moves if isinstance(found, Drain) else ():
            moves.setdefault(move.victim, []).append(move)
        return {victim: self._placed(each) for victim, each in moves.items()}

    def _placed(self, moves: Sequence[Move]) -> Placed:
        node, wanted = self._nodes[moves[0].node], {move.partition for move in moves}
        pairs = ((gpu, one) for gpu in node.gpus for one in gpu.partitions if one.id in wanted)
        return Placed(node, tuple(PlacedDevice(gpu, one) for gpu, one in pairs))

    def snapshot(self) -> Snapshot:
        """The nodes with all that was placed."""
        snapshot = Snapshot(self._nodes.values())
        for demand, placed in self._held:
            snapshot.hold(placed.node, placed.partitions, demand.key, demand.pod.resources, demand.peer)
        return snapshot


def _dividing(division: Division, key: str) -> Expected:
    """Of one that waits for an idle GPU to be divided, with the change if it may be made now."""
    change = division.change(key)
    why = Unplaced(DIVIDING, sentence(division.waits[key], change))
    return Expected(why, None if key in division.later else change)


def _quota(expected: Expected) -> bool:
    return isinstance(expected.decision, Unplaced) and expected.decision.reason == QUOTA_EXCEEDED


def _occupant(demand: Demand, placed: Placed, *, movable: bool) -> Occupant:
    """A demand that was tried, as those see it who come after it."""
    policy = placed.node.policy
    return Occupant(
        key=demand.key,
        uid=demand.uid,
        pod=demand.key.partition("/")[2],
        namespace=demand.namespace,
        node=placed.node.name,
        policy=policy.name if policy is not None else "",
        priority=demand.priority,
        bytes=sum(partition.bytes for partition in placed.partitions),
        created_seconds=demand.created_seconds,
        ready=False,
        movable=movable and demand.shared is None,
        gang=demand.gang,
    )
