"""What a webhook server reports, under the names that dashboards know from controller-runtime."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.metrics import Meter, NoOpMeter

from controller.runtime.clock import Clock
from controller.runtime.instrumentation import counter_on, histogram_on
from controller.runtime.instruments import REVIEW_LATENCY, REVIEWS, REVIEWS_IN_FLIGHT


class WebhookMetrics:
    """`controller_runtime_webhook_*`, labelled with the path. `meter` None: nothing is recorded."""

    def __init__(self, meter: Meter | None, clock: Clock) -> None:
        meter = meter or NoOpMeter("runtime")
        self._clock = clock
        self._requests = counter_on(meter, REVIEWS)
        self._latency = histogram_on(meter, REVIEW_LATENCY)
        self._in_flight = meter.create_up_down_counter(
            REVIEWS_IN_FLIGHT.told_name, REVIEWS_IN_FLIGHT.told_unit, REVIEWS_IN_FLIGHT.description
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
        """A review of `path` was answered, and counts as this HTTP status."""
        self._requests.add(1, {"webhook": path, "code": str(status)})
