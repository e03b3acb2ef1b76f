"""Instruments of OpenTelemetry as a table declares them."""

from opentelemetry.metrics import Counter, Histogram, Meter
from opentelemetry.metrics import _Gauge as Gauge  # the API has no other name for it yet

from controller.runtime.instrument import Instrument


def counter_on(meter: Meter, instrument: Instrument) -> Counter:
    """The counter that `instrument` declares."""
    return meter.create_counter(instrument.told_name, instrument.told_unit, instrument.description)


def histogram_on(meter: Meter, instrument: Instrument) -> Histogram:
    """The histogram that `instrument` declares, with its buckets."""
    return meter.create_histogram(
        instrument.told_name,
        instrument.told_unit,
        instrument.description,
        explicit_bucket_boundaries_advisory=instrument.buckets,
    )


def gauge_on(meter: Meter, instrument: Instrument) -> Gauge:
    """The gauge that `instrument` declares, for what is set when it changes."""
    return meter.create_gauge(instrument.told_name, instrument.told_unit, instrument.description)
