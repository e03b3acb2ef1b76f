"""What a controller reports, under the names that dashboards know from controller-runtime.

Durations are recorded as they happen; counts and gauges are read from the controller's statistics at each collection,
which costs a reconcile nothing.
"""

from collections.abc import Callable, Iterable
from functools import partial
from weakref import WeakKeyDictionary

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, NoOpMeter, Observation

from controller.runtime.controller_statistics import ControllerStatistics
from controller.runtime.instrument import Instrument
from controller.runtime.instrumentation import histogram_on
from controller.runtime.instruments import (
    ACTIVE_WORKERS,
    LONGEST_SECONDS,
    MAX_RECONCILES,
    PANICS,
    QUEUE_ADDS,
    QUEUE_DEPTH,
    QUEUE_RETRIES,
    QUEUED_SECONDS,
    RECONCILE_ERRORS,
    RECONCILE_SECONDS,
    RECONCILES,
    TERMINAL_ERRORS,
    UNFINISHED_SECONDS,
    WORKED_SECONDS,
)

Read = Callable[[], ControllerStatistics]
Rows = Iterable[tuple[float, dict[str, str]]]


class ControllerMetrics:
    """`controller_runtime_*` and `workqueue_*` of the controller `name`. `meter` None: nothing is recorded.

    A controller made anew under its name continues on the same meter in the place of the old one.
    """

    def __init__(self, meter: Meter | None, name: str, read: Read) -> None:
        self.enabled = meter is not None
        meter = meter or NoOpMeter("runtime")
        self._controller, self._queue = {"controller": name}, {"name": name}
        self._reconcile = histogram_on(meter, RECONCILE_SECONDS)
        self._queued = histogram_on(meter, QUEUED_SECONDS)
        self._worked = histogram_on(meter, WORKED_SECONDS)
        if self.enabled:
            _observe(meter, name, read)

    def reconciled(self, waited: float, seconds: float, context: Context | None = None) -> None:
        """A reconcile ended that took `seconds`, after its request had been ready for `waited` seconds.

        `context`: of its span, so that a bucket can lead to a trace.
        """
        if self.enabled:
            self._queued.record(waited, self._queue, context)
            self._worked.record(seconds, self._queue, context)
            self._reconcile.record(seconds, self._controller, context)


def _of_controller(value: Callable[[ControllerStatistics], float]) -> Callable[[str, ControllerStatistics], Rows]:
    return lambda name, found: [(value(found), {"controller": name})]


def _of_queue(value: Callable[[ControllerStatistics], float]) -> Callable[[str, ControllerStatistics], Rows]:
    return lambda name, found: [(value(found), {"name": name})]


def _results(name: str, found: ControllerStatistics) -> Rows:
    return [(number, {"controller": name, "result": result.value}) for result, number in found.results.items()]


def _depths(name: str, found: ControllerStatistics) -> Rows:
    depths = found.queue.depths or {0: 0}
    return [(depth, {"name": name, "priority": str(priority)}) for priority, depth in depths.items()]


_GAUGES: dict[Instrument, Callable[[str, ControllerStatistics], Rows]] = {
    MAX_RECONCILES: _of_controller(lambda found: found.workers),
    ACTIVE_WORKERS: _of_controller(lambda found: found.active),
    QUEUE_DEPTH: _depths,
    UNFINISHED_SECONDS: _of_queue(lambda found: found.queue.unfinished),
    LONGEST_SECONDS: _of_queue(lambda found: found.queue.longest),
}
_COUNTERS: dict[Instrument, Callable[[str, ControllerStatistics], Rows]] = {
    RECONCILES: _results,
    RECONCILE_ERRORS: _of_controller(lambda found: found.errors),
    TERMINAL_ERRORS: _of_controller(lambda found: found.terminal),
    PANICS: _of_controller(lambda found: found.panics),
    QUEUE_ADDS: _of_queue(lambda found: found.queue.adds),
    QUEUE_RETRIES: _of_queue(lambda found: found.queue.retries),
}


class _Observer:
    """The controllers of one meter. An observable instrument exists once a meter: a second callback is dropped."""

    def __init__(self, meter: Meter) -> None:
        self.controllers: dict[str, Read] = {}
        for of, rows in _GAUGES.items():
            meter.create_observable_gauge(of.told_name, [partial(self._observe, rows)], of.told_unit, of.description)
        for of, rows in _COUNTERS.items():
            meter.create_observable_counter(of.told_name, [partial(self._observe, rows)], of.told_unit, of.description)

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
