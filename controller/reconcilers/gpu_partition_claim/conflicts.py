"""How soon a claim is looked at again that moved on under its step: at once three times, then ever later."""

from random import Random
from typing import Final

from controller.reconcilers.gpu_partition_claim.binding import SOON_SECONDS

#: So often a claim is decided anew on a fresh snapshot right away.
AT_ONCE: Final = 3
#: A claim that somebody keeps writing to is looked at as often as that, seconds.
LONGEST_SECONDS: Final = 10.0


class Conflicts:
    """Conflicts in a row, by claim."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._in_a_row: dict[str, int] = {}

    def again_after(self, key: str) -> float:
        """One more conflict: seconds until the next look, from the fourth in a row on twice as long, with jitter."""
        count = self._in_a_row[key] = self._in_a_row.get(key, 0) + 1
        if count <= AT_ONCE:
            return SOON_SECONDS
        longest = min(LONGEST_SECONDS, SOON_SECONDS * 2.0 ** (count - AT_ONCE))
        return self._rng.uniform(longest / 2, longest)

    def over(self, key: str) -> None:
        """A step of the claim went through."""
        self._in_a_row.pop(key, None)
