"""How others order requests: first come first served, strict priority, and a fixed part of the seats for each model. Pure.

Each partition serves up to `seats` requests at once; a free one is filled from the longest-waiting end of the queue that
the policy names. Requests that have waited `QUEUE_SECONDS` are turned away, by every policy alike.
"""

import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from tests.benchmarks.gateway.hour.trace import CLASSES, TRAFFIC, Arrival

QUEUE_SECONDS: Final = 60.0
PARTITIONS: Final = 2

Begin = Callable[[Arrival, int], None]
"""Called with a request and the partition's index when it goes to an engine."""


class Policy(Protocol):
    """What decides. It calls `Begin` from within any of these."""

    def arrive(self, arrival: Arrival, now: float) -> None:
        """A request is there."""
        ...

    def first_token(self, arrival: Arrival, partition: int, now: float) -> None:
        """The first of its answer."""
        ...

    def complete(self, arrival: Arrival, partition: int, now: float) -> None:
        """A request is done, and its seat free."""
        ...

    def advance(self, now: float) -> float | None:
        """What time brings; when to come again."""
        ...


class _Seats:
    """Seats of all partitions, taken from the emptiest."""

    def __init__(self, seats: int) -> None:
        self._free = [seats] * PARTITIONS

    def take(self) -> int | None:
        """A partition's index, or None when all are full."""
        best = max(range(PARTITIONS), key=self._free.__getitem__)
        if self._free[best] == 0:
            return None
        self._free[best] -= 1
        return best

    def give(self, partition: int) -> None:
        """One is free again."""
        self._free[partition] += 1


class Ranked:
    """One queue by class and time; with equal ranks it is first come first served."""

    def __init__(self, begin: Begin, seats: int, ranks: Mapping[str, int]) -> None:
        self._begin = begin
        self._seats = _Seats(seats)
        self._ranks = ranks
        self._queue: list[tuple[int, float, int, Arrival]] = []
        self._number = 0

    def arrive(self, arrival: Arrival, now: float) -> None:
        """Queue it, and fill what is free."""
        self._number += 1
        heapq.heappush(self._queue, (self._ranks[arrival.traffic.qos_class], now, self._number, arrival))
        self._fill(now)

    def first_token(self, arrival: Arrival, partition: int, now: float) -> None:
        """Of no account here."""

    def complete(self, arrival: Arrival, partition: int, now: float) -> None:
        """Fill the seat."""
        self._seats.give(partition)
        self._fill(now)

    def advance(self, now: float) -> float | None:
        """Nothing but requests moves it."""
        return None

    def _fill(self, now: float) -> None:
        while self._queue:
            if now - self._queue[0][1] > QUEUE_SECONDS:
                heapq.heappop(self._queue)
                continue
            partition = self._seats.take()
            if partition is None:
                return
            self._begin(heapq.heappop(self._queue)[3], partition)


def first_come(begin: Begin, seats: int) -> Ranked:
    """First come, first served."""
    return Ranked(begin, seats, dict.fromkeys(CLASSES, 0))


def strict_priority(begin: Begin, seats: int) -> Ranked:
    """The best class first, always."""
    return Ranked(begin, seats, {name: rank for rank, name in enumerate(CLASSES)})


class StaticSplit:
    """Each model has seats of its own, by its part of the whole work over the trace: the best that a fixed split knows."""

    def __init__(self, begin: Begin, seats: int, weights: Mapping[str, float]) -> None:
        self._begin = begin
        parts = divided(seats, [weights[traffic.model] for traffic in TRAFFIC])
        self._seats = {traffic.model: _Seats(part) for traffic, part in zip(TRAFFIC, parts, strict=True)}
        self._queues: dict[str, deque[tuple[float, Arrival]]] = {traffic.model: deque() for traffic in TRAFFIC}

    def arrive(self, arrival: Arrival, now: float) -> None:
        """Queue it at its model."""
        self._queues[arrival.traffic.model].append((now, arrival))
        self._fill(arrival.traffic.model, now)

    def first_token(self, arrival: Arrival, partition: int, now: float) -> None:
        """Of no account here."""

    def complete(self, arrival: Arrival, partition: int, now: float) -> None:
        """Fill the model's seat."""
        self._seats[arrival.traffic.model].give(partition)
        self._fill(arrival.traffic.model, now)

    def advance(self, now: float) -> float | None:
        """Nothing but requests moves it."""
        return None

    def _fill(self, model: str, now: float) -> None:
        queue = self._queues[model]
        while queue:
            if now - queue[0][0] > QUEUE_SECONDS:
                queue.popleft()
                continue
            partition = self._seats[model].take()
            if partition is None:
                return
            self._begin(queue.popleft()[1], partition)


def divided(whole: int, weights: Sequence[float]) -> Sequence[int]:
    """`whole` in parts by weight, each at least one, by the largest remainder."""
    spare = whole - len(weights)
    shares = [spare * weight / sum(weights) for weight in weights]
    parts = [1 + int(share) for share in shares]
    by_remainder = sorted(range(len(weights)), key=lambda index: int(shares[index]) - shares[index])
    for index in by_remainder[: whole - sum(parts)]:
        parts[index] += 1
    return parts
