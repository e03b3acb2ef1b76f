"""How a metric is declared: its name, unit, kind, labels and meaning."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a metric's value does between two collections."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


#: What a unit of OpenTelemetry adds to a name in Prometheus' text; other units add nothing.
UNIT_SUFFIXES = {"s": "seconds", "By": "bytes", "Cel": "celsius", "W": "watts", "By.s": "byte_seconds"}
#: Units that a collector of OpenTelemetry, and Prometheus where it takes OTLP, translate as we do.
_TRANSLATED = frozenset({"1", "s", "By", "Cel", "W"})


@dataclass(frozen=True, slots=True)
class Instrument:
    """A metric as declared to OpenTelemetry, and the series that Prometheus gets of it.

    `unit` as in UCUM ("1": a plain number or a ratio). `processes`: who exports it. `labels`: all that its series may
    have. `buckets`: a histogram's upper bounds in its unit, without the last, infinite one.
    """

    name: str
    unit: str
    description: str
    kind: Kind
    processes: tuple[str, ...]
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def exported_name(self) -> str:
        """The family's name in Prometheus' text: with its unit, a counter's with `_total`."""
        suffix = UNIT_SUFFIXES.get(self.unit, "")
        stem = self.name if not suffix or self.name.endswith(f"_{suffix}") else f"{self.name}_{suffix}"
        return f"{stem}_total" if self.kind is Kind.COUNTER and not stem.endswith("_total") else stem

    @property
    def told_name(self) -> str:
        """The name as OpenTelemetry is told it: whoever translates it to Prometheus' gets `exported_name`."""
        return self.name if self.unit in _TRANSLATED else f"{self.name}_{UNIT_SUFFIXES[self.unit]}"

    @property
    def told_unit(self) -> str:
        """The unit as OpenTelemetry is told it, in braces where whoever translates names would add what is not in ours:
        `_ratio` to a gauge of unit 1, and to others what no Prometheus calls them.
        """
        plain = self.kind is Kind.GAUGE and self.unit == "1" and not self.name.endswith("_ratio")
        return f"{{{self.unit}}}" if plain or self.unit not in _TRANSLATED else self.unit


def gauge(name: str, unit: str, processes: tuple[str, ...], labels: tuple[str, ...], description: str) -> Instrument:
    """A value of now."""
    return Instrument(name, unit, description, Kind.GAUGE, processes, labels)


def counter(name: str, unit: str, processes: tuple[str, ...], labels: tuple[str, ...], description: str) -> Instrument:
    """A number that grows as long as its process lives."""
    return Instrument(name, unit, description, Kind.COUNTER, processes, labels)


def histogram(
    name: str,
    unit: str,
    processes: tuple[str, ...],
    labels: tuple[str, ...],
    description: str,
    buckets: tuple[float, ...],
) -> Instrument:
    """Observations counted by bucket."""
    return Instrument(name, unit, description, Kind.HISTOGRAM, processes, labels, buckets)
