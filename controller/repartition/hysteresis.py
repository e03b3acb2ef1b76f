"""What keeps changes from flapping: a wish has to last, and to matter, and comes some time after the last change.

Two shapes of wishes. `Sightings` are of things that are there or are not, such as a chance to free a GPU. A `Pull` is
on a number that is to follow another one, such as the memory of a service that wants more. Time is in seconds, from
any beginning that all calls share.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

_PERCENT: Final = 100


@dataclass(frozen=True, slots=True)
class Sightings:
    """Since when each thing has been there at every look."""

    since: Mapping[Hashable, float] = field(default_factory=dict)

    def looked(self, present: Iterable[Hashable], now: float) -> "Sightings":
        """After one more look, at which these were there: one that was not begins anew when it is back."""
        return Sightings({key: self.since.get(key, now) for key in present})

    def lasted(self, key: Hashable, now: float) -> float:
        """For how many seconds it has been there; 0 for what is not."""
        return max(0.0, now - self.since.get(key, now))


@dataclass(frozen=True, slots=True)
class Damping:
    """How slowly a number follows a wish.

    `up_seconds` and `down_seconds`: so long a wish for more, or for less, has to last; 0: none has to. `rest_seconds`:
    so long nothing follows a change; 0: the next may come at once. `margin_percent` of the present number: a wish
    nearer than that is none; 0: any other number is one.
    """

    up_seconds: float
    down_seconds: float
    rest_seconds: float
    margin_percent: int = 0

    def matters(self, present: int, wanted: int) -> bool:
        """Whether the wish is another number, by more than the margin."""
        return abs(wanted - present) * _PERCENT > self.margin_percent * present


@dataclass(frozen=True, slots=True)
class Pull:
    """A wish that lasts: for more (`up`) or for less, since when, and the `level` that it never went below meanwhile.

    Of a wish for less: that it never went above. So a peak within the time is not followed, and neither is a dip.
    """

    up: bool
    since: float
    level: int


def pulled(before: Pull | None, present: int, wanted: int, now: float, damping: Damping) -> Pull | None:
    """The pull on `present` once `wanted` was seen at `now`; None when nothing pulls, and then the time begins anew."""
    if not damping.matters(present, wanted):
        return None
    up = wanted > present
    if before is None or before.up is not up:
        return Pull(up, now, wanted)
    return Pull(up, before.since, min(before.level, wanted) if up else max(before.level, wanted))


def seconds_left(pull: Pull, last_change: float | None, now: float, damping: Damping) -> float:
    """Until the pull is followed, if it lasts; 0: now. `last_change`: when the number changed last, None: never."""
    ripe = pull.since + (damping.up_seconds if pull.up else damping.down_seconds)
    rested = ripe if last_change is None else last_change + damping.rest_seconds
    return max(0.0, max(ripe, rested) - now)
