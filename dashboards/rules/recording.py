"""Series that are worked out once for everybody: those that panels and alerts ask for again and again over many series.

Names are as Prometheus' users have them: what the series stand for, the metric, what was done to it.
"""

from typing import Final

from controller.telemetry.instruments import (
    BUILD_INFO,
    MODEL_REQUEST_LATENCY,
    MODEL_REQUESTS,
    MODEL_TIME_TO_FIRST_BYTE,
    PARTITION_MEMORY,
    SERVICE,
)
from dashboards.promql import SOME, Matching, highest, marked, rate, total
from dashboards.rules.endings import told_apart
from dashboards.rules.expressions import buckets, series
from dashboards.rules.pace import Pace
from dashboards.rules.rule import Group, Recording

WINDOW_SECONDS: Final = 300.0
"""What rates are taken over: five scrapes at one a minute, so that one that fails leaves no hole."""

HOLDER: Final = ("node", "gpu", "partition", "mode", "claim", "pod", *SERVICE)

MEMORY_USED: Final = "partition:aim_gpu_partition_memory_used:ratio"
"""Share of each partition's memory that is in use, 0 to 1, with who holds it."""
COUNTED_AT: Final = "counted_at"
"""Label of `REQUESTS`: the gateway, or the engines. Those of a service that is called both ways count the same request,
so a share is of one of them."""
REQUESTS: Final = "service:aim_model_requests:rate5m"
"""Requests a second by service, status, reason, how they ended and where they were counted, all classes and replicas
together."""
LATENCY: Final = "service:aim_model_request_latency_seconds_bucket:rate5m"
"""Served requests a second by service, class and upper bound of what they took."""
FIRST_BYTE: Final = "service:aim_model_time_to_first_byte_seconds_bucket:rate5m"
"""Requests a second by service, class and upper bound of the time to the first byte."""
PROCESSES: Final = "process:aim_build_info:sum"
"""How many processes of each kind there are: few series, so that it can be looked back on for a week."""


def recorded(pace: Pace) -> Group:
    """All of them."""
    window = pace.text(WINDOW_SECONDS)
    classes = (*SERVICE, "priority")
    used, whole = (highest(series(PARTITION_MEMORY, type=kind), HOLDER) for kind in ("used", "total"))
    latency = rate(buckets(MODEL_REQUEST_LATENCY), window)
    first_byte = rate(buckets(MODEL_TIME_TO_FIRST_BYTE), window)
    counted = f"{_requests(window, 'gateway', SOME)} or {_requests(window, 'engines', '')}"
    return Group(
        "recorded",
        (
            Recording(MEMORY_USED, f"{used} / {whole}"),
            Recording(REQUESTS, told_apart(counted)),
            Recording(LATENCY, total(latency, (*classes, "outcome", "le"))),
            Recording(FIRST_BYTE, total(first_byte, (*classes, "le"))),
            Recording(PROCESSES, total(series(BUILD_INFO), ("process",))),
        ),
    )


def _requests(window: str, counted_at: str, priority: str | Matching) -> str:
    """Those that were counted there: what comes by the gateway has a class, what engines tell has none."""
    found = total(rate(series(MODEL_REQUESTS, priority=priority), window), (*SERVICE, "code", "reason"))
    return marked(found, COUNTED_AT, counted_at)
