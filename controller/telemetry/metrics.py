"""The metrics of one process: OpenTelemetry's instruments for events, its own tables for the rest, one exposition.

What happens now and then is recorded by instruments of OpenTelemetry's SDK (`counter`, `histogram`, and `meter` for
the runtime). What a table knows anyway, or what the data path counts too often for the SDK, is read where it lies at
each collection (`observe`, `observe_histograms`), so that it is never older than that and ends with what it is of.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib.metadata import version

import structlog
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Counter, Histogram, Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    MetricReader,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from controller.runtime.clock import Clock, RealClock
from controller.runtime.instrument import Instrument, Kind
from controller.runtime.instrumentation import counter_on, histogram_on
from controller.telemetry.families import Family, HistogramRows, Labels, Rows
from controller.telemetry.instruments import BUILD_INFO
from controller.telemetry.otlp import OtlpPush
from controller.telemetry.points import points
from controller.telemetry.text import pieces

__all__ = ["HistogramRows", "Labels", "Metrics", "Rows"]

#: How long whoever samples on demand may take; what was not read by then is told by nobody.
READING_SECONDS = 2.0
#: Between two log lines about one family that cannot be read.
QUIET_SECONDS = 600.0

#: What OpenTelemetry calls the library that measures.
_SCOPE = "aim-gpu-sharing"

_Read = Callable[[], Awaitable[None]]


class Metrics:
    """The metrics of a process of that name. Each instance has a registry of its own.

    `otlp_endpoint`: the URL of a collector that is sent all of it too, by `push`, which is to be run then; None: nobody
    is. Raises OtlpError for one that cannot be used.

    `counter`, `histogram`, `observe` and `observe_histograms` raise ValueError for an instrument of another kind, one
    that the table gives to other processes, and for one that is observed already.
    """

    def __init__(self, process: str, *, otlp_endpoint: str | None = None, clock: Clock | None = None) -> None:
        self._process = process
        self._clock = clock or RealClock()
        self._registry = CollectorRegistry(auto_describe=True)
        readers: list[MetricReader] = [
            PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False, registry=self._registry)
        ]
        self.push: OtlpPush | None = None
        if otlp_endpoint is not None:
            self.push = OtlpPush(self._collected, otlp_endpoint)
            self._recorded = InMemoryMetricReader()
            readers.append(self._recorded)
        self._resource = Resource.create({"service.name": f"aim-gpu-{process}"})
        self._provider = MeterProvider(metric_readers=readers, resource=self._resource, shutdown_on_exit=False)
        self.meter: Meter = self._provider.get_meter(_SCOPE)
        self._began = self._clock.now()
        self._sources: dict[Instrument, Callable[[], Family]] = {}
        self._before: list[_Read] = []
        self._turn = asyncio.Lock()
        self._told_at: dict[str, float] = {}
        self._log = structlog.get_logger(__name__)
        built = [((process, version("aim-gpu-sharing")), 1.0)]
        self._sources[BUILD_INFO] = lambda: Family(BUILD_INFO, built)

    def counter(self, instrument: Instrument) -> Counter:
        """A counter of events. Add 0 for label sets that are known from the start: then a rate sees the first event."""
        self._check(instrument, Kind.COUNTER)
        return counter_on(self.meter, instrument)

    def histogram(self, instrument: Instrument) -> Histogram:
        """A histogram with the table's buckets."""
        self._check(instrument, Kind.HISTOGRAM)
        return histogram_on(self.meter, instrument)

    def observe(self, instrument: Instrument, rows: Rows) -> None:
        """Read a gauge or counter from `rows` at each collection, all of it at once; two rows of the same labels are
        the caller's mistake. When it raises, the family is absent and the log says so, every ten minutes at most.
        """
        self._check(instrument, Kind.GAUGE, Kind.COUNTER)
        self._sources[instrument] = lambda: Family(instrument, figures=list(rows()))

    def observe_histograms(self, instrument: Instrument, rows: HistogramRows) -> None:
        """Read a histogram from `rows` at each collection; a row's counts are read when they are written."""
        self._check(instrument, Kind.HISTOGRAM)
        self._sources[instrument] = lambda: Family(instrument, histograms=list(rows()))

    def before_collection(self, read: _Read) -> None:
        """Await `read` before each collection, two seconds at most: then it is cancelled, and has read nothing."""
        self._before.append(read)

    async def exposition(self) -> bytes:
        """Prometheus' text of everything, as it is now. The event loop gets its turn every few milliseconds."""
        return b"".join([piece async for piece in self.pieces()])

    async def pieces(self) -> AsyncIterator[bytes]:
        """`exposition` in pieces of some kilobytes: thousands of services make twenty megabytes, which need not be held
        at once. Between two pieces the event loop gets its turn.
        """
        await self._prepare()
        for recorded in self._registry.collect():
            yield generate_latest(_One(recorded))
            await asyncio.sleep(0)
        for family in self.families():
            for piece in pieces(family):
                yield piece.encode()
                await asyncio.sleep(0)

    async def _collected(self) -> MetricsData:
        """Everything in the SDK's form: what it recorded, and our own tables as if it had."""
        await self._prepare()
        found = self._recorded.get_metrics_data()
        scopes = [scope for resource in found.resource_metrics for scope in resource.scope_metrics] if found else []
        metrics = [metric for scope in scopes for metric in scope.metrics]
        metrics += [await points(family, self._began, self._clock.now()) for family in self.families()]
        own = ScopeMetrics(InstrumentationScope(_SCOPE), metrics, "")
        return MetricsData([ResourceMetrics(self._resource, [own], "")])

    def close(self) -> None:
        """Stop the SDK; nothing is collected afterwards."""
        self._provider.shutdown()

    async def _prepare(self) -> None:
        async with self._turn:
            for read in self._before:
                await self._prepared(read)

    def families(self) -> Iterator[Family]:
        """Each of our own, read when it is asked for; without those that cannot be."""
        for instrument, source in tuple(self._sources.items()):
            family = self._read(instrument, source)
            if family is not None:
                yield family

    async def _prepared(self, read: _Read) -> None:
        try:
            async with asyncio.timeout(READING_SECONDS):
                await read()
        except Exception as error:  # noqa: BLE001 - whoever fails to read is absent; the others are told
            self._failed(getattr(read, "__qualname__", repr(read)), error)

    def _read(self, instrument: Instrument, source: Callable[[], Family]) -> Family | None:
        try:
            return source()
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(instrument.name, error)
            return None

    def _failed(self, what: str, error: Exception) -> None:
        now = self._clock.monotonic()
        if now >= self._told_at.get(what, -QUIET_SECONDS + now) + QUIET_SECONDS:
            self._told_at[what] = now
            self._log.error("metrics cannot be read", metric=what, problem=repr(error))

    def _check(self, instrument: Instrument, *kinds: Kind) -> None:
        if instrument.kind not in kinds:
            raise ValueError(f"{instrument.name}: it is a {instrument.kind}, not a {' or '.join(kinds)}")
        if self._process not in instrument.processes:
            raise ValueError(
                f"{instrument.name}: the table gives it to {', '.join(instrument.processes)}, not to {self._process}; "
                f"change controller/telemetry/instruments.py if {self._process} is to tell it"
            )
        if instrument in self._sources:
            raise ValueError(f"{instrument.name}: it is observed already; give all its rows in one callable")


class _One(Collector):
    """A family alone, for a writer that asks a registry."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        """The family."""
        yield self._family
