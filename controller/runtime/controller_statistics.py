"""What a controller tells of itself, for metrics, debugging and tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.runtime.outcome import Outcome
from controller.runtime.workqueue.statistics import QueueStatistics


@dataclass(frozen=True, slots=True)
class ControllerStatistics:
    """Counts since the start, and the queue's figures of this moment.

    `results`: reconciles that ended, by outcome. Of the errors, `terminal` were not retried, `panics` came from bugs
    in the code, `timeouts` were cut off by the reconcile timeout.
    """

    workers: int
    active: int
    results: Mapping[Outcome, int]
    terminal: int
    panics: int
    timeouts: int
    queue: QueueStatistics

    @property
    def successes(self) -> int:
        """Reconciles that ended well and wait for the next event."""
        return self.results[Outcome.SUCCESS]

    @property
    def errors(self) -> int:
        """Reconciles that raised."""
        return self.results[Outcome.ERROR]


@dataclass(slots=True)
class Counts:
    """The same counts while they grow."""

    results: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    terminal: int = 0
    panics: int = 0
    timeouts: int = 0
