"""What a controller reports, under the names that dashboards know from controller-runtime."""

from collections.abc import Callable, Iterable
from functools import partial
from weakref import WeakKeyDictionary

from opentelemetry.metrics import CallbackOptions, Meter, NoOpMeter, Observation

from controller.runtime.workqueue.work_queue import QueueStatistics

_RESULTS = ("success", "error", "requeue_after")


class ControllerMetrics:
    """`controller_runtime_*` and `workqueue_*` of one controller. `meter` None: nothing is recorded."""

    def __init__(self, meter: Meter | None, name: str, workers: int, queue: Callable[[], QueueStatistics]) -> None:
        meter = meter or NoOpMeter("runtime")
        self._labels = {"controller": name}
        self._results = {result: {"controller": name, "result": result} for result in _RESULTS}
        self._reconciles = meter.create_counter(
            "controller_runtime_reconcile_total", description="Reconciles by result"
        )
        self._errors = meter.create_counter(
            "controller_runtime_reconcile_errors_total", description="Reconciles that raised"
        )
        self._terminal = meter.create_counter(
            "controller_runtime_terminal_reconcile_errors_total", description="Errors that are not retried"
        )
        self._seconds = meter.create_histogram(
            "controller_runtime_reconcile_time_seconds", unit="s", description="Length of a reconcile"
        )
        self._active = meter.create_up_down_counter(
            "controller_runtime_active_workers", description="Workers with a reconcile under way"
        )
        meter.create_up_down_counter(
            "controller_runtime_max_concurrent_reconciles", description="Workers of the controller"
        ).add(workers, self._labels)
        _observe_queue(meter, name, queue)

    def reconciled(self, result: str, seconds: float) -> None:
        """A reconcile ended with `result` after `seconds`."""
        self._reconciles.add(1, self._results[result])
        self._seconds.record(seconds, self._labels)

    def failed(self, *, terminal: bool) -> None:
        """A reconcile raised."""
        self._errors.add(1, self._labels)
        if terminal:
            self._terminal.add(1, self._labels)

    def active(self, change: int) -> None:
        """One worker more (1) or less (-1) has a reconcile under way."""
        self._active.add(change, self._labels)


_GAUGES: dict[str, Callable[[QueueStatistics], float]] = {
    "workqueue_depth": lambda queue: queue.depth,
    "workqueue_unfinished_work_seconds": lambda queue: queue.unfinished,
    "workqueue_longest_running_processor_seconds": lambda queue: queue.longest,
}
_COUNTERS: dict[str, Callable[[QueueStatistics], float]] = {
    "workqueue_adds_total": lambda queue: queue.adds,
    "workqueue_retries_total": lambda queue: queue.retries,
}


class _QueueObserver:
    """The queues of one meter. An observable instrument exists once a meter: a second one's callback is dropped."""

    def __init__(self, meter: Meter) -> None:
        self.queues: dict[str, Callable[[], QueueStatistics]] = {}
        for name, read in _GAUGES.items():
            meter.create_observable_gauge(name, [partial(self._observe, read)])
        for name, read in _COUNTERS.items():
            meter.create_observable_counter(name, [partial(self._observe, read)])

    def _observe(self, read: Callable[[QueueStatistics], float], _options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(read(queue()), {"name": name}) for name, queue in self.queues.items()]


_observers: WeakKeyDictionary[Meter, _QueueObserver] = WeakKeyDictionary()


def _observe_queue(meter: Meter, name: str, queue: Callable[[], QueueStatistics]) -> None:
    if meter not in _observers:
        _observers[meter] = _QueueObserver(meter)
    _observers[meter].queues[name] = queue
