"""What a change of a node costs who is served there: pods that start anew, GPUs that serve nobody meanwhile."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Disturbance:
    """`evictions` pods leave; their starts took `restart_seconds` together, and GPUs are away for `change_seconds`.

    None for what nobody has measured here: no figure is made up.
    """

    evictions: int
    restart_seconds: float | None = 0.0
    change_seconds: float | None = 0.0

    @property
    def known_seconds(self) -> float:
        """What of it is known, for comparing."""
        return (self.restart_seconds or 0.0) + (self.change_seconds or 0.0)


def disturbance(starts: Iterable[float | None], change_seconds: float | None) -> Disturbance:
    """Of pods whose starts took so many seconds each; `change_seconds` 0 where no mode changes."""
    found = list(starts)
    known = [seconds for seconds in found if seconds is not None]
    return Disturbance(len(found), sum(known) if len(known) == len(found) else None, change_seconds)
