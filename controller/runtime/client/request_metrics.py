"""What the client counts: requests and their duration, under the names that dashboards know."""

from urllib.parse import urlsplit

from opentelemetry.metrics import Meter, NoOpMeter


class RequestMetrics:
    """`rest_client_requests_total{code,method,host}` and `rest_client_request_duration_seconds{verb,host}`.

    `meter` None: nothing is recorded. `code` is "<error>" when no answer came.
    """

    def __init__(self, meter: Meter | None, server: str) -> None:
        meter = meter or NoOpMeter("runtime")
        self._host = urlsplit(server).netloc
        self._requests = meter.create_counter(
            "rest_client_requests_total", description="Requests by status code, method and host"
        )
        self._duration = meter.create_histogram(
            "rest_client_request_duration_seconds", unit="s", description="Time from sending to the whole answer"
        )

    def observe(self, method: str, code: int, seconds: float) -> None:
        """Count one exchange; `code` 0: no answer."""
        labels = {"code": str(code) if code else "<error>", "method": method, "host": self._host}
        self._requests.add(1, labels)
        self._duration.record(seconds, {"verb": method, "host": self._host})
