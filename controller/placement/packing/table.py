"""What every kind of pod costs on every host, kept up to date: one placement changes one host, hence one column.

A decision is the lowest entry of one row, so it costs nearly the same among a thousand hosts and among ten thousand.
Columns are worked out for all kinds at once, and remembered by what is left on the host: pods come in few kinds, so
hosts come to be alike. Needs numpy, 25 MB and a tenth of a second to import: only simulations use this module.
"""

from bisect import bisect_right
from collections.abc import Sequence
from random import Random
from typing import Final

import numpy as np

from controller.placement.packing.columns import NEVER, Column, Left, Shapes, column, scoring
from controller.placement.packing.host import Ask, Host, share_left
from controller.placement.packing.scorers.scorer import Scorer

#: Columns that are remembered; one takes some 2 kB. Beyond them the table forgets all and begins anew.
MOST_COLUMNS: Final = 100_000


class ScoreTable:
    """Hosts with a scorer's costs of placing asks on them. Mutable; hosts and asks are known by their numbers."""

    def __init__(self, hosts: Sequence[Host], asks: Sequence[Ask], scorer: Scorer, left: Left = share_left) -> None:
        """`left` tells how pieces are cut."""
        self._asks = asks
        self._shapes = Shapes(asks, left)
        self._scoring = scoring(scorer, self._shapes)
        self._memory = sorted(ask.memory_mib for ask in asks)
        self._by_memory = np.argsort([ask.memory_mib for ask in asks], kind="stable")
        self._unsuited = {
            host.model: np.flatnonzero(
                [ask.count > 0 and bool(ask.models) and host.model not in ask.models for ask in asks]
            )
            for host in hosts
        }
        self._columns: dict[tuple[int, Sequence[int], str], Column] = {}
        self._ranks = np.empty((len(asks), len(hosts)), dtype=np.int32)
        self.reset(hosts)

    @property
    def hosts(self) -> Sequence[Host]:
        """What is left on each."""
        return self._hosts

    def reset(self, hosts: Sequence[Host]) -> None:
        """Begin anew with as many hosts; what is remembered of states stays."""
        self._hosts = list(hosts)
        self._current = [self._column(host) for host in hosts]
        for number in range(len(hosts)):
            self._refresh(number)

    def best(self, ask: int, ties: Random | None = None) -> int | None:
        """The host with the cheapest place for the ask; None when there is none.

        Of equal ones the first, or with `ties` one of them at random.
        """
        row = self._ranks[ask]
        number = int(row.argmin())
        lowest = row[number]
        if lowest == NEVER:
            return None
        if ties is None:
            return number
        equal = np.flatnonzero(row == lowest)
        return int(equal[ties.randrange(len(equal))])

    def rank(self, ask: int, number: int) -> int:
        """What a host's best place for the ask costs, in whole millionths of a GPU; NEVER where it has none."""
        return int(self._ranks[ask, number])

    def place(self, ask: int, number: int, chance: Random | None = None) -> Host:
        """Give the host's best pieces to the ask; what is left. With `chance`, any pieces that fit.

        Raises ValueError when there are no such pieces: `best` is asked first.
        """
        host, wanted = self._hosts[number], self._asks[ask]
        pieces = list(host.pieces)
        if wanted.count:
            shape = self._shapes.of[ask]
            size = self._current[number].size(shape)
            if chance is not None and wanted.count == 1:
                size = chance.choice([piece for piece in pieces if self._shapes.left[piece, shape] >= 0])
            position = pieces.index(size)
            pieces[position : position + wanted.count] = [int(self._shapes.left[size, shape])] * wanted.count
            pieces.sort()
        left = Host(
            host.cpu_milli - wanted.cpu_milli,
            host.memory_mib - wanted.memory_mib,
            tuple(pieces),
            host.model,
            host.divisible,
        )
        self._hosts[number], self._current[number] = left, self._column(left)
        self._refresh(number)
        return left

    def _refresh(self, number: int) -> None:
        host = self._hosts[number]
        ranks = self._current[number].ranks[self._shapes.of]
        fitting = bisect_right(self._memory, host.memory_mib)
        if fitting < len(self._memory):
            ranks[self._by_memory[fitting:]] = NEVER
        unsuited = self._unsuited[host.model]
        if len(unsuited):
            ranks[unsuited] = NEVER
        self._ranks[:, number] = ranks

    def _column(self, host: Host) -> Column:
        state = (host.cpu_milli, host.pieces, host.model)
        found = self._columns.get(state)
        if found is None:
            if len(self._columns) >= MOST_COLUMNS:
                self._columns.clear()
            found = self._columns[state] = column(host, self._shapes, self._scoring)
        return found
