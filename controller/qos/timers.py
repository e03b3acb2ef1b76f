"""What is due when: models whose longest waiting request runs into the queue's timeout, and requests with a deadline.

Both are heaps whose entries may be out of date: a model's counts when it is the one that the model names, a request's
while the request waits under the ticket it had then.
"""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final

from controller.qos.place import NEVER, Model
from controller.qos.request import QUEUED, Request

# Deadlines of requests that wait no more are cleared when they are more than half, and more than so many.
_FEW: Final = 64


class Timers:
    """Times in seconds, by the clock of everybody's `now`."""

    __slots__ = ("_clear_at", "_deadlines", "_models", "_numbers")

    def __init__(self) -> None:
        self._models: list[tuple[float, int, Model]] = []
        self._deadlines: list[tuple[float, int, int, Request]] = []
        self._clear_at = _FEW
        self._numbers = count()

    def look_at(self, model: Model, at: float) -> None:
        """Look at the model's queues then; an earlier or later time that was set before does not count any more."""
        if at != model.timed_at:
            model.timed_at = at
            heappush(self._models, (at, next(self._numbers), model))

    def watch(self, request: Request, deadline: float, ticket: int) -> None:
        """Look at the request at its deadline, if it waits under this ticket then."""
        # cleared before it is in there: its ticket becomes this one only after this call
        if len(self._deadlines) > self._clear_at:
            self._deadlines = [one for one in self._deadlines if one[3].state == QUEUED and one[3].ticket == one[2]]
            heapify(self._deadlines)
            self._clear_at = 2 * len(self._deadlines) + _FEW
        heappush(self._deadlines, (deadline, next(self._numbers), ticket, request))

    def next(self) -> float | None:
        """When something may be due first; None: nothing will be."""
        return min((heap[0][0] for heap in (self._deadlines, self._models) if heap), default=None)

    def overdue(self, now: float) -> Iterator[Request]:
        """Requests that still wait at their deadline, each once."""
        while self._deadlines and self._deadlines[0][0] <= now:
            _, _, ticket, request = heappop(self._deadlines)
            if request.state == QUEUED and request.ticket == ticket:
                yield request

    def due(self, now: float) -> Iterator[Model]:
        """Models to be looked at; of each the time has to be set anew."""
        while self._models and self._models[0][0] <= now:
            at, _, model = heappop(self._models)
            if model.timed_at == at:
                model.timed_at = NEVER
                yield model
