"""What every scorer answers."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

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


@runtime_checkable
class ByPieces(Scorer, Protocol):
    """A scorer that sums over pieces, so that a table need not build hosts: of many places it is asked at once."""

    @property
    def remainders(self) -> Sequence[int]:
        """By size of a piece, what of it is lost."""
        ...

    def prepared(self, array: Callable[[Sequence[float]], Amount]) -> "ByPieces":
        """As of every scorer."""
        ...

    def loss(self, host: Host) -> Amount:
        """What is lost on a host as it is."""
        ...

    def afterwards(self, cpu_milli: Amount, idle: Amount, lost: Amount, model: str) -> Amount:
        """What is lost on one that was given something: so much is `idle`, and so much of it `lost` in remainders."""
        ...


def positive(amount: Amount) -> Amount:
    """The amount where it is above 0, else 0; for numbers and arrays alike."""
    return (amount + abs(amount)) / 2


def lower(first: Amount, second: Amount) -> Amount:
    """The lower of two whole numbers; for numbers and arrays alike."""
    return (first + second - abs(first - second)) // 2
