"""The few operations of scorers' formulas that numbers and arrays do each in their own way.

All others are written alike for both. Numbers are what the operator scores single places by; arrays, of which
simulations have one for each host, come with numpy and live where that is loaded.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from controller.placement.packing.host import Amount


class Arithmetic(Protocol):
    """How a formula is worked out."""

    def table(self, entries: Sequence[float]) -> Any:
        """A table in the form that is quickest to look up in."""
        ...

    def look_up(self, table: Any, place: Amount) -> Amount:
        """The entry at the whole part of `place`, 0 or more; beyond the last one that one."""
        ...

    def at_least(self, least: float, amount: Amount) -> Amount:
        """The amount where it is above `least`, else that."""
        ...


class Numbers:
    """Of single numbers."""

    def table(self, entries: Sequence[float]) -> Sequence[float]:
        """As it is."""
        return entries

    def look_up(self, table: Sequence[float], place: float) -> float:
        """As of every arithmetic."""
        last = len(table) - 1
        return table[int(place)] if place < last else table[last]

    def at_least(self, least: float, amount: float) -> float:
        """As of every arithmetic."""
        return max(least, amount)


NUMBERS: Final = Numbers()
