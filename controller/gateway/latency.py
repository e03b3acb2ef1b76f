"""What requests took, by service and class: arrays of counts that an observation costs a fifth of a microsecond in.

OpenTelemetry's instruments cost 11 us a record here, as much as the rest of a request's telemetry, relay aside. So
the data path counts into these, and a collector of the process' one registry reads them when somebody scrapes.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final, Protocol

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Edges of a request's seconds: from an answer out of a cache to the longest generation that is waited for."""

TOKEN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5)
"""Edges of the seconds for one output token."""


class Histogram:
    """Counts of observations by edge: `counts[i]` is of those up to `edges[i]`, the last of those beyond all edges."""

    __slots__ = ("counts", "edges", "sum")

    def __init__(self, edges: Iterable[float]) -> None:
        self.edges = tuple(sorted(set(edges)))
        self.counts = [0] * (len(self.edges) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.edges, seconds)] += 1
        self.sum += seconds

    @property
    def count(self) -> int:
        """All observations."""
        return sum(self.counts)


_BAD: Final = 400

Outcome = tuple[int, str]
"""How a request ended: the status that its client saw (499: the client had gone), and the reason when it was not
served; "" for an engine's answer that was passed on whole."""


class Measured(Protocol):
    """What of a request is measured: times in seconds of the loop's clock, `dispatched` 0 before it was."""

    arrived: float
    dispatched: float
    begun_at: float
    status: int


class LatencyTable:
    """One service's requests in one class. Attributes are read by the collector, and written by the data path alone.

    `latency` is from a request's last byte to the answer's last one, by outcome "success" and "failure"; what the
    gateway refuses is counted in `outcomes` and measured nowhere. `first_byte` and `queue_wait` also begin with the
    request's last byte; `token` is the mean between the tokens of an answer.
    """

    __slots__ = ("failure", "first_byte", "input_tokens", "outcomes", "output_tokens", "queue_wait", "success", "token")

    def __init__(self, thresholds: Iterable[float] = ()) -> None:
        edges = (*SECONDS, *thresholds)
        self.success = Histogram(edges)
        self.failure = Histogram(edges)
        self.first_byte = Histogram(edges)
        self.queue_wait = Histogram((0.001, *edges))
        self.token = Histogram((*TOKEN_SECONDS, *thresholds))
        self.outcomes: dict[Outcome, int] = {}
        self.input_tokens = 0
        self.output_tokens = 0

    def served(self, request: Measured, now: float, prompt_tokens: int, output_tokens: int) -> None:
        """Count an engine's answer that was passed on whole; whether it was a good one, its status says."""
        arrived, begun = request.arrived, request.begun_at
        (self.success if request.status < _BAD else self.failure).observe(now - arrived)
        self.queue_wait.observe(request.dispatched - arrived)
        self.first_byte.observe(begun - arrived)
        self.input_tokens += prompt_tokens
        self.output_tokens += output_tokens
        if output_tokens > 1:
            self.token.observe((now - begun) / (output_tokens - 1))
        self._count((request.status, ""))

    def failed(self, request: Measured, outcome: Outcome, now: float) -> None:
        """Count a request that no whole answer was given to."""
        if request.dispatched:
            self.failure.observe(now - request.arrived)
            self.queue_wait.observe(request.dispatched - request.arrived)
        self._count(outcome)

    def _count(self, outcome: Outcome) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
