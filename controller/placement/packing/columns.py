"""What every kind of pod costs on one host, worked out at once with numpy.

A row a shape of pod, a column a size of piece that the host has. Scorers that sum over pieces are asked for sums;
others see the hosts as they would be.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from controller.placement.packing.host import WHOLE, Ask, Host
from controller.placement.packing.scorers.scorer import ByPieces, Scorer

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Column:
    """By shape, on one host: what its best place costs, infinite without any, and the size of the pieces it takes."""

    costs: Floats
    sizes: Numbers


class Shapes:
    """What kinds of pods ask of CPU and GPU, as columns. Kinds that differ in memory or model alone are one shape."""

    def __init__(self, asks: Sequence[Ask]) -> None:
        rows = sorted({_shape(ask) for ask in asks})
        place = {row: number for number, row in enumerate(rows)}
        self.of = np.array([place[_shape(ask)] for ask in asks])
        self.cpu, self.count, self.milli = (np.array(column)[:, None] for column in zip(*rows, strict=True))
        self.wanted = self.count * self.milli
        self.numbers = np.arange(len(rows))
        self.fits = np.arange(WHOLE + 1) >= self.milli


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
        lost = np.asarray(scorer.remainders)
        sizes = np.arange(WHOLE + 1)
        self._parted = shapes.count * (lost[np.maximum(sizes - shapes.milli, 0)] - lost)
        self._gone = shapes.count * -lost

    def costs(self, host: Host, sizes: Numbers, fits: npt.NDArray[np.bool_]) -> Floats:
        shapes, scorer = self._shapes, self._scorer
        changes = self._parted if host.divisible else self._gone
        taken = shapes.wanted if host.divisible else shapes.count * sizes
        taken = np.where(fits, taken, 0)
        lost = sum(scorer.remainders[piece] for piece in host.pieces) + np.where(fits, changes[:, sizes], 0)
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
            taken = shapes.milli[rows[each], 0] if host.divisible else sizes[columns[each]]
            after[first[each] + turn, each] -= taken
        left = Host(host.cpu_milli - shapes.cpu[rows, 0], 0, tuple(after), host.model, host.divisible)
        alone = Host(np.array([host.cpu_milli]), 0, tuple(pieces[:, None]), host.model, host.divisible)
        costs[rows, columns] = self._scorer.cost(alone, left, Ask(0))
        return costs
