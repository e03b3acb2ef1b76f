"""How many seats of a partition are used: fewer when first tokens come later than usual, or engines refuse.

The shape is that of Netflix's Gradient2 limit (github.com/Netflix/concurrency-limits): the limit is multiplied by how
much longer than usual the first token takes now, and grows by the square root of itself while it takes no longer. What
is usual is learnt for prompts of similar size, so that a long prompt is not taken for a slow engine, and the time is
counted from the dispatch, so that waiting here is not either. Refusals and timeouts lower it at once (AIMD).
"""

from math import sqrt
from typing import Final

from controller.qos.settings import LimitSettings

# A step is decided on so many samples at least: fewer say more about the prompts than about the engine.
_FEWEST_SAMPLES: Final = 10
# The usual time follows the last 600 or so, like Gradient2's long window.
_LONG_WINDOW: Final = 600
# However slow it got, one step leaves half, as Gradient2's does.
_STEEPEST: Final = 0.5
# What takes longer than this times the usual counts a twentieth: else an overload that lasts would become the usual.
_UNUSUAL: Final = 1.5
_UNUSUAL_COUNTS: Final = 0.05
# A usual time that is twice what is seen now was learnt in worse times: it comes down by a twentieth with each sample.
_OUTDATED: Final = 2.0
_OUTDATED_KEEPS: Final = 0.95
# Prompts are grouped by the length of their number of tokens in bits; 2**31 tokens and more are one group.
_GROUPS: Final = 32


class UsualTimes:
    """What the first token of prompts of each size usually takes at one pod."""

    __slots__ = ("_counts", "_means")

    def __init__(self) -> None:
        self._means = [0.0] * _GROUPS
        self._counts = [0] * _GROUPS

    def compared(self, prompt_tokens: int, seconds: float) -> float:
        """How many times the usual this was; 1 for the first of its size. It is learnt from as well."""
        group = prompt_tokens.bit_length()
        if group >= _GROUPS:
            group = _GROUPS - 1
        mean, seen = self._means[group], self._counts[group]
        if not mean > 0:
            self._means[group], self._counts[group] = seconds, 1
            return 1.0
        if seen < _LONG_WINDOW:
            self._counts[group] = seen = seen + 1
        step = (seconds - mean) / seen
        usual = mean + (step if seconds <= mean * _UNUSUAL else step * _UNUSUAL_COUNTS)
        if usual > seconds * _OUTDATED:
            usual *= _OUTDATED_KEEPS
        self._means[group] = usual
        return seconds / mean

    def of(self, prompt_tokens: int) -> float:
        """The usual seconds for a prompt of this size; 0 when none was seen."""
        return self._means[min(prompt_tokens.bit_length(), _GROUPS - 1)]


class ConcurrencyLimit:
    """The limit of one partition. It starts at all `seats`, and is never above them nor below 1.

    The time to the first token does not bring it below `guaranteed`, the seats that models have for certain; an
    engine's refusal does, down to what the other engines of the partition are left.
    """

    __slots__ = ("_exact", "_lowered", "_samples", "_sum", "guaranteed", "seats", "settings")

    def __init__(self, settings: LimitSettings, seats: int, guaranteed: int) -> None:
        self.settings, self.seats, self.guaranteed = settings, seats, guaranteed
        self._exact = float(seats)
        self._sum, self._samples = 0.0, 0
        self._lowered = float("-inf")

    @property
    def value(self) -> int:
        """Requests that may be in flight now."""
        return min(self.seats, max(1, int(self._exact))) if self.seats else 0

    def resize(self, settings: LimitSettings, seats: int, guaranteed: int) -> None:
        """Other bounds: the limit keeps its part of the seats."""
        part = self._exact / self.seats if self.seats else 1.0
        self.settings, self.seats, self.guaranteed = settings, seats, guaranteed
        self._exact = seats * part if settings.adaptive else float(seats)

    def sampled(self, ratio: float, in_flight: int) -> bool:
        """A first token took `ratio` times the usual, with so many in flight. Whether the value may have changed."""
        if not self.settings.adaptive:
            return False
        self._sum += ratio
        self._samples += 1
        if self._samples < _FEWEST_SAMPLES or self._samples < in_flight:
            return False
        mean = self._sum / self._samples
        self._sum, self._samples = 0.0, 0
        if in_flight < self._exact / 2:
            return False  # so little load says nothing about the limit
        tolerance = self.settings.tolerance
        gradient = max(_STEEPEST, tolerance / mean) if mean > tolerance else 1.0
        target = self._exact * gradient + sqrt(self._exact)
        smoothing = self.settings.smoothing
        stepped = self._exact * (1 - smoothing) + target * smoothing
        lowest = max(1.0, min(float(self.guaranteed), self._exact))
        self._exact = min(float(self.seats), max(lowest, stepped))
        return True

    def overloaded(self, dispatched: float, now: float, floor: int) -> bool:
        """An engine refused, or did not answer, a request that was dispatched then. Whether the value may have changed.

        It is not brought below `floor`, for one engine's refusals say nothing about others.

        Those that were dispatched before it was lowered last are of the same overload, and lower it no further.
        """
        if not self.settings.adaptive or dispatched < self._lowered:
            return False
        self._lowered = now
        lowest = max(1.0, min(float(floor), self._exact))
        self._exact = max(lowest, self._exact * self.settings.overload_factor)
        self._sum, self._samples = 0.0, 0
        return True
