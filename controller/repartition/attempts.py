"""Changes that were tried for a claim and did not help: when the same one may be tried again.

Another GPU or node may be tried at once, but not one after the other through a whole cluster.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from controller.gpu.mode import Mode

#: Rest after the first failure of a change; it doubles with each.
FIRST_REST: Final = timedelta(minutes=10)
LONGEST_REST: Final = timedelta(hours=6)
#: So many changes are tried for one claim within the hour, whatever they are.
TRIES_AN_HOUR: Final = 3
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a node: the modes, by bdf and sorted, of the GPUs it touches."""

    node: str
    after: tuple[tuple[str, Mode], ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A change that was tried for a claim, and when it ended."""

    change: Change
    ended: datetime


class Attempts:
    """The attempts of one claim, as seen at `now`."""

    def __init__(self, attempts: Iterable[Attempt], now: datetime) -> None:
        self._attempts = tuple(attempts)
        self._now = now

    @property
    def none(self) -> bool:
        """Whether nothing was tried."""
        return not self._attempts

    def of(self, change: Change) -> int:
        """How often this very change was tried."""
        return sum(attempt.change == change for attempt in self._attempts)

    def rests(self, change: Change) -> bool:
        """Whether the change failed so lately that it is not to be tried again yet."""
        ends = [attempt.ended for attempt in self._attempts if attempt.change == change]
        if not ends:
            return False
        rest = min(LONGEST_REST, FIRST_REST * (1 << min(len(ends) - 1, 10)))
        return self._now < max(ends) + rest

    def too_many(self) -> datetime | None:
        """When anything may be tried again for the claim; None when it may be now."""
        lately = sorted(attempt.ended for attempt in self._attempts if attempt.ended > self._now - _HOUR)
        return lately[-TRIES_AN_HOUR] + _HOUR if len(lately) >= TRIES_AN_HOUR else None


NONE_TRIED: Final = Attempts((), datetime.fromtimestamp(0, UTC))
"""Of a claim for which nothing was tried."""
