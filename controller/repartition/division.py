"""Dividing first: who waits for an idle GPU to be divided, although a far larger partition is free. Pure.

    what waits, tried in order -> sort_out -> Pending -> divide_first -> Division

A small model bound to a whole GPU keeps it from everybody for as long as it serves, and a change of an idle GPU takes a
minute. So a claim that would take a partition at least a quarter larger than one that a change of some idle GPU, of any
product, could give waits for that change, chosen together with those of all others that wait. What keeps this within
bounds:

- A change touches no more GPUs than those who wait for it would take as things are. A reload of the driver that would
  divide a whole node for one small model is so never made for it.
- Whoever fits well takes the place at once and is never waited past: its GPU is no part of the choice. Whom the choice
  leaves out takes its place as things are, so nobody loses one by waiting.
- A claim waits `PATIENCE_SECONDS` at most, and for no second plan after one that ended without helping it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from controller.placement.decision import Decision, Placed, Unplaced
from controller.placement.demand import Demand, Resources
from controller.placement.filters import kept_for, refuse_node
from controller.placement.ranking import alike
from controller.placement.size_text import gib
from controller.placement.snapshot import Node, Snapshot
from controller.placement.steps import Steps, finished
from controller.repartition.candidates import planned_bytes, useful_modes
from controller.repartition.joint import MOST_NODES, NOTHING, Around, Bound, Joint, divides, proposing_jointly
from controller.repartition.planner import Proposal

#: A partition is too large if it is by so many percent larger than one that an idle GPU would give in another mode.
MARGIN_PERCENT: Final = 25
#: How long a claim waits for a change at most while a place is free, seconds; then it is placed as things are.
PATIENCE_SECONDS: Final = 300.0
DIVIDING: Final = "DividingFirst"
"""Reason of a claim that waits although there is a place."""

_NO_POD: Final = Resources()


@dataclass(frozen=True, slots=True)
class Waste:
    """A claim whose best place as things are is too large: some idle GPU has a mode with partitions of `tight` bytes.

    Of each product that has one small enough, the smallest counts: `tight` is the least of these, `most` the largest.
    `turn` counts those without a place who come before it; `shared`: one of its kind comes first to the same place.
    """

    demand: Demand
    placed: Placed
    tight: int
    most: int
    turn: int = 0
    shared: bool = False

    @property
    def key(self) -> str:
        """Of the claim."""
        return self.demand.key

    @property
    def gpus(self) -> frozenset[tuple[str, str]]:
        """The GPUs, as (node, bdf), that it would take a part of, or the whole."""
        return frozenset((self.placed.node.name, device.gpu.bdf) for device in self.placed.devices)


def waste_of(snapshot: Snapshot, demand: Demand, placed: Placed) -> Waste | None:
    """What taking the place would waste; None where it fits, is the claim's own, or may not be waited past."""
    if demand.gang or demand.shared is not None or not divides(placed.node):
        return None
    small_enough = placed.partition.bytes * 100 // (100 + MARGIN_PERCENT)
    if demand.requirement.bytes > small_enough or any(kept_for(partition, demand) for partition in placed.partitions):
        return None
    tight = {product: size for product, size in _tight(snapshot, demand).items() if size <= small_enough}
    sizes = [tight[product] for product in _within_reach(snapshot, demand, tight.keys())]
    return Waste(demand, placed, min(sizes), max(sizes)) if sizes else None


def _tight(snapshot: Snapshot, demand: Demand) -> dict[str, int]:
    """By product that idle GPUs have, the smallest partitions, in bytes, that another mode would give the claim.

    The smallest, because a choice made for places alone would as well halve a GPU as divide it in eight.
    """
    found: dict[str, int] = {}
    for node, gpu in snapshot.idle_sorts:
        for mode in useful_modes(demand, node, gpu) if divides(node) else ():
            size = planned_bytes(gpu.product, mode)
            found[gpu.product] = min(size, found.get(gpu.product, size))
    return found


def _within_reach(snapshot: Snapshot, demand: Demand, products: Collection[str]) -> set[str]:
    """Which of the products the claim could have an idle GPU of, on one of the first nodes that have any."""
    asked = replace(demand, pod=replace(demand.pod, resources=_NO_POD))  # which a trial may hold on the node already
    having = (node for node in snapshot.nodes if divides(node) and any(gpu.product in products for gpu in node.idle))
    found: set[str] = set()
    for node in islice(having, MOST_NODES if products else 0):
        there = {gpu.product for gpu in node.idle}.intersection(products)
        if not there <= found and _takes(snapshot, asked, node):
            found |= there
        if len(found) == len(products):
            break
    return found


def _takes(snapshot: Snapshot, demand: Demand, node: Node) -> bool:
    """Whether the claim may go to the node; a change under way there is no obstacle to what comes after it."""
    refused = refuse_node(snapshot, demand, node)
    return refused is None or refused[0] == "Repartitioning"


