"""What the client's requests are told to OpenTelemetry by: loaded where somebody measures, which no command does."""

from collections import Counter
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from opentelemetry.metrics import CallbackOptions, Histogram, Meter, NoOpMeter, Observation

from controller.runtime.instrumentation import histogram_on
from controller.runtime.instruments import API_REQUEST_SECONDS, API_REQUESTS

Counts = Counter[tuple[str, int, str]]
"""Requests by method, status and host."""
# A meter keeps the first callback of a name only, and two clients may share a meter.
_counts_by_meter: WeakKeyDictionary[Meter, list[Counts]] = WeakKeyDictionary()


def durations_on(meter: Meter, counts: Counts) -> Histogram | None:
    """What durations are recorded by, with `counts` told at collections; None for a meter that nobody reads."""
    if isinstance(meter, NoOpMeter):
        return None
    _counted(meter).append(counts)
    return histogram_on(meter, API_REQUEST_SECONDS)


def _counted(meter: Meter) -> list[Counts]:
    """The counts that `meter` reads, each client's its own: they may belong to different threads."""
    counted = _counts_by_meter.get(meter)
    if counted is None:
        counted = _counts_by_meter[meter] = []
        meter.create_observable_counter(
            API_REQUESTS.told_name, [_Reading(counted)], API_REQUESTS.told_unit, API_REQUESTS.description
        )
    return counted


class _Reading:
    """The callback of one meter."""

    def __init__(self, counted: list[Counts]) -> None:
        self._counted = counted

    def __call__(self, _: CallbackOptions) -> Iterable[Observation]:
        total: Counts = Counter()
        for counts in list(self._counted):
            total.update(dict(counts))  # in one step: its owner may be another thread
        return [
            Observation(count, {"code": str(code) if code else "<error>", "method": method, "host": host})
            for (method, code, host), count in total.items()
        ]
