"""Evictions that were refused a moment ago. In memory only: to lose it costs one more refusal."""

from random import Random

#: How long a pod is spared after a disruption budget refused its eviction, seconds, and half of that more at random.
SPARED_SECONDS = 30.0


class Refusals:
    """Uids of pods, each until a moment of the monotonic clock."""

    def __init__(self, rng: Random | None = None) -> None:
        self._until: dict[str, float] = {}
        self._rng = rng or Random()  # noqa: S311 - spreads retries, guards nothing

    def add(self, uid: str, now: float) -> None:
        """Spare a pod from now on for a while."""
        self._until[uid] = now + SPARED_SECONDS * (1 + self._rng.random() / 2)

    def current(self, now: float) -> frozenset[str]:
        """Those that are spared now; the others are forgotten."""
        self._until = {uid: until for uid, until in self._until.items() if until > now}
        return frozenset(self._until)
