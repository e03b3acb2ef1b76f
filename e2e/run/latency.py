"""How long pods are held: from the watch's ADDED until our gate is gone, both as this process receives them. Pure."""

from collections.abc import Sequence
from math import ceil

from e2e.run.world import Object, claim_key, gated


class GateTimes:
    """Fed with every pod event. Pods that were there at the first list are left out: their start is not known."""

    def __init__(self) -> None:
        self._added: dict[str, float] = {}
        self.milliseconds: list[float] = []

    def take(self, old: Object | None, new: Object | None, now: float, *, initial: bool) -> None:
        """One event, received at `now` (seconds)."""
        if new is None:
            self._added.pop((old or {"metadata": {"uid": ""}})["metadata"]["uid"], None)
            return
        uid = new["metadata"]["uid"]
        if old is None and not initial and claim_key(new) is not None:
            self._added[uid] = now
        if uid in self._added and not gated(new):
            self.milliseconds.append((now - self._added.pop(uid)) * 1000)


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest value that so many percent do not exceed (nearest rank); None without values."""
    if not values:
        return None
    rank = max(1, ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]
