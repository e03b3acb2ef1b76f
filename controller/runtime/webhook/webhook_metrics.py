"""What a webhook server reports, under the names that dashboards know from controller-runtime."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.metrics import Meter, NoOpMeter

from controller.runtime.clock import Clock

# Seconds: from an answer of a few lines to the API server's longest timeout.
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class WebhookMetrics:
    """`controller_runtime_webhook_*`, labelled with the path. `meter` None: nothing is recorded."""

    def __init__(self, meter: Meter | None, clock: Clock) -> None:
        meter = meter or NoOpMeter("runtime")
        self._clock = clock
        self._requests = meter.create_counter(
            "controller_runtime_webhook_requests_total", description="Reviews by HTTP status code"
        )
        self._latency = meter.create_histogram(
            "controller_runtime_webhook_latency_seconds",
            unit="s",
            description="Time from a review's headers to its answer",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._in_flight = meter.create_up_down_counter(
            "controller_runtime_webhook_requests_in_flight", description="Reviews that are being answered"
        )

    def declare(self, path: str) -> None:
        """Show `path` with zeros before its first review, so that a rate can tell the first failure."""
        for code in ("200", "500"):
            self._requests.add(0, {"webhook": path, "code": code})
        self._in_flight.add(0, {"webhook": path})

    @contextmanager
    def review(self, path: str) -> Iterator[None]:
        """One review of `path`, from its headers to its answer."""
        started = self._clock.monotonic()
        self._in_flight.add(1, {"webhook": path})
        try:
            yield
        finally:
            self._in_flight.add(-1, {"webhook": path})
            self._latency.record(self._clock.monotonic() - started, {"webhook": path})

    def answered(self, path: str, status: int) -> None:
        """A review of `path` was answered with this HTTP status."""
        self._requests.add(1, {"webhook": path, "code": str(status)})
