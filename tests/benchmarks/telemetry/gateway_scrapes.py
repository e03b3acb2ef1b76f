"""What a scrape of the gateway costs with many services, and the same rows by Prometheus' own client for Python."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as ClientFamily

from controller.gateway.collector import GatewayCollector
from controller.gateway.configuration import ServiceRoute
from controller.gateway.control.watching import WatchStatistics
from controller.gateway.gateway import GatewayStatistics
from controller.gateway.latency import LatencyTable
from controller.qos.settings import ModelSettings
from controller.qos.statistics import ModelStatistics, PartitionStatistics, QoSStatistics
from controller.runtime.instrument import Kind
from controller.telemetry.bounds import split_key
from controller.telemetry.families import Family
from controller.telemetry.metrics import Metrics
from tests.benchmarks.telemetry.scraping import Scrapes, scrapes

CLASSES: Final = ("realtime", "standard", "batch")
_WATCHED: Final = WatchStatistics(0, 0, {}, (), 1, 0)
_CLIENT: Final = {Kind.COUNTER: CounterMetricFamily, Kind.GAUGE: GaugeMetricFamily}


@dataclass(slots=True)
class Served:
    """A request as a table measures it."""

    status: int = 200
    arrived: float = 0.0
    dispatched: float = 0.25
    begun_at: float = 0.5
    streamed: bool = True
    headers: bytes = b""


async def gateway_scrapes(services: int, times: int) -> tuple[Scrapes, list[float]]:
    """Scrape a gateway whose `services` were all asked in every class; and what the client takes for it, in ms.

    The client is one step, so that is also how long it would hold up requests.
    """
    with closing(Metrics("gateway")) as metrics:
        collector = _collector(services)
        collector.observed_by(metrics)
        ours = await scrapes(metrics.exposition, times)
        registry = CollectorRegistry()
        registry.register(_Client(metrics))
        theirs = []
        for _ in range(max(1, times // 3)):
            await asyncio.sleep(0)
            spent = time.process_time()
            generate_latest(registry)
            theirs.append((time.process_time() - spent) * 1e3)
    return ours, theirs


def _collector(services: int) -> GatewayCollector:
    keys = [f"team-{number % 20}/service-{number:04}" for number in range(services)]
    routes = [
        ServiceRoute(*split_key(key), (), ModelSettings(key, "standard"), engine_model="Qwen/Qwen3-8B") for key in keys
    ]
    tables = {(key, name): _table() for key in keys for name in CLASSES}
    models = {key: ModelStatistics(key, dict.fromkeys(CLASSES, 1), 4, 2, 0, 2, 99, 9, 6, 2, 0, 0) for key in keys}
    places = [f"worker-{number // 64:03}/0000:{number // 8 % 8:02x}:00.0/{number % 8}" for number in range(services)]
    partitions = {place: PartitionStatistics(place, 8, 6, 4, 1, 2) for place in places}
    shown = GatewayStatistics(7, 10, 1, {"EngineLost": 2}, {"ModelNotFound": 5}, 3, QoSStatistics(partitions, models))
    return GatewayCollector(lambda: routes, lambda: tables, lambda: shown, lambda: _WATCHED)


def _table() -> LatencyTable:
    table = LatencyTable((0.7, 2.0))
    table.served(Served(), 0.6, 10, 3)
    table.failed(Served(502), (502, "EngineLost"), 2.0)
    return table


class _Client:
    """The same families as the client has them."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[ClientFamily]:
        """Each family."""
        return map(_of_client, self._metrics.families())


def _of_client(family: Family) -> ClientFamily:
    one = family.instrument
    if one.kind is Kind.HISTOGRAM:
        made = HistogramMetricFamily(one.exported_name, one.description, labels=one.labels)
        for labels, row in family.histograms:
            edges = [*map(str, row.edges), "+Inf"]
            made.add_metric(labels, list(zip(edges, accumulate(row.counts), strict=True)), row.sum)
        return made
    kind: type[CounterMetricFamily | GaugeMetricFamily] = _CLIENT[one.kind]
    told = kind(one.exported_name, one.description, labels=one.labels)
    for labels, value in family.figures:
        told.add_metric(labels, value)
    return told
