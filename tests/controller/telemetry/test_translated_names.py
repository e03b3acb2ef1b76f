"""Whoever takes OTLP and gives it to Prometheus makes the names of the metrics that dashboards and alerts ask for."""

import re

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Gauge, Histogram, InMemoryMetricReader, Metric, Sum

from controller.runtime.instrument import Instrument, Kind
from controller.runtime.instrumentation import counter_on, gauge_on, histogram_on
from controller.telemetry.catalogue import OURS, RUNTIMES
from controller.telemetry.families import Family
from controller.telemetry.histograms import Merged
from controller.telemetry.points import points
from tests.fakes.clock import START

#: By the specification of OpenTelemetry's compatibility with Prometheus; what is not here is taken as it is.
UNITS = {"s": "seconds", "By": "bytes", "Cel": "celsius", "W": "watts", "1": ""}


def translated(metric: Metric) -> str:
    """The name that a collector, or Prometheus, makes of it: unit, `total` for what only grows, `ratio` for gauges of 1."""
    unit = re.sub(r"\{.*\}", "", metric.unit or "")
    suffix = UNITS.get(unit, re.sub(r"[^A-Za-z0-9]+", "_", unit))
    words = metric.name.split("_")
    if suffix and suffix not in words:
        words.append(suffix)
    if isinstance(metric.data, Sum) and metric.data.is_monotonic:
        words = [*(word for word in words if word != "total"), "total"]
    if isinstance(metric.data, Gauge) and unit == "1":
        words = [*(word for word in words if word != "ratio"), "ratio"]
    return "_".join(words)


def recorded(instrument: Instrument) -> Metric:
    """As the SDK collects it."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    meter = provider.get_meter("test")
    match instrument.kind:
        case Kind.COUNTER:
            counter_on(meter, instrument).add(1)
        case Kind.HISTOGRAM:
            histogram_on(meter, instrument).record(1)
        case Kind.GAUGE:
            gauge_on(meter, instrument).set(1)
    found = reader.get_metrics_data()
    provider.shutdown()
    assert found is not None
    return found.resource_metrics[0].scope_metrics[0].metrics[0]


async def observed(instrument: Instrument) -> Metric:
    """As it is made of a table."""
    labels = ("",) * len(instrument.labels)
    if instrument.kind is Kind.HISTOGRAM:
        return await points(Family(instrument, histograms=[(labels, Merged((), (1,), 1.0))]), START, START)
    return await points(Family(instrument, figures=[(labels, 1.0)]), START, START)


@pytest.mark.parametrize("instrument", [*OURS, *RUNTIMES], ids=lambda one: one.name)
async def test_the_translated_name_is_the_one_that_prometheus_reads_here(instrument: Instrument) -> None:
    for metric in (recorded(instrument), await observed(instrument)):
        assert translated(metric) == instrument.exported_name
        assert isinstance(
            metric.data, {Kind.COUNTER: Sum, Kind.GAUGE: Gauge, Kind.HISTOGRAM: Histogram}[instrument.kind]
        )


def test_the_unit_stays_readable() -> None:
    units = {instrument.name: instrument.told_unit for instrument in OURS}
    assert units["aim_gpu_partition_memory"] == "By"
    assert units["aim_usage_memory"] == "{By.s}"
    assert units["aim_claims"] == "{1}"
    assert units["aim_scheduler_fragmentation_ratio"] == units["aim_model_requests"] == "1"
