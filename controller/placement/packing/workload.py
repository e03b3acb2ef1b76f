"""What is expected to come: kinds of pods, each with how often it is seen."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final

from controller.placement.packing.host import Ask

#: Share of all pods that the typical ones make up in the published rule (Weng et al., USENIX ATC'23; its
#: experiments run with popularity 95).
TYPICAL: Final = 0.95


@dataclass(frozen=True, slots=True)
class Kind:
    """Pods that ask alike, and their share of all pods."""

    ask: Ask
    share: float


@dataclass(frozen=True, slots=True)
class Workload:
    """Kinds of pods, the commonest first. Memory is left out: scorers do not read it."""

    kinds: Sequence[Kind]

    @classmethod
    def counted(cls, asks: Iterable[Ask]) -> "Workload":
        """As often as they occur in a list, such as a trace or the pods of the last weeks."""
        return cls.weighted(Counter(asks).items())

    @classmethod
    def weighted(cls, counts: Iterable[tuple[Ask, float]]) -> "Workload":
        """The same of counts, or of weights that fade with age. Raises ValueError when there is nothing."""
        found: Counter[Ask] = Counter()
        for ask, count in counts:
            found[replace(ask, memory_mib=0)] += count  # type: ignore[assignment]  # a Counter also adds floats
        total = sum(found.values())
        if total <= 0:
            raise ValueError("workload: no pods are expected; give at least one")
        return cls(tuple(Kind(ask, found[ask] / total) for ask in sorted(found, key=lambda ask: _rank(ask, found))))

    @property
    def typical(self) -> "Workload":
        """The commonest kinds that make up TYPICAL of the pods, their shares scaled to 1, as published."""
        reached = list(accumulate(kind.share for kind in self.kinds))
        wanted = sum(share < TYPICAL - 1e-9 for share in reached) + 1
        kept = self.kinds[:wanted]
        total = sum(kind.share for kind in kept)
        return Workload(tuple(Kind(kind.ask, kind.share / total) for kind in kept))

    @property
    def on_gpus(self) -> Sequence[Kind]:
        """The kinds that ask for GPU, with their share of the GPU that is asked for."""
        total = sum(kind.share * kind.ask.gpu_milli for kind in self.kinds)
        if not total:
            return ()
        return tuple(
            Kind(kind.ask, kind.share * kind.ask.gpu_milli / total) for kind in self.kinds if kind.ask.gpu_milli
        )


def _rank(ask: Ask, counts: Counter[Ask]) -> tuple[float, int, int, int, tuple[str, ...]]:
    """Commonest first; of equally common ones the larger first, as in the published list."""
    return (-counts[ask], -ask.cpu_milli, -ask.milli, -ask.count, tuple(sorted(ask.models)))
