"""What a controller reports, under the names that dashboards know from controller-runtime.

Durations are recorded as they happen; counts and gauges are read from the controller's statistics at each collection,
which costs a reconcile nothing.
"""

from collections.abc import Callable, Iterable
from functools import partial
from weakref import WeakKeyDictionary

from opentelemetry.metrics import CallbackOptions, Histogram, Meter, NoOpMeter, Observation

from controller.runtime.controller_statistics import ControllerStatistics

Read = Callable[[], ControllerStatistics]
Rows = Iterable[tuple[float, dict[str, str]]]

#: Upper bounds in seconds: from a lookup that changes nothing (1 ms) to the reconcile timeout (60 s) and beyond.
BUCKETS_SECONDS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0),
)


class ControllerMetrics:
    """`controller_runtime_*` and `workqueue_*` of the controller `name`. `meter` None: nothing is recorded.

    A controller made anew under its name continues on the same meter in the place of the old one.
    """

    def __init__(self, meter: Meter | None, name: str, read: Read) -> None:
        self.enabled = meter is not None
        meter = meter or NoOpMeter("runtime")
        self._controller, self._queue = {"controller": name}, {"name": name}
        self._reconcile = _seconds(meter, "controller_runtime_reconcile_time_seconds", "Length of a reconcile")
        self._queued = _seconds(meter, "workqueue_queue_duration_seconds", "Time an item was ready before work on it")
        self._worked = _seconds(meter, "workqueue_work_duration_seconds", "Length of the work on an item")
        if self.enabled:
            _observe(meter, name, read)

    def reconciled(self, waited: float, seconds: float) -> None:
        """A reconcile ended that took `seconds`, after its request had been ready for `waited` seconds."""
        if self.enabled:
            self._queued.record(waited, self._queue)
            self._worked.record(seconds, self._queue)
            self._reconcile.record(seconds, self._controller)


def _seconds(meter: Meter, name: str, description: str) -> Histogram:
    return meter.create_histogram(
        name, unit="s", description=description, explicit_bucket_boundaries_advisory=BUCKETS_SECONDS
    )


def _of_controller(value: Callable[[ControllerStatistics], float]) -> Callable[[str, ControllerStatistics], Rows]:
    return lambda name, found: [(value(found), {"controller": name})]


def _of_queue(value: Callable[[ControllerStatistics], float]) -> Callable[[str, ControllerStatistics], Rows]:
    return lambda name, found: [(value(found), {"name": name})]


def _results(name: str, found: ControllerStatistics) -> Rows:
    return [(number, {"controller": name, "result": result.value}) for result, number in found.results.items()]


def _depths(name: str, found: ControllerStatistics) -> Rows:
    depths = found.queue.depths or {0: 0}
    return [(depth, {"name": name, "priority": str(priority)}) for priority, depth in depths.items()]


_GAUGES: dict[str, tuple[Callable[[str, ControllerStatistics], Rows], str]] = {
    "controller_runtime_max_concurrent_reconciles": (
        _of_controller(lambda found: found.workers),
        "Workers of the controller",
    ),
    "controller_runtime_active_workers": (
        _of_controller(lambda found: found.active),
        "Workers with a reconcile under way",
    ),
    "workqueue_depth": (_depths, "Items that are ready, by priority"),
    "workqueue_unfinished_work_seconds": (
        _of_queue(lambda found: found.queue.unfinished),
        "Summed age of all work under way",
    ),
    "workqueue_longest_running_processor_seconds": (
        _of_queue(lambda found: found.queue.longest),
        "Age of the oldest work under way",
    ),
}
_COUNTERS: dict[str, tuple[Callable[[str, ControllerStatistics], Rows], str]] = {
    "controller_runtime_reconcile_total": (_results, "Reconciles by result"),
    "controller_runtime_reconcile_errors_total": (_of_controller(lambda found: found.errors), "Reconciles that raised"),
    "controller_runtime_terminal_reconcile_errors_total": (
        _of_controller(lambda found: found.terminal),
        "Errors that are not retried",
    ),
    "controller_runtime_reconcile_panics_total": (
        _of_controller(lambda found: found.panics),
        "Errors that come from bugs in the reconcile function",
    ),
    "workqueue_adds_total": (_of_queue(lambda found: found.queue.adds), "Items that became ready"),
    "workqueue_retries_total": (_of_queue(lambda found: found.queue.retries), "Items added again after their backoff"),
}


class _Observer:
    """The controllers of one meter. An observable instrument exists once a meter: a second callback is dropped."""

    def __init__(self, meter: Meter) -> None:
        self.controllers: dict[str, Read] = {}
        for name, (rows, description) in _GAUGES.items():
            meter.create_observable_gauge(name, [partial(self._observe, rows)], description=description)
        for name, (rows, description) in _COUNTERS.items():
            meter.create_observable_counter(name, [partial(self._observe, rows)], description=description)

    def _observe(
        self, rows: Callable[[str, ControllerStatistics], Rows], _options: CallbackOptions
    ) -> Iterable[Observation]:
        return [
            Observation(value, labels)
            for name, read in list(self.controllers.items())
            for value, labels in rows(name, read())
        ]


_observers: WeakKeyDictionary[Meter, _Observer] = WeakKeyDictionary()


def _observe(meter: Meter, name: str, read: Read) -> None:
    if meter not in _observers:
        _observers[meter] = _Observer(meter)
    _observers[meter].controllers[name] = read
