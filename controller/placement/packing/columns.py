"""What every kind of pod costs on one host, worked out at once with numpy.

A row a shape of pod, a column a size of piece that the host has. Scorers that sum over pieces are asked for sums;
others see the hosts as they would be.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from controller.placement.packing.host import WHOLE, Ask, Host
from controller.placement.packing.scorers.scorer import ByPieces, Scorer

Floats = npt.NDArray[np.float64]
#: What is left of a piece, by what is asked for and its size; below 0 where it does not fit.
Left = Callable[[int, int], int]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Column:
    """By shape, on one host: what its best place costs, infinite without any, and the size of the pieces it takes."""

    costs: Floats
    sizes: Numbers


class Shapes:
    """What kinds of pods ask of CPU and GPU, as columns. Kinds that differ in memory or model alone are one shape."""

    def __init__(self, asks: Sequence[Ask], left: Left) -> None:
        rows = sorted({_shape(ask) for ask in asks})
        place = {row: number for number, row in enumerate(rows)}
        self.of = np.array([place[_shape(ask)] for ask in asks])
        self.cpu, self.count, self.milli = (np.array(column)[:, None] for column in zip(*rows, strict=True))
        self.wanted = self.count * self.milli
        self.numbers = np.arange(len(rows))
        by_milli = {milli: _left_of(milli, left) for _, _, milli in rows}
        self.left = np.array([by_milli[milli] for _, _, milli in rows])
        self.fits = self.left >= 0


def _left_of(milli: int, left: Left) -> list[int]:
    """By size of a piece, what is left of it; below 0 where it does not fit. Nothing is taken for nothing."""
    return [-1 if size < milli else left(milli, size) if milli else size for size in range(WHOLE + 1)]


def _shape(ask: Ask) -> tuple[int, int, int]:
    return ask.cpu_milli, ask.count, ask.milli if ask.count else 0


class Scoring(Protocol):
    """How costs of all shapes are worked out."""

    def costs(self, host: Host, sizes: Numbers, fits: npt.NDArray[np.bool_]) -> Floats:
        """By shape and size of piece; where nothing fits whatever comes handy."""
        ...


def scoring(scorer: Scorer, shapes: Shapes) -> Scoring:
    """The quick way where the scorer allows it."""
    return _BySums(scorer, shapes) if isinstance(scorer, ByPieces) else _ByHosts(scorer, shapes)


def column(host: Host, shapes: Shapes, way: Scoring) -> Column:
    """The best place of every shape on the host."""
    found = Counter(host.pieces) or Counter({0: 1})
    sizes, numbers = np.array(list(found)), np.array(list(found.values()))
    fits = shapes.fits[:, sizes] & (numbers >= shapes.count) & (shapes.cpu <= host.cpu_milli)
    costs = np.where(fits, way.costs(host, sizes, fits), np.inf)
    best = costs.argmin(axis=1)
    return Column(costs[shapes.numbers, best], sizes[best])


class _BySums:
    def __init__(self, scorer: ByPieces, shapes: Shapes) -> None:
        self._scorer = scorer
        self._shapes = shapes
        self._arrays = scorer.prepared(np.asarray)
        lost, sizes = np.asarray(scorer.remainders), np.arange(WHOLE + 1)
        left = np.where(shapes.fits, shapes.left, sizes)
        self._changes = shapes.count * (lost[left] - lost)
        self._taken = shapes.count * (sizes - left)

    def costs(self, host: Host, sizes: Numbers, fits: npt.NDArray[np.bool_]) -> Floats:
        shapes, scorer = self._shapes, self._scorer
        taken = np.where(fits, self._taken[:, sizes], 0)
        lost = sum(scorer.remainders[piece] for piece in host.pieces) + np.where(fits, self._changes[:, sizes], 0)
        after = self._arrays.afterwards(np.maximum(host.cpu_milli - shapes.cpu, 0), host.idle - taken, lost, host.model)
        found: Floats = taken - shapes.wanted + after - scorer.loss(host)
        return found


class _ByHosts:
    def __init__(self, scorer: Scorer, shapes: Shapes) -> None:
        self._scorer = scorer
        self._shapes = shapes

    def costs(self, host: Host, sizes: Numbers, fits: npt.NDArray[np.bool_]) -> Floats:
        shapes = self._shapes
        costs = np.zeros(fits.shape)
        rows, columns = np.nonzero(fits)
        if not len(rows):
            return costs
        pieces = np.array(host.pieces)
        after = np.repeat(pieces[:, None], len(rows), axis=1)
        first, count = np.searchsorted(pieces, sizes)[columns], shapes.count[rows, 0]
        for turn in range(int(count.max())):
            each = np.flatnonzero(count > turn)
            after[first[each] + turn, each] = shapes.left[rows[each], sizes[columns[each]]]
        left = Host(host.cpu_milli - shapes.cpu[rows, 0], 0, tuple(after), host.model, host.divisible)
        alone = Host(np.array([host.cpu_milli]), 0, tuple(pieces[:, None]), host.model, host.divisible)
        costs[rows, columns] = self._scorer.cost(alone, left, Ask(0))
        return costs
