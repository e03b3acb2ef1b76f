"""Families as OpenTelemetry's SDK would have collected them: OTLP is made from these."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar, cast

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    DataT,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)

from controller.runtime.instrument import Kind
from controller.telemetry.families import Family, HistogramRow, Labels, Traced

ROWS_A_TURN: Final = 200
"""Rows made into points before the event loop gets its turn: about a millisecond."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Nobody keeps the least and the greatest of ours, and the exporter leaves out what is None.
_NOT_KEPT: Final = cast("float", None)

Row = TypeVar("Row")


async def points(family: Family, began: datetime, now: datetime) -> Metric:
    """The family as collected at `now`; what adds up has done so since `began`."""
    instrument = family.instrument
    since, at = nanoseconds(began), nanoseconds(now)
    data: DataT
    if instrument.kind is Kind.HISTOGRAM:
        series = [_histogram(instrument.labels, *row, since, at) async for row in _by_turns(family.histograms)]
        data = Histogram(series, AggregationTemporality.CUMULATIVE)
    else:
        figures = [
            NumberDataPoint(dict(zip(instrument.labels, labels, strict=True)), since, at, float(value))
            async for labels, value in _by_turns(family.figures)
        ]
        counted = instrument.kind is Kind.COUNTER
        data = Sum(figures, AggregationTemporality.CUMULATIVE, is_monotonic=True) if counted else Gauge(figures)
    return Metric(instrument.told_name, instrument.description, instrument.told_unit, data)


def nanoseconds(when: datetime) -> int:
    """Since 1970, to the microsecond."""
    passed = when - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000_000 + passed.microseconds * 1_000


async def _by_turns(rows: Sequence[Row]) -> AsyncIterator[Row]:
    for number, row in enumerate(rows, 1):
        yield row
        if number % ROWS_A_TURN == 0:
            await asyncio.sleep(0)


def _histogram(names: Sequence[str], labels: Labels, row: HistogramRow, since: int, at: int) -> HistogramDataPoint:
    counts = tuple(row.counts)
    return HistogramDataPoint(
        attributes=dict(zip(names, labels, strict=True)),
        start_time_unix_nano=since,
        time_unix_nano=at,
        count=sum(counts),
        sum=row.sum,
        bucket_counts=counts,
        explicit_bounds=tuple(row.edges),
        min=_NOT_KEPT,
        max=_NOT_KEPT,
        exemplars=[_exemplar(one) for one in getattr(row, "traced", {}).values()],
    )


def _exemplar(one: Traced) -> Exemplar:
    return Exemplar({}, one.value, nanoseconds(one.at), span_id=one.span_id, trace_id=one.trace_id)
