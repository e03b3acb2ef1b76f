"""An engine's partition in virtual time: requests in flight share what it computes. Pure.

Up to `full_speed` requests each go as fast as one alone; beyond, all slow down alike, so that the partition's work a
second stays the same. A request's work is its prompt's, after which its first token comes, then its answer's.
"""

import heapq
from dataclasses import dataclass, field
from typing import Final

from tests.benchmarks.gateway.hour.trace import Arrival

PROMPT_TOKENS_A_SECOND: Final = 8000.0
OUTPUT_SECONDS_A_TOKEN: Final = 0.02


@dataclass(order=True, slots=True)
class Job:
    """A request at work. `due` is the partition's progress at which it reaches the end of what it is at."""

    due: float
    number: int
    arrival: Arrival = field(compare=False)
    first_token: float | None = field(compare=False, default=None)


def work(arrival: Arrival) -> tuple[float, float]:
    """Seconds alone on the partition: of the prompt, and of the answer."""
    return arrival.prompt / PROMPT_TOKENS_A_SECOND, arrival.output * OUTPUT_SECONDS_A_TOKEN


class Partition:
    """What is in flight, and how far each of it is."""

    def __init__(self, full_speed: int) -> None:
        self._full_speed = full_speed
        self._jobs: list[Job] = []
        self._progress = 0.0
        self._at = 0.0
        self._number = 0

    @property
    def in_flight(self) -> int:
        """Requests at work."""
        return len(self._jobs)

    def begin(self, arrival: Arrival, now: float) -> None:
        """Take a request."""
        self._advance(now)
        self._number += 1
        heapq.heappush(self._jobs, Job(self._progress + work(arrival)[0], self._number, arrival))

    def next_event(self) -> float | None:
        """When something will have come to its end, if nothing else begins until then; None when there is nothing."""
        if not self._jobs:
            return None
        return self._at + max(0.0, self._jobs[0].due - self._progress) / self._speed()

    def take(self, now: float) -> tuple[Job, bool]:
        """What has just come to its end, and whether that was all of it (else its first token).

        The caller comes at the time that `next_event` gave.
        """
        self._advance(now)
        job = heapq.heappop(self._jobs)
        if job.first_token is not None:
            return job, True
        job.first_token = now
        job.due += work(job.arrival)[1]
        heapq.heappush(self._jobs, job)
        return job, False

    def _advance(self, now: float) -> None:
        self._progress += (now - self._at) * self._speed()
        self._at = now

    def _speed(self) -> float:
        return min(1.0, self._full_speed / len(self._jobs)) if self._jobs else 1.0
