"""FGD, fragmentation gradient descent: the published rule, for comparison and for those who want it.

Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX
ATC'23; github.com/hkust-adsl/kubernetes-scheduler-simulator, Apache-2.0. Written from its description, not copied.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import e
from typing import Final

from controller.placement.packing.host import Amount, Ask, Host
from controller.placement.packing.scorers.arithmetic import Arithmetic
from controller.placement.packing.workload import Kind, Workload

#: Differences below a millionth are rounding: what changes nothing must score exactly in the middle.
_ROUNDED: Final = 1e6


@dataclass(frozen=True, slots=True)
class Fragmentation:
    """The growth of the GPU that typical pods could not use, through a sigmoid, cut to whole hundredths.

    Typical pods that ask for no GPU count all idle GPU as unusable, as published.
    """

    typical: Mapping[int, Sequence[Kind]]
    name: str = "fgd"

    @classmethod
    def of(cls, workload: Workload) -> "Fragmentation":
        """For a workload; only its typical part is looked at."""
        by_milli: dict[int, list[Kind]] = {}
        for kind in workload.typical.kinds:
            if kind.ask.gpu_milli:
                by_milli.setdefault(kind.ask.milli, []).append(kind)
        return cls(by_milli)

    def cost(self, before: Host, after: Host, _ask: Ask) -> Amount:
        """The published score, negated: a whole number from -99, the best, to 0."""
        growth = (after.idle - self._usable(after)) - (before.idle - self._usable(before))
        rounded = (growth * _ROUNDED + 0.5) // 1 / _ROUNDED
        return -(100.0 / (1.0 + e ** (rounded / 1000)) // 1)

    def _usable(self, host: Host) -> Amount:
        """Of the idle GPU, what the typical pods could use, each by its share: what is on GPUs with room for a piece.

        All or nothing by CPU, by the number of such GPUs and by model.
        """
        usable: Amount = 0.0
        for milli, kinds in self.typical.items():
            roomy = [(piece >= milli) * 1 for piece in host.pieces]
            number = sum(roomy)
            there = sum(piece * fits for piece, fits in zip(host.pieces, roomy, strict=True))
            for kind in kinds:
                if not kind.ask.models or host.model in kind.ask.models:
                    suffices = (number >= kind.ask.count) * (host.cpu_milli >= kind.ask.cpu_milli)
                    usable = usable + there * suffices * kind.share
        return usable

    def prepared(self, _arithmetic: Arithmetic) -> "Fragmentation":
        """Itself: there are no tables."""
        return self
