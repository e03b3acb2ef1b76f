"""Asking otherwise: a lower concurrency, a shorter length, a smaller precision of the same model, or more partitions.

Counted is what is lost, in thousandths of what was asked for; at an equal loss concurrency goes before length, and
length before precision, which changes the answers. More partitions lose nothing and take more of the cluster: each one
more counts as all that was asked for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from controller.placement.candidates import best_on
from controller.placement.changes.change import Change, Kind
from controller.placement.demand import Demand, Requirement
from controller.placement.filters import refuse_node
from controller.placement.scores import Scorer
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot

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


def smaller_changes(snapshot: Snapshot, demand: Demand, ways: Iterable[Smaller], scorer: Scorer) -> Iterator[Change]:
    """Of each kind the cheapest that is placed somewhere."""
    found: set[Kind] = set()
    largest = _Largest(snapshot, demand)
    for way in sorted(ways, key=lambda each: each.change().cost):
        if way.kind in found or not largest.may_hold(way.requirement):
            continue
        asked = replace(demand, requirement=way.requirement)
        if any(best_on(snapshot, asked, node, scorer) is not None for node in snapshot.nodes):
            found.add(way.kind)
            yield way.change()


class _Largest:
    """The largest partition that a demand of no size could have, looked up once a precision: most ways end here."""

    def __init__(self, snapshot: Snapshot, demand: Demand) -> None:
        self._snapshot = snapshot
        self._demand = demand
        self._nodes = [node for node in snapshot.nodes if refuse_node(snapshot, demand, node) is None]
        self._found: dict[Requirement, int] = {}

    def may_hold(self, requirement: Requirement) -> bool:
        """False where no partition that could be had is so large; several together are for the trial to find."""
        if requirement.count > 1:
            return True
        shape = replace(requirement, bytes=0)
        if shape not in self._found:
            self._found[shape] = self._look(replace(self._demand, requirement=shape))
        return self._found[shape] >= max(1, requirement.bytes)

    def _look(self, demand: Demand) -> int:
        choices = (best_on(self._snapshot, demand, node, _largest_first) for node in self._nodes)
        return max((choice.placed.partition.bytes for choice in choices if choice is not None), default=0)


def _largest_first(
    _: Snapshot, _demand: Demand, node: Node, gpu: Gpu, partition: Partition
) -> tuple[int, int, int, str, str, int]:
    return 0, -partition.bytes, 0, node.name, gpu.bdf, partition.id.index
