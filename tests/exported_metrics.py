"""What processes tell, against what they are declared to tell: names, kinds, words, labels and buckets."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from controller.runtime.instrument import Instrument, Kind
from controller.telemetry.catalogue import exported_by

PARTS = {"_bucket": {"le"}, "_sum": set[str](), "_count": set[str]()}
"""Of a histogram's series, with the labels that each has beside its own."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`missing`: declared and not told; `undeclared`: the other way round; `wrong`: sentences about the others."""

    missing: frozenset[str]
    undeclared: frozenset[str]
    wrong: tuple[str, ...]


def difference(process: str, texts: Iterable[str]) -> Difference:
    """How the pages of all processes of one kind, together, differ from what the tables say of it.

    A family without series counts as told: whether there is something to tell depends on what happens.
    """
    declared = exported_by(process)
    told: set[str] = set()
    wrong: dict[str, None] = {}
    for text in texts:
        for family in text_string_to_metric_families(text):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            told.add(name)
            if name in declared:
                wrong |= dict.fromkeys(_wrong(declared[name], family))
    return Difference(frozenset(declared.keys() - told), frozenset(told - declared.keys()), tuple(wrong))


def names_without_series(process: str, texts: Iterable[str]) -> set[str]:
    """Declared families of which nothing was measured in any of the pages."""
    with_series = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for text in texts
        for family in text_string_to_metric_families(text)
        if family.samples
    }
    return set(exported_by(process)) - with_series


def _wrong(instrument: Instrument, family: Metric) -> Iterator[str]:
    name = instrument.exported_name
    if family.type != instrument.kind.value:
        yield f"{name}: it is told as a {family.type} and declared as a {instrument.kind.value}"
    if family.documentation != instrument.description:
        yield f"{name}: it says {family.documentation!r} and is declared to say {instrument.description!r}"
    for sample in family.samples:
        part = sample.name.removeprefix(name)
        if part not in (PARTS if instrument.kind is Kind.HISTOGRAM else {""}):
            yield f"{name}: a series is named {sample.name}"
            continue
        labels = set(instrument.labels) | PARTS.get(part, set())
        if set(sample.labels) != labels:
            yield f"{name}: a series has the labels {sorted(sample.labels)} and is declared with {sorted(labels)}"
        if not math.isfinite(sample.value):
            yield f"{name}: a series is {sample.value}"
    if instrument.kind is Kind.HISTOGRAM and family.samples:
        edges = {sample.labels["le"] for sample in family.samples if sample.name.endswith("_bucket")}
        absent = {repr(edge) for edge in instrument.buckets} - edges
        if absent:
            yield f"{name}: no series has the edges {sorted(absent, key=float)}"