@dataclass(frozen=True, slots=True)
class Fitting:
    """A claim whose place is the right one. `turn` counts those without a place who come before it."""

    demand: Demand
    placed: Placed
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Pending:
    """All that waits, as it would be placed one after the other.

    `wasteful` may wait for a change, `fitting` take their places. `helpless` have none, and no change helps them.
    """

    unplaced: tuple[Demand, ...] = ()
    wasteful: tuple[Waste, ...] = ()
    fitting: tuple[Fitting, ...] = ()
    helpless: tuple[Demand, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """Of all claims."""
        placed = (*(each.demand for each in self.wasteful), *(each.demand for each in self.fitting))
        return frozenset(demand.key for demand in (*placed, *self.unplaced, *self.helpless))


NOBODY: Final = Pending()

Unit = tuple[Demand, ...]
"""Demands that are decided together: one, or a gang's."""


@dataclass(frozen=True, slots=True)
class Judging:
    """How it is sorted out: `decide` leaves nothing held on the snapshot.

    `may_wait`: whether a claim may wait past a place. `helps`: whether a change could help one that has none.
    """

    decide: Callable[[Unit], Sequence[tuple[Demand, Decision]]]
    may_wait: Callable[[Demand], bool] = lambda _: True
    helps: Callable[[Demand, Unplaced], bool] = lambda _demand, _why: True


def sort_out(snapshot: Snapshot, units: Iterable[Unit], judging: Judging) -> Pending:
    """Try everybody in order on the snapshot, which stays as it was."""
    return finished(sorting_out(snapshot, units, judging))


def sorting_out(snapshot: Snapshot, units: Iterable[Unit], judging: Judging) -> Steps[Pending]:
    """The same with a pause after each. Nobody else is to ask the snapshot until then: trials are held on it."""
    with ExitStack() as held:
        sorting = _Sorting(snapshot, judging, held)
        for unit in units:
            for demand, decision in judging.decide(unit):
                sorting.take(demand, decision)
            yield
    return sorting.pending


class _Sorting:
    """Mutable, private to `sort_out`."""

    def __init__(self, snapshot: Snapshot, judging: Judging, held: ExitStack) -> None:
        self._snapshot = snapshot
        self._judging = judging
        self._held = held
        self._shared: dict[Demand, Waste | None] = {}
        self.unplaced: list[Demand] = []
        self.wasteful: list[Waste] = []
        self.fitting: list[Fitting] = []
        self.helpless: list[Demand] = []

    @property
    def pending(self) -> Pending:
        return Pending(tuple(self.unplaced), tuple(self.wasteful), tuple(self.fitting), tuple(self.helpless))

    def take(self, demand: Demand, decision: Decision) -> None:
        if isinstance(decision, Placed):
            _hold(self._snapshot, self._held, demand, decision)
            waste = waste_of(self._snapshot, demand, decision) if self._judging.may_wait(demand) else None
            if waste is not None:
                self.wasteful.append(replace(waste, turn=len(self.unplaced)))
            else:
                self.fitting.append(Fitting(demand, decision, 0 if demand.gang else len(self.unplaced)))
        elif (shared := self._sharing(demand)) is not None:
            self.wasteful.append(shared)
        else:
            (self.unplaced if self._judging.helps(demand, decision) else self.helpless).append(demand)

    def _sharing(self, demand: Demand) -> Waste | None:
        """The place that it would have, did not others before it have that: divided it may do for all of them."""
        if demand.gang or not self.wasteful or not self._judging.may_wait(demand):
            return None
        kind = alike(demand)
        if kind not in self._shared:
            with self._snapshot.without(waste.key for waste in self.wasteful):
                ((_, decision),) = self._judging.decide((demand,))
            self._shared[kind] = waste_of(self._snapshot, demand, decision) if isinstance(decision, Placed) else None
        waste = self._shared[kind]
        return None if waste is None else replace(waste, demand=demand, turn=len(self.unplaced), shared=True)


@dataclass(frozen=True, slots=True)
class Division:
    """What is chosen for all that waits.

    `joint` as for claims without a place. `waits`, by key: those who wait for a change of it, for a plan under way, or
    for one of the changes `later`, which may not begin yet because others are under way. `looked_at`: everybody.
    """

    joint: Joint
    waits: Mapping[str, Waste]
    later: Mapping[str, Proposal]
    looked_at: frozenset[str] = frozenset()

    def overlooks(self, key: str) -> bool:
        """Whether some wait for a change, and the claim came after so many that it was not looked at."""
        return bool(self.waits) and key not in self.looked_at

    def change(self, key: str) -> Proposal | None:
        """The change that a claim waits for; None for one that a plan under way serves."""
        return self.joint.proposals.get(key) or self.later.get(key)


NO_DIVISION: Final = Division(NOTHING, {}, {})


def divide_first(snapshot: Snapshot, pending: Pending, around: Around) -> Division:
    """Choose for all that waits. The snapshot is the one that it was sorted out on, and stays as it was."""
    return finished(dividing_first(snapshot, pending, around))


def dividing_first(snapshot: Snapshot, pending: Pending, around: Around) -> Steps[Division]:
    """The same in steps. Nobody else is to ask the snapshot until it has ended: trials are held on it."""
    turn = yield from _first_helped(snapshot, pending, around)
    with ExitStack() as held:
        for each in pending.fitting:
            if each.turn <= turn:
                _hold(snapshot, held, each.demand, each.placed)
        others = (*pending.unplaced, *(each.demand for each in pending.fitting if each.turn > turn))
        candidates = [_Candidate.of(each, turn) for each in pending.wasteful]
        joint, waits, left = yield from _settled(snapshot, others, candidates, around)
        later: Mapping[str, Proposal] = {}
        if left and around.usage.active_nodes:
            for undo in keep(snapshot, joint.proposals):
                held.callback(undo)
            patient = replace(around, expected={}, patient=True)
            comes, more, _ = yield from _settled(snapshot, (), left, patient)
            later = {key: comes.proposals[key] for key in more}
            waits |= more
    return Division(joint, {key: each.waste for key, each in waits.items()}, later, pending.keys)


def _first_helped(snapshot: Snapshot, pending: Pending, around: Around) -> Steps[int]:
    """How many without a place come before the first whom a change would help: those after it yield to it."""
    nobody = len(pending.unplaced)
    if not pending.unplaced:
        return nobody
    with ExitStack() as held:
        for each in pending.fitting:
            if each.turn == 0:
                _hold(snapshot, held, each.demand, each.placed)
        joint = yield from proposing_jointly(snapshot, pending.unplaced, around)
    helped = (number for number, each in enumerate(pending.unplaced) if each.key in joint.proposals)
    return next(helped, nobody)


def keep(snapshot: Snapshot, changes: Mapping[str, Proposal]) -> list[Callable[[], None]]:
    """Give others nothing of the GPUs that these changes, by claim, touch; the calls take that back."""
    undo = []
    for key, change in changes.items():
        node, touched = snapshot.node(change.node), {bdf for bdf, _ in change.after}
        if node is not None:
            parts = (one for gpu in node.gpus if gpu.bdf in touched for one in gpu.partitions)
            free = [one for one in parts if snapshot.holder(node, one) is None]
            undo.append(snapshot.hold(node, free, key, _NO_POD))
    return undo


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A claim that may wait. `yields`: a change would help somebody before it, who may be given the GPU instead."""

    waste: Waste
    bound: Bound
    yields: bool

    @classmethod
    def of(cls, waste: Waste, turn: int) -> "_Candidate":
        """Whoever has the place goes before those who would share it: else one of these might get it, who does not."""
        yields = waste.turn > turn
        return cls(waste, Bound(waste.most, ahead=0 if yields else 1 if waste.shared else 2), yields)


def _settled(
    snapshot: Snapshot, others: Iterable[Demand], candidates: Iterable[_Candidate], around: Around
) -> Steps[tuple[Joint, dict[str, _Candidate], list[_Candidate]]]:
    """A joint choice by which nobody loses a place to one who comes later: whom it leaves out keeps its own.

    Then it is chosen anew.
    """
    others = list(others)
    waits = {each.waste.key: each for each in candidates}
    left: list[_Candidate] = []
    with ExitStack() as held:
        while True:
            asking = [*others, *(each.waste.demand for each in waits.values())]
            bounds = {key: each.bound for key, each in waits.items()}
            joint = yield from proposing_jointly(snapshot, asking, around, bounds)
            wasted = {key: each.waste for key, each in waits.items()}
            out = [key for key in waits if not _helped(joint, key, wasted)]
            if not out:
                return joint, waits, left
            for key in out:
                each = waits.pop(key)
                left.append(each)
                if each.yields or each.waste.shared:
                    others.append(each.waste.demand)
                else:
                    _hold(snapshot, held, each.waste.demand, each.waste.placed)


def _helped(joint: Joint, key: str, waits: Mapping[str, Waste]) -> bool:
    """Whether the claim has its place by a plan or by a change that takes no more GPUs than it saves."""
    change = joint.proposals.get(key)
    if change is None:
        return key in joint.served
    together = [each for each, proposal in joint.proposals.items() if proposal.node == change.node]
    if any(each not in waits for each in together):
        return True  # it is made for those who have no place, too
    taken = frozenset().union(*(waits[each].gpus for each in together))
    return len(change.after) <= len(taken)


def _hold(snapshot: Snapshot, held: ExitStack, demand: Demand, placed: Placed) -> None:
    held.callback(snapshot.hold(placed.node, placed.partitions, demand.key, demand.pod.resources))


def sentence(waste: Waste, change: Proposal | None) -> str:
    """Why the claim waits, and for what; the plan that it waits for is told beside where there is no change to make."""
    placed, need = waste.placed, waste.demand.requirement
    wasted = (placed.partition.bytes - waste.tight) * need.count
    free = f"{need.count} partitions" if need.count > 1 else "a partition"
    why = (
        f"{free} of {gib(placed.partition.bytes)} could be had on node {placed.node.name} for {gib(need.bytes)}; "
        f"{gib(wasted)} more than in partitions of {gib(waste.tight)} would be wasted"
    )
    what = "an idle GPU" if change is None else f"GPU {change.target} of node {change.node}, to {change.mode},"
    return f"{why}, so {what} is divided first"
