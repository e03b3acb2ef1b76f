"""What requests took, by service and class: arrays of counts that an observation costs a fifth of a microsecond in.

OpenTelemetry's instruments cost 11 us a record here, as much as the rest of a request's telemetry, relay aside. So
the data path counts into these, and a collector of the process' one registry reads them when somebody scrapes.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final, Protocol

from controller.qos.refusal import RATE_LIMITED, UNKNOWN_CLASS, UNKNOWN_MODEL
from controller.qos.service_counts import ServiceCounts

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


BAD: Final = 400
"""Statuses from here on are failures."""
_TOO_MANY: Final = 429
_ENGINE_ERROR: Final = 500
_OF_THE_CALLER: Final = frozenset((RATE_LIMITED, UNKNOWN_CLASS, UNKNOWN_MODEL))
"""Refusals that say nothing about how the service is doing."""

Outcome = tuple[int, str]
"""How a request ended: the status that its client saw (499: the client had gone), and the reason when it was not
served; "" for an engine's answer that was passed on whole."""


class Measured(Protocol):
    """What of a request is measured: times in seconds, `dispatched` and `begun_at` 0 before it was."""

    arrived: float
    dispatched: float
    begun_at: float
    status: int
    streamed: bool

    @property
    def headers(self) -> bytes:
        """Its header lines as its engine gets them, each with its end."""
        ...


class LatencyTable:
    """One service's requests in one class. Attributes are read by the collector, and written by the data path alone.

    `success` and `failure` are from a request's last byte to the answer's last one; what was refused is counted in
    `outcomes` and measured nowhere. `first_byte` and `queue_wait` begin with the request's last byte too; `token` is
    the mean between the tokens of a stream, as the first byte is a stream's alone. `thresholds` are edges as well, and
    `counts` are the service's against its objectives.
    """

    __slots__ = (
        "counts",
        "failure",
        "first_byte",
        "input_tokens",
        "outcomes",
        "output_tokens",
        "queue_wait",
        "success",
        "thresholds",
        "token",
    )

    def __init__(self, thresholds: tuple[float, ...] = (), counts: ServiceCounts | None = None) -> None:
        edges = (*SECONDS, *thresholds)
        self.thresholds = thresholds
        self.counts = counts
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
        arrived, begun, status = request.arrived, request.begun_at, request.status
        latency, wait, first = now - arrived, request.dispatched - arrived, begun - arrived
        self.queue_wait.observe(wait)
        self._count((status, ""))
        if status >= BAD:
            self.failure.observe(latency)
            if self.counts is not None and (status >= _ENGINE_ERROR or status == _TOO_MANY):
                self.counts.failed(first, wait)
            return
        self.success.observe(latency)
        self.input_tokens += prompt_tokens
        self.output_tokens += output_tokens
        token = None
        if request.streamed:
            self.first_byte.observe(first)
            if output_tokens > 1:
                token = (now - begun) / (output_tokens - 1)
                self.token.observe(token)
        if self.counts is not None:
            self.counts.answered(latency, first, token, wait)

    def failed(self, request: Measured, outcome: Outcome, now: float) -> None:
        """Count a request that was refused, or whose engine failed."""
        wait = request.dispatched - request.arrived if request.dispatched else None
        if wait is not None:
            self.failure.observe(now - request.arrived)
            self.queue_wait.observe(wait)
        self._count(outcome)
        if self.counts is not None and outcome[1] not in _OF_THE_CALLER:
            self.counts.failed(request.begun_at - request.arrived if request.begun_at else None, wait)

    def abandoned(self, request: Measured, outcome: Outcome, now: float) -> None:
        """Count a request whose client went away."""
        wait = request.dispatched - request.arrived if request.dispatched else None
        if wait is not None:
            self.queue_wait.observe(wait)
        self._count(outcome)
        if self.counts is not None:
            first = request.begun_at - request.arrived if request.begun_at else None
            self.counts.abandoned(now - request.arrived, first, wait)

    def _count(self, outcome: Outcome) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
