"""What of a node's free GPU memory could be used by what is expected: fragmentation, and what is stranded.

The measure is FGD's (Weng et al., "Beware of Fragmentation", USENIX ATC'23), in bytes of partitions that go as wholes:

    fragmentation = sum over shapes of share x (free memory that the shape cannot use) / free memory

A shape can use the free partitions that hold it, or none of a node where CPU or their number does not suffice. Modes
are taken as they are: what a mode change could make of an idle GPU is not asked.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import accumulate

from controller.placement.expectation import Shape


@dataclass(frozen=True, slots=True)
class FreeRoom:
    """What is free on one node: CPU in thousandths of a core, and partitions, in bytes, the smallest first.

    `upto[i]` are the bytes of the `i` smallest.
    """

    cpu_milli: int
    sizes: tuple[int, ...]
    upto: tuple[int, ...]

    @classmethod
    def of(cls, cpu_milli: int, sizes: Iterable[int]) -> "FreeRoom":
        """With free partitions of these sizes."""
        ascending = tuple(sorted(sizes))
        return cls(cpu_milli, ascending, (0, *accumulate(ascending)))

    @property
    def bytes(self) -> int:
        """All of it."""
        return self.upto[-1]

    def usable(self, shape: Shape) -> int:
        """Bytes of the partitions that hold the shape, 0 where the node could not take one."""
        first = bisect_left(self.sizes, shape[1])
        return self.upto[-1] - self.upto[first] if self._takes(shape, first) else 0

    def stranded(self, shapes: Collection[Shape]) -> int:
        """Bytes of the partitions that none of the shapes can use."""
        firsts = ((shape, bisect_left(self.sizes, shape[1])) for shape in shapes)
        return self.upto[min((first for shape, first in firsts if self._takes(shape, first)), default=-1)]

    def _takes(self, shape: Shape, first: int) -> bool:
        cpu_milli, _, count = shape
        return cpu_milli <= self.cpu_milli and count <= len(self.sizes) - first


def least_demanding(shapes: Iterable[Shape]) -> frozenset[Shape]:
    """Those of the shapes that fit wherever any fits: what no other one asks less than in everything."""
    kept: list[Shape] = []
    for shape in sorted(set(shapes)):  # one that asks less in everything stands before
        if not any(all(less <= more for less, more in zip(one, shape, strict=True)) for one in kept):
            kept.append(shape)
    return frozenset(kept)
