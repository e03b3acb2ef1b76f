"""No preference: every place costs the same, and the tie rule decides. With random ties, the published Random."""

from dataclasses import dataclass

from controller.placement.packing.host import Amount, Ask, Host
from controller.placement.packing.scorers.arithmetic import Arithmetic


@dataclass(frozen=True, slots=True)
class Indifferent:
    """What a scheduler does that does not score."""

    name: str = "random"

    def cost(self, _before: Host, after: Host, _ask: Ask) -> Amount:
        """Nothing, wherever."""
        return after.cpu_milli * 0

    def prepared(self, _arithmetic: Arithmetic) -> "Indifferent":
        """Itself: there are no tables."""
        return self
