"""Asking otherwise: a lower concurrency, a shorter length, a smaller precision, or another number of partitions.

Counted is what is lost, in thousandths of what was asked for; at an equal loss concurrency goes before length, and
length before precision, which changes the answers. More partitions lose nothing and take more of the cluster: each one
more counts as all that was asked for. Fewer lose nothing and take no more, so that each one fewer counts least.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from controller.placement.candidates import best_on
from controller.placement.changes.change import Change, Kind
from controller.placement.demand import Demand, Requirement
from controller.placement.filters import refuse_node
from controller.placement.scores import Scorer
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot
from controller.placement.steps import Steps

_IN_ORDER = (Kind.CONCURRENCY, Kind.LENGTH, Kind.PRECISION, Kind.COUNT)


@dataclass(frozen=True, slots=True)
class Smaller:
    """One way to ask for less: `field` as its user writes it, its new `value`, and what it then takes.

    `lost` is how much of what was asked for goes, in thousandths.
    """

    kind: Kind
    field: str
    value: str
    lost: int
    requirement: Requirement

    def change(self) -> Change:
        """The change of the demand."""
        asked = self.requirement

        def on_demand(demand: Demand) -> Demand:
            return replace(demand, requirement=asked)

        text = f"set {self.field} to {self.value}"
        counted = (self.lost, _IN_ORDER.index(self.kind))
        return Change(self.kind, f"{self.field}={self.value}", text, counted, on_demand=on_demand)


def what_fits(ways: Iterable[Smaller], fits: Callable[[Requirement], bool]) -> str:
    """In words, of each kind the cheapest way that `fits`; that there is none where there is none."""
    found: dict[Kind, Smaller] = {}
    for way in sorted(ways, key=lambda each: each.change().cost):
        if way.kind not in found and fits(way.requirement):
            found[way.kind] = way
    if not found:
        return (
            "no smaller precision, no shorter length, no lower concurrency and no number of partitions makes it fit; "
            "choose another model, or larger GPUs"
        )
    return f"it fits with {' or with '.join(f'{way.field} {way.value}' for way in found.values())}"


def trying_smaller(snapshot: Snapshot, demand: Demand, ways: Iterable[Smaller], scorer: Scorer) -> Steps[list[Change]]:
    """Of each kind the cheapest that is placed somewhere; a pause after each node that is looked at."""
    found: dict[Kind, Change] = {}
    largest = _Largest(snapshot, demand)
    for way in sorted(ways, key=lambda each: each.change().cost):
        if way.kind in found:
            continue
        may_hold = yield from largest.may_hold(way.requirement)
        if not may_hold:
            continue
        asked = replace(demand, requirement=way.requirement)
        for node in snapshot.nodes:
            yield
            if best_on(snapshot, asked, node, scorer) is not None:
                found[way.kind] = way.change()
                break
    return list(found.values())


class _Largest:
    """The largest partition that a demand of no size could have, looked up once a precision: most ways end here."""

    def __init__(self, snapshot: Snapshot, demand: Demand) -> None:
        self._snapshot = snapshot
        self._demand = demand
        self._nodes: list[Node] | None = None
        self._found: dict[Requirement, int] = {}

    def may_hold(self, requirement: Requirement) -> Steps[bool]:
        """False where no partition that could be had is so large; if there are several is for the trial to find."""
        shape = replace(requirement, bytes=0, count=1)
        if shape not in self._found:
            self._found[shape] = yield from self._look(replace(self._demand, requirement=shape))
        return self._found[shape] >= max(1, requirement.bytes)

    def _look(self, demand: Demand) -> Steps[int]:
        largest = 0
        if self._nodes is None:
            self._nodes = yield from self._suiting()
        for node in self._nodes:
            choice = best_on(self._snapshot, demand, node, _largest_first)
            if choice is not None:
                largest = max(largest, choice.placed.partition.bytes)
            yield
        return largest

    def _suiting(self) -> Steps[list[Node]]:
        found = []
        for node in self._snapshot.nodes:
            if refuse_node(self._snapshot, self._demand, node) is None:
                found.append(node)
            yield
        return found


def _largest_first(
    _: Snapshot, _demand: Demand, node: Node, gpu: Gpu, partition: Partition
) -> tuple[int, int, int, str, str, int]:
    return 0, -partition.bytes, 0, node.name, gpu.bdf, partition.id.index
