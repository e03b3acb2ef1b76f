"""The hour played: arrivals, a policy and the partitions, from event to event in virtual time. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from tests.benchmarks.gateway.hour.partition import Partition
from tests.benchmarks.gateway.hour.policies import PARTITIONS, Begin, Policy
from tests.benchmarks.gateway.hour.trace import Arrival

FULL_SPEED = 24
"""Requests that a partition serves at once without any of them slowing down."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: seconds until its first token, None when it was turned away or the hour ended first."""

    arrival: Arrival
    first_token_seconds: float | None

    @property
    def in_time(self) -> bool:
        """Whether its model's objective counts it as good."""
        return self.first_token_seconds is not None and self.first_token_seconds <= self.arrival.traffic.answer_within


class Play:
    """One policy over one trace."""

    def __init__(self, policy: Callable[[Begin], Policy]) -> None:
        self._partitions = [Partition(FULL_SPEED) for _ in range(PARTITIONS)]
        self._now = 0.0
        self._first: dict[int, float] = {}
        self._policy = policy(self._begin)

    def run(self, arrivals: Sequence[Arrival]) -> Sequence[Outcome]:
        """Play until all that could be answered is; one outcome a request, in their order."""
        index, again = 0, self._policy.advance(0.0)
        while True:
            arriving = arrivals[index].at if index < len(arrivals) else inf
            when, engine = min((self._next(number), number) for number in range(PARTITIONS))
            self._now = min(arriving, when, inf if again is None else again)
            if self._now == inf or (index == len(arrivals) and when == inf and not self._waits_for(again)):
                break
            if self._now == arriving:
                self._policy.arrive(arrivals[index], self._now)
                index += 1
            elif self._now == when:
                self._engine_event(engine)
            again = self._policy.advance(self._now)
        return [Outcome(arrival, self._first.get(id(arrival))) for arrival in arrivals]

    def _waits_for(self, again: float | None) -> bool:
        # nothing is in flight and nobody comes: what still waits can only be turned away
        return again is not None and again - self._now < 1.0

    def _next(self, number: int) -> float:
        found = self._partitions[number].next_event()
        return inf if found is None else found

    def _engine_event(self, number: int) -> None:
        job, whole = self._partitions[number].take(self._now)
        if whole:
            self._policy.complete(job.arrival, number, self._now)
        else:
            self._first[id(job.arrival)] = self._now - job.arrival.at
            self._policy.first_token(job.arrival, number, self._now)

    def _begin(self, arrival: Arrival, partition: int) -> None:
        self._partitions[partition].begin(arrival, self._now)
