"""What claims are expected: those that were seen last. Scorers weigh places by it.

A cluster has no list of what will come, so what came stands for it: every claim counts once, when it is first seen, and
the last SEEN of them are remembered. Scorers change their minds only when the mix has changed, for whatever was ranked
by the mix before has to be ranked again.

A process that begins is told of the claims there are, and counts them as the one before did, in the order in which they
were made. So it expects the same, unless claims have gone meanwhile: these it cannot know.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from controller.placement.demand import Demand

#: Claims that are remembered.
SEEN: Final = 2_000
#: Fewer tell too little: until then places are chosen by fit alone.
ENOUGH: Final = 20
#: While fewer were seen chance makes much of the mix: it is looked at anew when they are twice as many.
FEW: Final = 320
#: The mix has changed when so much of it is another.
CHANGED: Final = 0.1

Shape: TypeAlias = tuple[int, int, int]
"""CPU in thousandths of a core, bytes of each partition, and how many of them."""


@dataclass(frozen=True, slots=True)
class Known:
    """A claim that is there already. `created_seconds`: since the epoch."""

    uid: str
    created_seconds: float
    shape: Shape


class Expectation:
    """Mutable, private to a scheduler. `known` is asked once, at the first claim that is observed."""

    def __init__(self, known: Callable[[], Iterable[Known]] = tuple) -> None:
        self._known: Callable[[], Iterable[Known]] | None = known
        self._seen: OrderedDict[str, Shape] = OrderedDict()
        self._counts: Counter[Shape] = Counter()
        self._mix: dict[Shape, float] = {}
        self._since = 0

    @property
    def mix(self) -> dict[Shape, float]:
        """What is expected, as shares of all; empty while too few were seen."""
        return self._mix

    def observe(self, demand: Demand) -> bool:
        """Count it if it was not seen before; whether the mix is another than at the last call."""
        before = self._mix
        self._ask()
        need = demand.requirement
        self._count(demand.uid, (demand.pod.resources.cpu_milli, need.bytes, need.count))
        return self._mix is not before

    @property
    def seen(self) -> Mapping[Shape, int]:
        """How often each shape is among those that are remembered, however few these are."""
        self._ask()
        return self._counts

    def _ask(self) -> None:
        if self._known is not None:
            known, self._known = self._known, None
            self.tell(known())

    def tell(self, known: Iterable[Known]) -> None:
        """Count claims that are there, in the order in which they were made."""
        for each in sorted(known, key=lambda one: (one.created_seconds, one.uid)):
            self._count(each.uid, each.shape)

    def _count(self, uid: str, shape: Shape) -> None:
        if uid in self._seen:
            return
        self._seen[uid] = shape
        self._counts[shape] += 1
        self._since += 1
        if len(self._seen) > SEEN:
            self._forget(self._seen.popitem(last=False)[1])
        if self._since >= _due(len(self._seen)):
            self._since = 0
            self._look()

    def _forget(self, shape: Shape) -> None:
        self._counts[shape] -= 1
        if not self._counts[shape]:
            del self._counts[shape]

    def _look(self) -> None:
        now = {shape: count / len(self._seen) for shape, count in Counter(self._seen.values()).items()}
        other = sum(abs(now.get(shape, 0.0) - self._mix.get(shape, 0.0)) for shape in now.keys() | self._mix.keys()) / 2
        if other >= CHANGED:
            self._mix = now


def _due(seen: int) -> float:
    """How many must be new among so many for a look: half of few; later ones cannot change the mix before that."""
    if seen < ENOUGH:
        return ENOUGH
    return seen / 2 if seen <= FEW else seen * CHANGED / 2
