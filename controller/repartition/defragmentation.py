"""Chances to bring together what is scattered: models that run move, and whole GPUs come free or waiting claims get in.

A what-if on a frozen snapshot: the pods on a GPU, or on several of a node, go where the drain of a plan would send
them, the GPUs keep their modes or take those that a waiting claim needs, and what that gives is counted. A chance is
told only where its gain is worth those who have to leave. Memory modes stay: their change needs the whole node, and is
asked for by the claims that need it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.decision import Decision
from controller.placement.demand import Demand
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot
from controller.placement.steps import Steps, finished
from controller.repartition.candidates import permitted, planned_bytes
from controller.repartition.disruption_budget import NOTHING_USED, Usage, refuse_change
from controller.repartition.disturbance import Disturbance, disturbance
from controller.repartition.drain import Drain, decide_drain
from controller.repartition.move import Move
from controller.repartition.places import FreePlaces
from controller.repartition.regained import Emptied, Gain, Group, regained
from controller.repartition.victims import Victim, in_order

#: Nodes looked at, those with the least on a GPU that is in use first.
MOST_NODES: Final = 200
#: GPUs of one node that are freed together, at most.
MOST_GPUS: Final = 4
#: What-ifs for one answer: each is a drain and a try of the claims that wait.
MOST_LOOKS: Final = 32
#: Claims that wait and are tried, the first ones.
MOST_WAITING: Final = 16
#: What keeps a change from beginning now and not from being proposed: it passes, and a plan waits for it by itself.
_PASSES: Final = frozenset({"OutsideWindow", "Cooldown", "RepartitionBudget", "UnavailablePodsBudget"})


@dataclass(frozen=True, slots=True)
class Worth:
    """What is worth while: `min_gain` GPUs or claims at least, and `max_evictions` pods for each of them at most."""

    min_gain: int = 1
    max_evictions: int = 4

    def covers(self, gain: Gain, evictions: int) -> bool:
        """Whether the gain is worth the pods that have to leave."""
        return gain.units >= max(1, self.min_gain) and evictions <= self.max_evictions * gain.units


@dataclass(frozen=True, slots=True)
class Field:
    """Where chances are looked for: the nodes that `policy` rules, and what bears on them.

    `waiting` have no place as things are. `victim` tells of a claim `namespace/name` on a partition who would have to
    move, None where nobody may be asked to. `schedule` is the operator's; `start_seconds` tells how long a pod took to
    start, and `change_seconds` how long a change of compute modes takes, None for what is not known.
    """

    snapshot: Snapshot
    policy: str
    waiting: Sequence[Demand]
    victim: Callable[[str, PartitionId], Victim | None]
    schedule: Callable[[Snapshot, Demand], Decision]
    start_seconds: Callable[[Victim], float | None] = field(default=lambda _: None)
    change_seconds: float | None = None
    usage: Usage = NOTHING_USED
    admin_held: frozenset[tuple[str, str]] = frozenset()
    worth: Worth = field(default_factory=Worth)


@dataclass(frozen=True, slots=True)
class Chance:
    """GPUs of a node, as (bdf, mode) `before` and `after`; equal ones are emptied and stay as they are.

    `moves` say who leaves and where to, as it would be decided now, `served` the keys of the claims that get in.
    """

    node: str
    before: tuple[tuple[str, Mode], ...]
    after: tuple[tuple[str, Mode], ...]
    moves: tuple[Move, ...]
    gain: Gain
    cost: Disturbance
    served: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, tuple[tuple[str, Mode], ...]]:
        """What it would make of which node: the same chance at two looks."""
        return self.node, self.after

    def rank(self) -> tuple[int, int, int, float, str, str]:
        """Lower is better: gain for each pod that moves, claims, pods, seconds; then names, so that looks agree."""
        share = self.gain.units * 1000 // max(1, self.cost.evictions)
        named = ",".join(f"{bdf} {mode}" for bdf, mode in self.after)
        return -share, -self.gain.claims, self.cost.evictions, self.cost.known_seconds, self.node, named


def chances(found: Field) -> tuple[Chance, ...]:
    """Every chance that is worth while, of the first `MOST_LOOKS` that move the fewest pods; the best one first."""
    return finished(seeking_chances(found))


def seeking_chances(found: Field) -> Steps[tuple[Chance, ...]]:
    """The same with a pause after each node and each what-if. Nobody else is to ask the field's snapshot meanwhile."""
    return (yield from _Search(found).run())


