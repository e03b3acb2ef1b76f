"""What the cluster's partitions are used for, as rows of gauges: who holds them, what of them nobody can use.

What one node adds is worked out when the node is another one than at the last look, so that a look costs what has
changed since, and not what there is. It is made in steps: the first one looks at every node.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Final, TypeAlias

from controller.placement.expectation import Shape
from controller.placement.fragmentation import FreeRoom, least_demanding
from controller.placement.node import Node
from controller.placement.nodes import Nodes
from controller.placement.steps import Steps
from controller.state.sums import Sums, Vectors
from controller.telemetry.families import Labels

#: Shapes that fragmentation is measured by: those that were seen most. FGD takes the most common ones, too.
MOST_SHAPES: Final = 32
#: Who may hold a partition, in the words of the label `holder`; unlocated and unusable: see `_Facts`.
HOLDERS: Final = ("free", "ours", "foreign", "unlocated", "unusable")

Row: TypeAlias = tuple[Labels, float]

NeedOf: TypeAlias = Callable[[str], int | None]
"""By the key of a claim of ours, the bytes of each of its partitions that it was sized at; None: not known."""


@dataclass(frozen=True, slots=True)
class CapacityRows:
    """What one look found.

    `partitions` by product, mode and holder, of a kind that is there every holder, 0 included. `allocation`: the share
    of each product's memory that anybody holds, of what is held or free, 0 to 1; none where that is nothing.
    `fragmentation`: the share of each product's free memory that the expected next claim cannot use; none where nothing
    is free or no claim was seen. `stranded`: bytes by product and place, inside held partitions, and free where no
    claim that was seen fits.
    """

    partitions: Sequence[Row] = ()
    allocation: Sequence[Row] = ()
    fragmentation: Sequence[Row] = ()
    stranded: Sequence[Row] = ()


@dataclass(frozen=True, slots=True)
class _Facts:
    """What one node adds. `partitions` by product, mode and holder: unlocated are as many as pods hold by the device
    plugin while nobody knows which, unusable those that nobody holds and that are unhealthy or in quarantine.

    Bytes by product: `total`, `held` by anybody, `inside` (held beyond what claims were sized at); `room` is free.
    """

    node: Node | None
    partitions: Mapping[tuple[str, str, str], int]
    total: Mapping[str, int]
    held: Mapping[str, int]
    inside: Mapping[str, int]
    room: Mapping[str, FreeRoom]


_NOTHING: Final = _Facts(None, {}, {}, {}, {}, {})


class CapacityGauges:
    """Sums over the nodes as they were looked at. `need_of` tells what claims were sized at."""

    def __init__(self, need_of: NeedOf) -> None:
        self._need_of = need_of
        self._nodes = Nodes()
        self._behind: set[str] = set()
        self._facts: dict[str, _Facts] = {}
        self._partitions: Sums[tuple[str, str, str]] = Sums()
        self._total: Sums[str] = Sums()
        self._held: Sums[str] = Sums()
        self._inside: Sums[str] = Sums()
        self._free: Sums[str] = Sums()
        self._stranded: Sums[str] = Sums()
        self._usable = Vectors()
        self._shapes: tuple[Shape, ...] = ()
        self._least: frozenset[Shape] = frozenset()

    def looking(self, nodes: Nodes, seen: Mapping[Shape, int]) -> Steps[CapacityRows]:
        """See the nodes as they are now. `seen`: the shapes of claims that are expected, with how often each was.

        A look that is broken off is made up for by the next one.
        """
        common = dict(nlargest(MOST_SHAPES, seen.items(), key=lambda each: (each[1], each[0])))
        self._behind.update(nodes.differing(self._nodes))
        self._nodes = nodes
        self._expect(tuple(sorted(common)), least_demanding(seen))
        for name in tuple(self._behind):
            self._count(name, nodes.get(name))
            self._behind.discard(name)
            yield
        return self._rows([common[shape] for shape in self._shapes])

    def _expect(self, shapes: tuple[Shape, ...], least: frozenset[Shape]) -> None:
        """Measure by other shapes where others are expected, on all nodes."""
        if (shapes, least) != (self._shapes, self._least):
            self._shapes, self._least = shapes, least
            self._usable = Vectors()
            self._behind.update(self._facts)

    def _count(self, name: str, node: Node | None) -> None:
        facts = self._facts.pop(name, _NOTHING)
        if node is not facts.node:
            facts = _NOTHING if node is None else _facts(node, self._need_of)
            self._partitions.put(name, facts.partitions)
            self._total.put(name, facts.total)
            self._held.put(name, facts.held)
            self._inside.put(name, facts.inside)
            self._free.put(name, {product: room.bytes for product, room in facts.room.items()})
        if node is not None:
            self._facts[name] = facts
        room = facts.room.items()
        self._stranded.put(name, {product: free.stranded(self._least) for product, free in room})
        self._usable.put(name, {product: [free.usable(shape) for shape in self._shapes] for product, free in room})

    def _rows(self, counts: Sequence[int]) -> CapacityRows:
        counted = self._partitions.totals
        kinds = sorted({(product, mode) for product, mode, _ in counted})
        return CapacityRows(
            partitions=[
                ((*kind, holder), float(counted.get((*kind, holder), 0))) for kind in kinds for holder in HOLDERS
            ],
            allocation=list(self._allocation()),
            fragmentation=list(self._fragmentation(counts)),
            stranded=list(self._stranded_rows()),
        )

    def _allocation(self) -> Iterator[Row]:
        """What nobody holds and nobody may use is not there: else a product with broken partitions was never full."""
        held, free = self._held.totals, self._free.totals
        for product in sorted(held.keys() | free.keys()):
            mine = held.get(product, 0)
            yield (product,), mine / (mine + free.get(product, 0))

    def _fragmentation(self, counts: Sequence[int]) -> Iterator[Row]:
        for product, free in sorted(self._free.totals.items()) if counts else ():
            usable = self._usable.totals.get(product, ())
            weighed = sum(count * size for count, size in zip(counts, usable, strict=True))
            yield (product,), 1 - weighed / (sum(counts) * free)

    def _stranded_rows(self) -> Iterator[Row]:
        for product in sorted(self._total.totals):
            yield (product, "inside"), float(self._inside.totals.get(product, 0))
            if self._least:
                yield (product, "free"), float(self._stranded.totals.get(product, 0))


def _facts(node: Node, need_of: NeedOf) -> _Facts:
    partitions: Counter[tuple[str, str, str]] = Counter()
    total: Counter[str] = Counter()
    free: Counter[str] = Counter()
    sizes: dict[str, list[int]] = {}
    unlocated = dict(node.unlocated)
    ours, inside = _ours(node, need_of)
    for gpu in node.gpus:
        kind, taken = (gpu.product, str(gpu.mode)), 0
        for alike in gpu.alike:
            one, count = alike.partitions[0], len(alike.free)
            total[gpu.product] += one.bytes * len(alike.partitions)
            taken += len(alike.partitions) - count
            hidden = min(count, unlocated.get(one.resource, 0)) if one.resource else 0
            if hidden:
                unlocated[one.resource] -= hidden
            nobodys = count - hidden
            usable = one.healthy and not one.quarantined
            partitions[*kind, "unlocated"] += hidden
            partitions[*kind, "free" if usable else "unusable"] += nobodys
            free[gpu.product] += one.bytes * nobodys
            if usable:
                sizes.setdefault(gpu.product, []).extend([one.bytes] * nobodys)
        partitions[*kind, "ours"] += ours.get(gpu.bdf, 0)
        partitions[*kind, "foreign"] += taken - ours.get(gpu.bdf, 0)
    cpu_left = max(0, node.allocatable.cpu_milli - node.used.cpu_milli)
    return _Facts(
        node=node,
        partitions=partitions,
        total=total,
        held={product: size - free[product] for product, size in total.items()},
        inside=inside,
        room={product: FreeRoom.of(cpu_left, found) for product, found in sizes.items()},
    )


def _ours(node: Node, need_of: NeedOf) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """By GPU how many of its partitions claims of ours hold, and by product the bytes there beyond what they need."""
    held: Counter[str] = Counter()
    beyond: Counter[str] = Counter()
    product_of = {gpu.bdf: gpu.product for gpu in node.gpus}
    for claim, partitions in node.claims.items():
        need = need_of(claim)
        for one in partitions:
            held[one.id.bdf] += 1
            if need is not None:
                beyond[product_of[one.id.bdf]] += max(0, one.bytes - need)
    return held, beyond
