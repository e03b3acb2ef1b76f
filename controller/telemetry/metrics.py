"""The OpenTelemetry SDK of one process, exported as Prometheus text."""

from collections.abc import Callable, Iterable

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Counter, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from controller.telemetry.instruments import (
    PARTITION_CLAIMS,
    PARTITION_MEMORY,
    PARTITION_UTILIZATION,
    SCHEDULER_OPERATIONS,
    SLO_BUDGET,
    SLO_BURN,
    Instrument,
)

Rows = Callable[[], Iterable[tuple[float, dict[str, str]]]]


class Metrics:
    """One process's meter and its exposition. Each instance has a registry of its own."""

    def __init__(self, process: str) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        reader = PrometheusMetricReader(scope_info_enabled=False, registry=self._registry)
        resource = Resource.create({"service.name": f"aim-gpu-{process}"})
        self._provider = MeterProvider(metric_readers=[reader], resource=resource)
        self.meter: Meter = self._provider.get_meter("aim-gpu-sharing")
        self.scheduler_operations: Counter = self.meter.create_counter(
            SCHEDULER_OPERATIONS.name, SCHEDULER_OPERATIONS.unit, SCHEDULER_OPERATIONS.description
        )

    def observe_partitions(self, memory: Rows, utilization: Rows) -> None:
        """Read partition figures from `memory` and `utilization` at each collection: (value, labels) rows."""
        self._observe(PARTITION_MEMORY, memory)
        self._observe(PARTITION_UTILIZATION, utilization)

    def observe_claims(self, counts: Rows) -> None:
        """Read the number of claims that have a partition from `counts` at each collection: (value, labels) rows."""
        self._observe(PARTITION_CLAIMS, counts)

    def observe_objectives(self, budgets: Rows, burns: Rows) -> None:
        """Read what is left of error budgets, and how fast they burn, at each collection: (value, labels) rows."""
        self._observe(SLO_BUDGET, budgets)
        self._observe(SLO_BURN, burns)

    def register(self, collector: Collector) -> None:
        """Let `collector` tell its own families at each collection: of what is counted too often for instruments."""
        self._registry.register(collector)

    def _observe(self, instrument: Instrument, rows: Rows) -> None:
        def callback(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(value, labels) for value, labels in rows()]

        self.meter.create_observable_gauge(
            instrument.name, callbacks=[callback], unit=instrument.unit, description=instrument.description
        )

    def exposition(self) -> bytes:
        """Prometheus text format of everything measured so far."""
        return generate_latest(self._registry)

    def close(self) -> None:
        """Stop the SDK; nothing is collected afterwards."""
        self._provider.shutdown()
