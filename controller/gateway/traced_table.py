"""What requests took, with the trace of some: for a collector, which can lead from a bucket to such a request.

A caller that traces its request says so by a header (W3C Trace Context), which is passed on to the engine. Of each
bucket the last one whose caller sampled it is kept. Tables are of this kind only where a collector is named, so that
nobody else looks for that header.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from controller.gateway.latency import BAD, Histogram, LatencyTable, Measured
from controller.qos.service_counts import ServiceCounts
from controller.telemetry.families import Traced

# Version 00; a version to come begins with the same four parts. The last bit of the flags: the caller sampled it.
_TRACEPARENT: Final = re.compile(
    rb"^traceparent:[ \t]*(?:[0-9a-e][0-9a-f]|f[0-9a-e])-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})"
    rb"-[0-9a-f][13579bdf](?=[- \t\r])",
    re.IGNORECASE | re.MULTILINE,
)


class TracedHistogram(Histogram):
    """A histogram that keeps, by the number of its bucket, the last observation of a sampled request."""

    __slots__ = ("traced",)

    def __init__(self, edges: Iterable[float]) -> None:
        super().__init__(edges)
        self.traced: dict[int, Traced] = {}

    def keep(self, observed: Traced) -> None:
        """Keep what was observed, in the place of an earlier one."""
        self.traced[bisect_left(self.edges, observed.value)] = observed


class TracedTable(LatencyTable):
    """As `LatencyTable`, with traces in `success`, `failure` and `first_byte`. `wall`: the time of day, aware."""

    __slots__ = ("_wall",)

    success: TracedHistogram
    failure: TracedHistogram
    first_byte: TracedHistogram

    def __init__(
        self, thresholds: tuple[float, ...] = (), counts: ServiceCounts | None = None, *, wall: Callable[[], datetime]
    ) -> None:
        super().__init__(thresholds, counts)
        self._wall = wall
        self.success, self.failure, self.first_byte = (
            TracedHistogram(one.edges) for one in (self.success, self.failure, self.first_byte)
        )

    def served(self, request: Measured, now: float, prompt_tokens: int, output_tokens: int) -> None:
        """Count an engine's answer that was passed on whole, and keep its trace where its caller sampled it."""
        super().served(request, now, prompt_tokens, output_tokens)
        found = _TRACEPARENT.search(request.headers)
        if found is None:
            return
        trace, span = int(found[1], 16), int(found[2], 16)
        at = self._wall()
        kept = self.failure if request.status >= BAD else self.success
        kept.keep(Traced(now - request.arrived, at, trace, span))
        if kept is self.success and request.streamed:
            self.first_byte.keep(Traced(request.begun_at - request.arrived, at, trace, span))
