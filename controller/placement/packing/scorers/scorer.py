"""What every scorer answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from controller.placement.packing.host import Amount, Ask, Host
from controller.placement.packing.scorers.arithmetic import Arithmetic

#: Costs are compared in whole millionths of a GPU, wherever: finer differences are rounding.
STEPS: Final = 1_000


class Scorer(Protocol):
    """A pure rule. Formulas hold for numbers and for arrays: hosts that are scored together are one Host of arrays."""

    @property
    def name(self) -> str:
        """As policies and commands spell it."""
        ...

    def cost(self, before: Host, after: Host, ask: Ask) -> Amount:
        """What it costs to turn the host `before` into the host `after` for that pod. The lower the better."""
        ...

    def prepared(self, arithmetic: Arithmetic) -> "Scorer":
        """The same rule for hosts of arrays, or of whatever that arithmetic is of."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """A host before it is given anything: what is `idle`, how much of it is `lost` in remainders, and lost in all."""

    cpu_milli: Amount
    idle: Amount
    lost: Amount
    loss: Amount
    model: str


@dataclass(frozen=True, slots=True)
class Taking:
    """What a place costs its host: CPU that is left, idle GPU that goes, of it what is beyond what was asked for, and
    by how much more, or less, is lost in remainders.
    """

    cpu_left: Amount
    pieces: Amount
    beyond: Amount
    lost: Amount


@runtime_checkable
class ByPieces(Scorer, Protocol):
    """A scorer that sums over pieces: of many places of a host it is asked at once, and no hosts need be built."""

    @property
    def remainders(self) -> Sequence[int]:
        """By size of a piece, what of it is lost."""
        ...

    def prepared(self, arithmetic: Arithmetic) -> "ByPieces":
        """As of every scorer."""
        ...

    def standing(self, host: Host) -> Standing:
        """What there is on a host; of single numbers."""
        ...

    def taken(self, standing: Standing, taking: Taking) -> Amount:
        """As `cost`, the lower the better."""
        ...
