"""What the client counts: requests and their duration, under the names that dashboards know."""

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, Meter

    from controller.runtime.client.request_instruments import Counts


class RequestMetrics:
    """`rest_client_requests_total{code,method,host}` and `rest_client_request_duration_seconds{verb,host}`.

    `meter` None: nothing is recorded. `code` is "<error>" when no answer came. Requests are counted here and read at
    collection: a count through the SDK costs 18 us, a tenth of a small request.
    """

    def __init__(self, meter: "Meter | None", server: str) -> None:
        self._host = urlsplit(server).netloc.rpartition("@")[2]
        self._counts: Counts = Counter()
        self._duration: Histogram | None = None
        if meter is not None:
            from controller.runtime.client.request_instruments import durations_on  # commands measure nothing

            self._duration = durations_on(meter, self._counts)

    def observe(self, method: str, code: int, seconds: float) -> None:
        """Count one exchange; `code` 0: no answer."""
        if self._duration is None:
            return
        self._counts[(method, code, self._host)] += 1
        self._duration.record(seconds, {"verb": method, "host": self._host})
