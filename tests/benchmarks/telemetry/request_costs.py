"""What counting costs one request of the gateway, in microseconds of the processor: in arrays, with a trace, by the SDK."""

import time
from collections.abc import Callable
from contextlib import closing
from typing import Final

from controller.gateway.latency import LatencyTable
from controller.gateway.traced_table import TracedTable
from controller.runtime.clock import RealClock
from controller.telemetry.instruments import MODEL_REQUEST_LATENCY
from controller.telemetry.metrics import Metrics
from tests.benchmarks.telemetry.gateway_scrapes import Served

REQUESTS: Final = 20_000
_HEADERS: Final = b"accept: */*\r\ncontent-type: application/json\r\nuser-agent: a client\r\nx-tenant: team-a\r\n"
_PARENT: Final = b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"


def request_costs(rounds: int) -> dict[str, list[float]]:
    """Microseconds a request by what counts it, a sample a round."""
    plain, traced = LatencyTable((0.7,)), TracedTable((0.7,), wall=RealClock().now)
    untraced, sampled = Served(headers=_HEADERS), Served(headers=_HEADERS + _PARENT)
    with closing(Metrics("gateway")) as metrics:
        recorded = metrics.histogram(MODEL_REQUEST_LATENCY)
        labels = dict(zip(MODEL_REQUEST_LATENCY.labels, ("team-a", "chat", "m", "standard", "success"), strict=True))
        ways: dict[str, Callable[[], None]] = {
            "request_telemetry_us": lambda: plain.served(untraced, 0.6, 10, 3),
            "request_telemetry_otlp_us": lambda: traced.served(untraced, 0.6, 10, 3),
            "request_telemetry_otlp_sampled_us": lambda: traced.served(sampled, 0.6, 10, 3),
            "sdk_record_us": lambda: recorded.record(0.6, labels),
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, count in ways.items():
                found[name].append(_microseconds(count))
    return found


def _microseconds(count: Callable[[], None]) -> float:
    began = time.thread_time()
    for _ in range(REQUESTS):
        count()
    return (time.thread_time() - began) / REQUESTS * 1e6
