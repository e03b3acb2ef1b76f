"""What the watches have shown the operator, and when: kept beside it, as it was stored."""

from collections import defaultdict, deque
from typing import Final, TypeAlias

from tests.builders.cluster import Object
from tests.fakes.clock import FakeClock
from tests.fuzz.scheduling.life import Life

FRESH_SECONDS: Final = 40.0
IN_FLIGHT_SECONDS: Final = 5.0
"""So long a request may be under way: what was seen within it may have been decided on. Longer ones are cut off."""

Place: TypeAlias = tuple[str, str, int]
"""Node, address and number of a partition."""


class Shown:
    """GPUNodes and policies as they stood before the operator's eyes, and when it heard of which agent."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._shown: dict[tuple[str, str], deque[tuple[float, Object | None]]] = defaultdict(deque)
        self._renewed: dict[str, object] = {}
        self._heard_at: dict[str, float] = {}

    def follow(self, life: Life) -> None:
        """A new life, which has listed everything: what a list shows at first may be an hour old."""
        self._shown.clear()
        self._renewed.clear()
        for plural, objects in life.seen.items():
            for key, obj in objects.items():
                self._see(plural, key, obj)
        self._heard_at.clear()
        life.on_seen = self._see

    def _see(self, plural: str, key: str, obj: Object | None) -> None:
        now = self._clock.monotonic()
        if plural == "leases":
            self._lease(key.rpartition("/")[2], obj, now)
        if plural not in ("gpunodes", "gpusharingpolicies"):
            return
        shown = self._shown[plural, key]
        shown.append((now, obj))
        while len(shown) > 1 and shown[1][0] < now - IN_FLIGHT_SECONDS:
            shown.popleft()

    def _lease(self, node: str, obj: Object | None, now: float) -> None:
        if obj is None:
            self._renewed.pop(node, None)
            self._heard_at.pop(node, None)
            return
        renewed = obj["spec"]["renewTime"]
        if self._renewed.get(node) != renewed:
            self._heard_at[node] = now
        self._renewed[node] = renewed

    def recent(self, plural: str, key: str, seconds: float = IN_FLIGHT_SECONDS) -> list[Object]:
        """The object as it stood before the operator's eyes within the last seconds, the latest last."""
        now, found = self._clock.monotonic(), []
        shown = list(self._shown[plural, key])
        for number, (_, obj) in enumerate(shown):
            replaced_at = shown[number + 1][0] if number + 1 < len(shown) else now + 1
            if replaced_at >= now - seconds and obj is not None:
                found.append(obj)
        return found

    def reported(self, place: Place, mode: str, seconds: float) -> bool:
        """Whether the agent's report, as the operator was shown it, had the partition in that mode."""
        node, address, number = place
        return any(
            each["bdf"] == address and each["mode"] == mode and any(one["id"] == number for one in each["partitions"])
            for report in self.recent("gpunodes", node, seconds)
            for each in report["status"]["gpus"]
        )

    def is_fresh(self, node: str, late: float = 0.0) -> bool:
        heard = self._heard_at.get(node)
        return heard is not None and self._clock.monotonic() - heard <= FRESH_SECONDS + late
