"""How the pods of a service can be replaced by those of its next revision, decided before anything is touched.

Ways are tried from the mildest: a new pod beside the old ones (surge), an old pod's partition freed before each new pod
(one by one), all old pods gone before the first new one (recreate). Where none leads to the end the old revision is
to serve on.

Which old pod goes first is not ours to say. It need not be: the new pods are alike and so is what any of them fits in,
so as long as `n` places fit once `n` old pods are gone, some are free after each of them has gone, whichever it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum

from controller.placement.decision import Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot


class Way(StrEnum):
    """How a rollout goes on: a new pod first, an old pod's partition first, or all old pods first."""

    SURGE = "Surge"
    ONE_BY_ONE = "OneByOne"
    RECREATE = "Recreate"


@dataclass(frozen=True, slots=True)
class Update:
    """What is to become of a service's pods.

    `demand` is what each new pod asks for, `claims` the keys of those of ours that old pods hold, and `pods` the
    number of new pods that must find a place: as many as serve now, or fewer where fewer are wanted.
    """

    demand: Demand
    claims: tuple[str, ...]
    pods: int


@dataclass(frozen=True, slots=True)
class Possible:
    """The update can be made: in which way, and where the new pods go. `places` are to be kept for them."""

    way: Way
    places: tuple[Placed, ...]


@dataclass(frozen=True, slots=True)
class Blocked:
    """The update cannot be made: why the next new pod finds no place even with all old pods gone.

    `remedy`: what would help, a sentence; "" where nobody looked, or nothing was found.
    """

    unplaced: Unplaced
    placed: int
    pods: int
    remedy: str = ""

    @property
    def message(self) -> str:
        """The sentence for the service's user."""
        counted = f"{self.placed} of {self.pods} new pods would find a place, " if self.placed else ""
        remedy = f"{self.remedy}. " if self.remedy else ""
        return f"{remedy}{counted}even without the old pods: {self.unplaced.message}"


Verdict = Possible | Blocked


def decide_update(scheduler: ModelScheduler, snapshot: Snapshot, update: Update) -> Verdict:
    """The mildest way that leads to the end, or why there is none. The snapshot is left as it was."""
    found: Possible | Blocked | None = None
    for way, gone in ways_of(update).items():
        found = _walk(scheduler, snapshot, update, way, gone)
        if isinstance(found, Possible):
            return found
    if found is None:
        raise RuntimeError("no way was tried")
    return found


def ways_of(update: Update) -> Mapping[Way, Sequence[int]]:
    """The ways, the mildest first: how many old pods are gone before each of the new ones."""
    lead = max(0, len(update.claims) - update.pods)  # scaled in with the same change: those go anyway
    whole = len(update.claims)
    ways = ((Way.SURGE, lead, 1), (Way.ONE_BY_ONE, lead + 1, 1), (Way.RECREATE, whole, 0))
    return {way: [min(whole, first + each * n) for n in range(update.pods)] for way, first, each in ways}


def _walk(
    scheduler: ModelScheduler, snapshot: Snapshot, update: Update, way: Way, gone: Sequence[int]
) -> Possible | Blocked:
    """Place one new pod after the other, of the old ones as many gone before the `n`-th as `gone` says."""
    places: list[Placed] = []
    with _fading(snapshot, update.claims) as fade:
        for number, count in enumerate(gone):
            fade.to(count)
            demand = update.demand
            decision = scheduler.schedule(snapshot, demand)
            if isinstance(decision, Unplaced):
                return Blocked(decision, number, update.pods)
            key, parts = f"{demand.key}/{number}", decision.partitions
            snapshot.hold(decision.node, parts, key, demand.pod.resources, demand.peer)
            places.append(decision)
    return Possible(way, tuple(places))


class _Fade:
    """Takes old claims off the snapshot, one after the other, until the block ends."""

    def __init__(self, snapshot: Snapshot, claims: Sequence[str], stack: ExitStack) -> None:
        self._snapshot, self._claims, self._stack = snapshot, claims, stack
        self._gone = 0

    def to(self, count: int) -> None:
        """So many of them are gone now."""
        if count > self._gone:
            self._stack.enter_context(self._snapshot.without(self._claims[self._gone : count]))
            self._gone = count


@contextmanager
def _fading(snapshot: Snapshot, claims: Sequence[str]) -> Iterator[_Fade]:
    with ExitStack() as stack:
        stack.enter_context(snapshot.without(()))  # what is held within ends with the block
        yield _Fade(snapshot, claims, stack)
