"""What the scheduler does, counted and timed where it is done: one table of all outcomes, so that each has its zero."""

from collections import OrderedDict
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from controller.placement.steps import Steps
from controller.runtime.clock import Clock
from controller.runtime.instrument import Instrument
from controller.telemetry.instruments import SCHEDULER_EVICTIONS, SCHEDULER_OPERATION_SECONDS, SCHEDULER_OPERATIONS
from controller.telemetry.recorded import Recorded

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter

OPERATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "admit": ("success", "unsized", "refused"),
    "adopt": ("success",),
    "bind": ("success", "refused", "name_taken"),
    "confirm": ("success", "mismatch"),
    "gang": ("released",),
    "observe": ("success", "mismatch"),
    "place": ("success", "unplaced", "error"),
    "preempt": ("success", "refused", "ended"),
    "rebind": ("success",),
    "reconcile": ("conflict",),
    "release": ("success",),
    "repartition": ("planned", "Succeeded", "RolledBack", "Failed"),
    "replace": ("success",),
}
"""The results of each operation; those of plans are the phases in which they end."""


#: Pods that were evicted and are remembered: more than leave at one time.
MOST_REMEMBERED: Final = 4096


class Eviction(StrEnum):
    """Why a pod was asked to leave by the Eviction API."""

    PREEMPTION = "Preemption"
    REPARTITION = "Repartition"
    UNHEALTHY = "Unhealthy"
    ROLLOUT = "Rollout"


class Timed(StrEnum):
    """What takes long."""

    CYCLE = "cycle"
    LAYOUTS = "layouts"
    EXPLAIN = "explain"


class Instruments(Protocol):
    """Makes instruments; `controller.telemetry.metrics.Metrics` does."""

    def counter(self, instrument: Instrument) -> "Counter":
        """Of events."""
        ...


T = TypeVar("T")


class SchedulerCounts:
    """Counts and times. Made without instruments, nobody is told what is counted."""

    def __init__(self, instruments: Instruments | None = None) -> None:
        self._operations = _counted(instruments, SCHEDULER_OPERATIONS)
        self._evictions = _counted(instruments, SCHEDULER_EVICTIONS)
        self._left: OrderedDict[str, None] = OrderedDict()
        self.seconds = Recorded(SCHEDULER_OPERATION_SECONDS, [(each.value,) for each in Timed])

    def declare(self) -> None:
        """Tell a zero for everything that may be counted, so that a rate sees the first event of a kind."""
        for operation, results in OPERATIONS.items():
            for result in results:
                self._operations.add(0, {"operation": operation, "result": result})
        for reason in Eviction:
            self._evictions.add(0, {"reason": reason.value})

    def operation(self, operation: str, result: str) -> None:
        """One operation came to that end, a pair of OPERATIONS."""
        self._operations.add(1, {"operation": operation, "result": result})

    def evicted(self, reason: Eviction, uid: str) -> None:
        """The API server took the eviction of the pod of that uid; one that is asked again counts once."""
        if uid in self._left:
            return
        self._left[uid] = None
        if len(self._left) > MOST_REMEMBERED:
            self._left.popitem(last=False)
        self._evictions.add(1, {"reason": reason.value})

    def took(self, what: Timed, seconds: float) -> None:
        """One of those took so many seconds, with the pauses in which others had their turn."""
        self.seconds.record(seconds, what.value)

    def timed(self, what: Timed, work: Steps[T], clock: Clock) -> Steps[T]:
        """The work, timed from its first step to its end; what is broken off is not counted."""
        begun = clock.monotonic()
        found = yield from work
        self.took(what, clock.monotonic() - begun)
        return found


class _Uncounted:
    """The counter of who tells nobody, as a command does, which does not load OpenTelemetry for that."""

    def add(self, amount: int, attributes: Mapping[str, str]) -> None:
        pass


def _counted(instruments: Instruments | None, instrument: Instrument) -> "Counter | _Uncounted":
    return _Uncounted() if instruments is None else instruments.counter(instrument)
