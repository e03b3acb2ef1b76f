"""What every kind of pod costs on one host, worked out at once with numpy.

A row a size of piece that the host has, a column a shape of pod. Scorers that sum over pieces are asked for sums;
others see the hosts as they would be. Some thirty operations on small arrays: what they cost is their number.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from controller.placement.packing.host import WHOLE, Amount, Ask, Host
from controller.placement.packing.scorers.scorer import STEPS, ByPieces, Scorer, Taking

Floats = npt.NDArray[np.float64]
#: What is left of a piece, by what is asked for and its size; below 0 where it does not fit.
Left = Callable[[int, int], int]
Numbers = npt.NDArray[np.int64]
#: Costs as they are compared: whole millionths of a GPU.
Ranks = npt.NDArray[np.int32]
#: The rank of a place that does not fit.
NEVER: Final = np.iinfo(np.int32).max


class Arrays:
    """The arithmetic of arrays."""

    def table(self, entries: Sequence[float]) -> Floats:
        """As an array."""
        return np.asarray(entries, dtype=np.float64)

    def look_up(self, table: Floats, place: Amount) -> Amount:
        """As of every arithmetic; where it is below 0, which counts for nothing, the first entry."""
        return table.take(np.asarray(place).astype(np.int64), mode="clip")

    def at_least(self, least: float, amount: Amount) -> Amount:
        """As of every arithmetic."""
        return np.maximum(amount, least)


@dataclass(frozen=True, slots=True)
class Column:
    """One host: by shape the `ranks` of its best place, NEVER without any; `by_size` those of all its places."""

    ranks: Ranks
    by_size: Ranks
    sizes: Sequence[int]

    def size(self, shape: int) -> int:
        """Of the pieces that the shape's best place takes; of equally good ones the smallest."""
        return self.sizes[int(self.by_size[:, shape].argmin())]


class Shapes:
    """What kinds of pods ask of CPU and GPU, as arrays. Kinds that differ in memory or model alone are one shape."""

    def __init__(self, asks: Sequence[Ask], left: Left) -> None:
        rows = sorted({_shape(ask) for ask in asks})
        place = {row: number for number, row in enumerate(rows)}
        self.of = np.array([place[_shape(ask)] for ask in asks])
        self.cpu, self.count, self.milli = (np.array(column) for column in zip(*rows, strict=True))
        self.cpu_milli = self.cpu.astype(np.float64)
        by_milli = {milli: _left_of(milli, left) for _, _, milli in rows}
        #: By size and shape: what is left of a piece, and how many of them it takes; without end where they do not fit.
        self.left = np.array([by_milli[milli] for _, _, milli in rows]).T.copy()
        self.needed = np.where(self.left >= 0, self.count, NEVER)


def _left_of(milli: int, left: Left) -> list[int]:
    """By size of a piece, what is left of it; below 0 where it does not fit. Nothing is taken for nothing."""
    return [-1 if size < milli else left(milli, size) if milli else size for size in range(WHOLE + 1)]


def _shape(ask: Ask) -> tuple[int, int, int]:
    return ask.cpu_milli, ask.count, ask.milli if ask.count else 0


class Scoring(Protocol):
    """How costs of all shapes are worked out."""

    def costs(self, host: Host, sizes: Numbers, fits: npt.NDArray[np.bool_]) -> Floats:
        """By size of piece and shape; where nothing fits whatever comes handy."""
        ...


def scoring(scorer: Scorer, shapes: Shapes) -> Scoring:
    """The quick way where the scorer allows it."""
    return _BySums(scorer, shapes) if isinstance(scorer, ByPieces) else _ByHosts(scorer, shapes)


def column(host: Host, shapes: Shapes, way: Scoring) -> Column:
    """The best place of every shape on the host."""
    found = Counter(host.pieces) or Counter({0: 1})
    sizes, numbers = np.array(list(found)), np.array(list(found.values()))
    fits = shapes.needed.take(sizes, axis=0) <= numbers[:, None]
    fits &= shapes.cpu <= host.cpu_milli
    by_size = np.where(fits, np.rint(way.costs(host, sizes, fits) * STEPS), NEVER).astype(np.int32)
    return Column(by_size.min(axis=0), by_size, tuple(found))


class _BySums:
    def __init__(self, scorer: ByPieces, shapes: Shapes) -> None:
        self._scorer = scorer
        self._arrays = scorer.prepared(Arrays())
        self._cpu = shapes.cpu_milli
        lost, sizes = np.asarray(scorer.remainders, dtype=np.float64), np.arange(WHOLE + 1)[:, None]
        left = np.where(shapes.left >= 0, shapes.left, sizes)
        pieces = shapes.count * (sizes - left)
        more = shapes.count * (lost[left] - lost[sizes])
        self._takings = np.stack([pieces, pieces - shapes.count * shapes.milli, more]).astype(np.float64)

    def costs(self, host: Host, sizes: Numbers, _fits: npt.NDArray[np.bool_]) -> Floats:
        pieces, beyond, lost = self._takings.take(sizes, axis=1)
        taking = Taking(host.cpu_milli - self._cpu, pieces, beyond, lost)
        found: Floats = self._arrays.taken(self._scorer.standing(host), taking)
        return found


class _ByHosts:
    def __init__(self, scorer: Scorer, shapes: Shapes) -> None:
        self._scorer = scorer.prepared(Arrays())
        self._shapes = shapes

    def costs(self, host: Host, sizes: Numbers, fits: npt.NDArray[np.bool_]) -> Floats:
        shapes = self._shapes
        costs = np.zeros(fits.shape)
        rows, columns = np.nonzero(fits)
        if not len(rows):
            return costs
        pieces = np.array(host.pieces)
        after = np.repeat(pieces[:, None], len(rows), axis=1)
        first, count = np.searchsorted(pieces, sizes)[rows], shapes.count[columns]
        for turn in range(int(count.max())):
            each = np.flatnonzero(count > turn)
            after[first[each] + turn, each] = shapes.left[sizes[rows[each]], columns[each]]
        left = Host(host.cpu_milli - shapes.cpu[columns], 0, tuple(after), host.model, host.divisible)
        alone = Host(np.array([host.cpu_milli]), 0, tuple(pieces[:, None]), host.model, host.divisible)
        costs[rows, columns] = self._scorer.cost(alone, left, Ask(0))
        return costs
