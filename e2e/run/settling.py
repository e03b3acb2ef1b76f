"""When a run is over: as expected for five seconds on end. Pure: it is told the time."""

from dataclasses import dataclass

STEADY_SECONDS = 5.0
LIMIT_SECONDS = 180.0


@dataclass(slots=True)
class Settling:
    """Follows whether all is as expected. Times are monotonic seconds; `started` is when examples were applied."""

    started: float
    steady_since: float | None = None

    def look(self, now: float, *, as_expected: bool) -> bool:
        """Whether, with this look, everything has been as expected for long enough."""
        if not as_expected:
            self.steady_since = None
            return False
        if self.steady_since is None:
            self.steady_since = now
        return now - self.steady_since >= STEADY_SECONDS

    def too_late(self, now: float) -> bool:
        """Whether the limit has passed."""
        return now - self.started > LIMIT_SECONDS
