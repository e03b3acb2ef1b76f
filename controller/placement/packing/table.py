"""What every kind of pod costs on every host, kept up to date: one placement changes one host, hence one column.

A decision is the lowest entry of one row, so it costs nearly the same among a thousand hosts and among ten thousand.
Columns are worked out for all kinds at once, and remembered by what is left on the host: pods come in few kinds, so
hosts come to be alike. Needs numpy, 25 MB and a tenth of a second to import: only simulations use this module.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from controller.placement.packing.host import Ask, Host
from controller.placement.packing.scorers.scorer import Scorer

#: Columns that are remembered; one takes some 2 kB. Beyond them the table forgets all and begins anew.
MOST_COLUMNS: Final = 100_000

_State = tuple[int, tuple[int, ...], str]


@dataclass(frozen=True, slots=True)
class _Column:
    """By shape, on one host: what its best place costs, infinite without any, and the size of the piece it takes."""

    costs: npt.NDArray[np.float64]
    sizes: npt.NDArray[np.int64]


class _Shapes:
    """What kinds of pods ask of CPU and GPU, as arrays. Kinds that differ in memory or model alone are one shape."""

    def __init__(self, asks: Sequence[Ask]) -> None:
        rows = sorted({(ask.cpu_milli, ask.count, ask.milli if ask.count else 0) for ask in asks})
        place = {row: number for number, row in enumerate(rows)}
        self.of = np.array([place[ask.cpu_milli, ask.count, ask.milli if ask.count else 0] for ask in asks])
        self.asks = [Ask(cpu, 0, count, milli) for cpu, count, milli in rows]
        self.cpu = np.array([row[0] for row in rows])
        self.count = np.array([row[1] for row in rows])
        self.milli = np.array([row[2] for row in rows])
        self.one_piece = self.count == 1
        self.no_piece = self.count == 0
        self.several = np.flatnonzero(self.count > 1)


class ScoreTable:
    """Hosts with a scorer's costs of placing asks on them. Mutable; hosts and asks are known by their numbers."""

    def __init__(self, hosts: Sequence[Host], asks: Sequence[Ask], scorer: Scorer) -> None:
        self._scorer = scorer
        self._asks = asks
        self._shapes = _Shapes(asks)
        self._memory = np.array([ask.memory_mib for ask in asks])
        self._models = {
            host.model: np.array([bool(ask.count and ask.models) and host.model not in ask.models for ask in asks])
            for host in hosts
        }
        self._arrays = scorer.prepared(np.asarray)
        self._columns: dict[_State, _Column] = {}
        self._hosts = list(hosts)
        self._costs = np.empty((len(asks), len(hosts)))
        for number in range(len(hosts)):
            self._refresh(number)

    @property
    def hosts(self) -> Sequence[Host]:
        """What is left on each."""
        return self._hosts

    def reset(self, hosts: Sequence[Host]) -> None:
        """Begin anew with as many hosts; what is remembered of states stays."""
        self._hosts = list(hosts)
        for number in range(len(hosts)):
            self._refresh(number)

    def best(self, ask: int, ties: Random | None = None) -> int | None:
        """The host with the cheapest place for the ask; None when there is none.

        Of equal ones the first, or with `ties` one of them at random.
        """
        row = self._costs[ask]
        number = int(row.argmin())
        lowest = row[number]
        if lowest == np.inf:
            return None
        if ties is None:
            return number
        equal = np.flatnonzero(row == lowest)
        return int(equal[ties.randrange(len(equal))])

    def place(self, ask: int, number: int, chance: Random | None = None) -> Host:
        """Give the host's best pieces to the ask; what is left. With `chance`, any pieces that fit.

        Raises ValueError when there are no such pieces: `best` is asked first.
        """
        host, wanted = self._hosts[number], self._asks[ask]
        size = int(self._column(host).sizes[self._shapes.of[ask]])
        if chance is not None and wanted.count == 1:
            size = chance.choice([piece for piece in host.pieces if piece >= wanted.milli])
        pieces = list(host.pieces)
        position = pieces.index(size) if wanted.count else 0
        for taken in range(position, position + wanted.count):
            pieces[taken] = pieces[taken] - wanted.milli if host.divisible else 0
        left = Host(
            host.cpu_milli - wanted.cpu_milli,
            host.memory_mib - wanted.memory_mib,
            tuple(sorted(pieces)),
            host.model,
            host.divisible,
        )
        self._hosts[number] = left
        self._refresh(number)
        return left

    def _refresh(self, number: int) -> None:
        host = self._hosts[number]
        costs = self._column(host).costs[self._shapes.of]
        costs[self._memory > host.memory_mib] = np.inf
        costs[self._models[host.model]] = np.inf
        self._costs[:, number] = costs

    def _column(self, host: Host) -> _Column:
        state = (host.cpu_milli, tuple(host.pieces), host.model)
        column = self._columns.get(state)
        if column is None:
            if len(self._columns) >= MOST_COLUMNS:
                self._columns.clear()
            column = self._columns[state] = self._worked_out(host)
        return column

    def _worked_out(self, host: Host) -> _Column:
        """Score all shapes on the host at once: a row a shape, a column a size of piece, the last for no piece at all.

        Pods of several pieces take the smallest that fit; as these are of equal size, whole GPUs, there is one way.
        """
        shapes = self._shapes
        sizes = np.array(sorted(set(host.pieces)) or [0])
        fits = shapes.one_piece[:, None] & (sizes[None, :] >= shapes.milli[:, None])
        fits[:, 0] |= shapes.no_piece
        for shape in shapes.several:
            fitting = [piece for piece in host.pieces if piece >= shapes.milli[shape]]
            if len(fitting) >= shapes.count[shape]:
                fits[shape, list(sizes).index(fitting[0])] = True
        fits &= (shapes.cpu <= host.cpu_milli)[:, None]
        rows, columns = np.nonzero(fits)
        costs = np.full(fits.shape, np.inf)
        if len(rows):
            costs[rows, columns] = self._scored(host, rows, sizes[columns])
        best = costs.argmin(axis=1)
        return _Column(costs[np.arange(len(best)), best], sizes[best])

    def _scored(self, host: Host, rows: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> Any:
        shapes = self._shapes
        pieces = np.array(host.pieces)
        after = np.repeat(pieces[:, None], len(rows), axis=1)
        first = np.searchsorted(pieces, sizes)
        for turn in range(max(1, int(shapes.count[rows].max()))):
            each = np.flatnonzero(shapes.count[rows] > turn)
            taken = shapes.milli[rows[each]] if host.divisible else after[first[each] + turn, each]
            after[first[each] + turn, each] -= taken
        left = Host(host.cpu_milli - shapes.cpu[rows], 0, tuple(after), host.model, host.divisible)
        alone = Host(np.array([host.cpu_milli]), 0, tuple(pieces[:, None]), host.model, host.divisible)
        return self._arrays.cost(alone, left, Ask(0))
