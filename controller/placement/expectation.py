"""What claims are expected: those that were seen last. Scorers weigh places by it.

A cluster has no list of what will come, so what came stands for it: every claim counts once, when it is first seen, and
the last SEEN of them are remembered. Scorers change their minds only when the mix has changed, for whatever was ranked
by the mix before has to be ranked again.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import Final

from controller.placement.demand import Demand

#: Claims that are remembered.
SEEN: Final = 2_000
#: Fewer tell too little: until then places are chosen by fit alone.
ENOUGH: Final = 20
#: The mix has changed when so much of it is another.
CHANGED: Final = 0.1

#: CPU in thousandths of a core, bytes of each partition, and how many of them.
Shape = tuple[int, int, int]


class Expectation:
    """Mutable, private to a scheduler."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, Shape] = OrderedDict()
        self._mix: dict[Shape, float] = {}
        self._since = 0

    @property
    def mix(self) -> dict[Shape, float]:
        """What is expected, as shares of all; empty while too few were seen."""
        return self._mix

    def observe(self, demands: Iterable[Demand]) -> bool:
        """Count those not seen before; whether the mix has changed by that."""
        for demand in demands:
            if demand.uid not in self._seen:
                self._since += 1
                need = demand.requirement
                self._seen[demand.uid] = demand.pod.resources.cpu_milli, need.bytes, need.count
        while len(self._seen) > SEEN:
            self._seen.popitem(last=False)
        if len(self._seen) < ENOUGH or self._since < len(self._seen) * CHANGED / 2:
            return False  # fewer cannot have changed the mix by so much, or not by much more
        self._since = 0
        now = {shape: count / len(self._seen) for shape, count in Counter(self._seen.values()).items()}
        other = sum(abs(now.get(shape, 0.0) - self._mix.get(shape, 0.0)) for shape in now.keys() | self._mix.keys()) / 2
        if other < CHANGED:
            return False
        self._mix = now
        return True
