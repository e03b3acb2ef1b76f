"""Best fit: the fullest node that takes the pod, CPU and GPU counted alike."""

from dataclasses import dataclass
from typing import Final

from controller.placement.packing.host import Amount, Ask, Host
from controller.placement.packing.scorers.arithmetic import Arithmetic

#: The largest node of the published trace, by which its rule measures: 128 cores, 8 GPUs.
LARGEST_CPU_MILLI: Final = 128_000
LARGEST_GPU_MILLI: Final = 8_000


def room(cpu_milli: Amount, idle: Amount) -> Amount:
    """How empty a host is with so much CPU and GPU left, 0 to 1 for the largest: half by each."""
    return cpu_milli / LARGEST_CPU_MILLI * 0.5 + idle / LARGEST_GPU_MILLI * 0.5


@dataclass(frozen=True, slots=True)
class BestFit:
    """The published baseline: what is left, in whole hundredths, so that nearly equal nodes tie."""

    name: str = "bestfit"

    def cost(self, _before: Host, after: Host, _ask: Ask) -> Amount:
        """Hundredths of the largest node that are left, negated from the published score."""
        return -((1.0 - room(after.cpu_milli, after.idle)) * 100 // 1)

    def prepared(self, _arithmetic: Arithmetic) -> "BestFit":
        """Itself: there are no tables."""
        return self
