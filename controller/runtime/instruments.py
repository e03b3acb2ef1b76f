"""Each metric of the runtime once, under the names that dashboards know from controller-runtime and client-go.

Who exports which of them depends on what a process is made of, which the runtime does not know: `processes` is empty.
"""

from typing import Final

from controller.runtime.instrument import Instrument, Kind

#: Seconds of work: from a lookup that changes nothing (1 ms) to the reconcile timeout (60 s) and beyond.
WORK_SECONDS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0),
)
#: Seconds of a review: from an answer of a few lines to the API server's longest timeout.
REVIEW_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
#: Seconds of a request to the API server, as client-go has them.
REQUEST_SECONDS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


def _gauge(name: str, labels: tuple[str, ...], description: str, unit: str = "1") -> Instrument:
    return Instrument(name, unit, description, Kind.GAUGE, (), labels)


def _counter(name: str, labels: tuple[str, ...], description: str) -> Instrument:
    return Instrument(name, "1", description, Kind.COUNTER, (), labels)


def _seconds(name: str, labels: tuple[str, ...], description: str, buckets: tuple[float, ...]) -> Instrument:
    return Instrument(name, "s", description, Kind.HISTOGRAM, (), labels, buckets)


# Controllers.
RECONCILES = _counter("controller_runtime_reconcile_total", ("controller", "result"), "Reconciles by result")
RECONCILE_ERRORS = _counter("controller_runtime_reconcile_errors_total", ("controller",), "Reconciles that raised")
TERMINAL_ERRORS = _counter(
    "controller_runtime_terminal_reconcile_errors_total", ("controller",), "Errors that are not retried"
)
PANICS = _counter(
    "controller_runtime_reconcile_panics_total", ("controller",), "Errors that come from bugs in the reconcile function"
)
RECONCILE_SECONDS = _seconds(
    "controller_runtime_reconcile_time_seconds", ("controller",), "Length of a reconcile", WORK_SECONDS
)
MAX_RECONCILES = _gauge("controller_runtime_max_concurrent_reconciles", ("controller",), "Workers of the controller")
ACTIVE_WORKERS = _gauge("controller_runtime_active_workers", ("controller",), "Workers with a reconcile under way")

# Their queues.
QUEUE_DEPTH = _gauge("workqueue_depth", ("name", "priority"), "Items that are ready, by priority")
QUEUE_ADDS = _counter("workqueue_adds_total", ("name",), "Items that became ready")
QUEUE_RETRIES = _counter("workqueue_retries_total", ("name",), "Items added again after their backoff")
QUEUED_SECONDS = _seconds(
    "workqueue_queue_duration_seconds", ("name",), "Time an item was ready before work on it", WORK_SECONDS
)
WORKED_SECONDS = _seconds("workqueue_work_duration_seconds", ("name",), "Length of the work on an item", WORK_SECONDS)
UNFINISHED_SECONDS = _gauge("workqueue_unfinished_work_seconds", ("name",), "Summed age of all work under way", "s")
LONGEST_SECONDS = _gauge(
    "workqueue_longest_running_processor_seconds", ("name",), "Age of the oldest work under way", "s"
)

# Requests to the API server.
API_REQUESTS = _counter(
    "rest_client_requests_total", ("code", "method", "host"), "Requests by status code, method and host"
)
API_REQUEST_SECONDS = _seconds(
    "rest_client_request_duration_seconds",
    ("verb", "host"),
    "Time from sending to the whole answer",
    REQUEST_SECONDS,
)

# The rest of a process that leads and serves.
LEADING = _gauge("leader_election_master_status", ("name",), "1 while this process holds the lease")
CERTIFICATE_READS = _counter("certwatcher_read_certificate_total", (), "Reads of certificates")
CERTIFICATE_READ_ERRORS = _counter("certwatcher_read_certificate_errors_total", (), "Reads of certificates that failed")
REVIEWS = _counter(
    "controller_runtime_webhook_requests_total",
    ("webhook", "code"),
    "Reviews by HTTP status code; conversions that failed, which are answered with 200, as 500",
)
REVIEW_LATENCY = _seconds(
    "controller_runtime_webhook_latency_seconds",
    ("webhook",),
    "Time from a review's headers to its answer",
    REVIEW_SECONDS,
)
REVIEWS_IN_FLIGHT = _gauge(
    "controller_runtime_webhook_requests_in_flight", ("webhook",), "Reviews that are being answered"
)
MIGRATED_OBJECTS = _counter(
    "storage_migration_objects", ("definition", "result"), "Objects of storage migrations by definition and result"
)
MIGRATION_PENDING = _gauge(
    "storage_migration_pending",
    ("definition",),
    "1 while objects of the definition may be stored in an old version",
)

ALL: Final = tuple(value for value in list(globals().values()) if isinstance(value, Instrument))
