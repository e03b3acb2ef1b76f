"""What every scorer answers."""

from collections.abc import Callable, Sequence
from typing import Protocol

from controller.placement.packing.host import Amount, Ask, Host


class Scorer(Protocol):
    """A pure rule. Formulas hold for numbers and for arrays: hosts that are scored together are one Host of arrays."""

    @property
    def name(self) -> str:
        """As policies and commands spell it."""
        ...

    def cost(self, before: Host, after: Host, ask: Ask) -> Amount:
        """What it costs to turn the host `before` into the host `after` for that pod. The lower the better."""
        ...

    def prepared(self, array: Callable[[Sequence[float]], Amount]) -> "Scorer":
        """The same rule for hosts of arrays: `array` makes one of a table, so that arrays can look things up in it."""
        ...


def positive(amount: Amount) -> Amount:
    """The amount where it is above 0, else 0; for numbers and arrays alike."""
    return (amount + abs(amount)) / 2


def lower(first: Amount, second: Amount) -> Amount:
    """The lower of two whole numbers; for numbers and arrays alike."""
    return (first + second - abs(first - second)) // 2