class _Search:
    def __init__(self, found: Field) -> None:
        self._field = found
        self._there = found.snapshot
        self._waiting = tuple(found.waiting)[:MOST_WAITING]
        self._uids = {demand.uid: demand.key for demand in self._waiting}

    def run(self) -> Steps[tuple[Chance, ...]]:
        nodes = yield from self._changeable()
        if not nodes:
            return ()
        if len(self._field.snapshot.nodes) > MOST_NODES:
            self._there = self._field.snapshot.only(node.name for node in nodes)
        free = yield from FreePlaces.collecting(self._there)
        looks = []
        for node in nodes:
            groups = list(self._groups(node, free.largest))
            ways = ((group, mode) for group in groups for mode in (None, *self._modes(group)))
            looks += [(self._order(group, mode), group, mode) for group, mode in ways]
            yield
        looks.sort(key=lambda look: look[0])
        drains: dict[tuple[str, frozenset[str]], Drain] = {}
        told = []
        for _, group, mode in looks[:MOST_LOOKS]:
            asked = group.node.name, group.bdfs
            if asked not in drains:
                drains[asked] = self._drained(group, free)
                yield
            if len(drains[asked].moves) == len(group.victims):
                chance = self._chance(group, mode, drains[asked].moves)
                told += [chance] if self._promised(group).issubset(chance.served) else []
                yield
        worthy = [each for each in told if self._field.worth.covers(each.gain, each.cost.evictions)]
        return tuple(sorted(worthy, key=Chance.rank))

    def _changeable(self) -> Steps[list[Node]]:
        """The first `MOST_NODES`, by the fewest partitions that somebody holds of a GPU in use; none that are idle."""
        snapshot, ranked = self._field.snapshot, []
        for node in snapshot.nodes:
            if self._may_change(node):
                held = (len(gpu.partitions) - snapshot.free(node, gpu) for gpu in node.gpus)
                least = min((count for count in held if count), default=0)
                ranked += [(least, node.name, node)] if least else []
            yield
        return [node for _, _, node in sorted(ranked, key=lambda each: each[:2])[:MOST_NODES]]

    def _may_change(self, node: Node) -> bool:
        """Whether the policy rules the node and nothing forbids that somebody is moved there."""
        if node.policy is None or node.policy.name != self._field.policy or not node.fresh:
            return False
        if any(node.unlocated.values()):
            return False  # a pod of the device plugin holds a device, and nobody has told yet which
        if node.policy.max_unavailable_pods == 0:
            return False
        refused = refuse_change(node, None, self._field.usage, evicts=1)
        return refused is None or refused.reason in _PASSES

    def _groups(self, node: Node, largest: int) -> Iterator[Group]:
        """The node's GPUs that can be emptied: the one with the fewest pods, the two with the fewest, and so on."""
        sources = []
        for gpu in node.gpus:
            victims = self._victims(node, gpu)
            if victims and all(victim.requirement_bytes <= largest for victim in victims):
                sources.append((gpu, victims))
        sources.sort(key=lambda each: (len(each[1]), each[0].bdf))
        for count in range(1, min(MOST_GPUS, len(sources)) + 1):
            chosen = sources[:count]
            gpus = tuple(sorted((gpu for gpu, _ in chosen), key=lambda gpu: gpu.bdf))
            yield Group(node, gpus, tuple(in_order(victim for _, victims in chosen for victim in victims)))

    def _victims(self, node: Node, gpu: Gpu) -> tuple[Victim, ...]:
        """Who has to leave the GPU; nobody where it is idle, or somebody is there who cannot be asked to."""
        if gpu.plan is not None:
            return ()
        found = []
        for partition in gpu.partitions:
            stays = self._kept_for_others(partition) or (node.pool, partition.device) in self._field.admin_held
            if stays or partition.quarantined or not partition.healthy:
                return ()
            holder = self._field.snapshot.holder(node, partition)
            if holder is None:
                continue
            victim = self._field.victim(holder.name, partition.id) if holder.kind == "ours" else None
            if victim is None or not victim.owner:
                return ()
            found.append(victim)
        return tuple(found)

    def _kept_for_others(self, partition: Partition) -> bool:
        """Whether the place is kept for anybody but a claim that waits, for which the GPU may be emptied."""
        return partition.reservation is not None and partition.reservation.claim not in self._uids

    def _promised(self, group: Group) -> set[str]:
        """The waiting claims for which places are kept there: they must be among those that get in."""
        kept = (one.reservation for gpu in group.gpus for one in gpu.partitions)
        return {self._uids[reservation.claim] for reservation in kept if reservation is not None}

    def _modes(self, group: Group) -> list[Mode]:
        """Other compute modes that all of the GPUs may take and that a waiting claim could use."""
        if group.node.plugin:
            return []  # what a device plugin advertises is a matter of the whole node
        memory = group.gpus[0].mode.memory
        shared = {mode for mode in group.gpus[0].allowed if mode.memory == memory and _takes(group, mode)}
        return sorted((mode for mode in shared if self._wanted(group, mode)), key=str)

    def _order(self, group: Group, mode: Mode | None) -> tuple[int, bool, bool, str, str, str]:
        """The least disturbing first; of equal ones those that a waiting claim could use."""
        named = group.node.name, ",".join(sorted(group.bdfs)), str(mode)
        idle = mode is None and bool(self._waiting) and not self._wanted(group, None)
        return len(group.victims), idle, mode is not None, *named

    def _wanted(self, group: Group, mode: Mode | None) -> bool:
        """Whether a claim that waits could use a partition of the GPUs in the mode, None for those that they have."""
        size = min(_bytes(gpu, mode or gpu.mode) for gpu in group.gpus)
        mode = mode or group.gpus[0].mode
        return any(
            0 < demand.requirement.bytes <= size and (not demand.requirement.modes or mode in demand.requirement.modes)
            for demand in self._waiting
        )

    def _drained(self, group: Group, free: FreePlaces) -> Drain:
        """Where the plan's own drain would send them; nobody moves where one of them has no place."""
        decided = decide_drain(
            self._there,
            group.node.name,
            group.bdfs,
            group.victims,
            budget_left=len(group.victims),
            allowed=lambda _: True,
            free=free,
        )
        return decided if isinstance(decided, Drain) else Drain((), decided.message)

    def _chance(self, group: Group, mode: Mode | None, moves: tuple[Move, ...]) -> Chance:
        before = tuple((gpu.bdf, gpu.mode) for gpu in group.gpus)
        gain, served = regained(self._there, Emptied(group, mode, moves), self._waiting, self._field.schedule)
        cost = disturbance(
            (self._field.start_seconds(move.victim) for move in moves),
            self._field.change_seconds if mode is not None else 0.0,
        )
        after = tuple((bdf, mode or present) for bdf, present in before)
        return Chance(group.node.name, before, after, moves, gain, cost, served)


def _takes(group: Group, mode: Mode) -> bool:
    """Whether it is another mode for each of the GPUs, and one that its policy lets it be put into."""
    return all(mode != gpu.mode and permitted(group.node, gpu, mode) for gpu in group.gpus)


def _bytes(gpu: Gpu, mode: Mode) -> int:
    """Of a partition in that mode."""
    return max(one.bytes for one in gpu.partitions) if mode == gpu.mode else planned_bytes(gpu.product, mode)
