"""Prometheus' text (format 0.0.4) of families, piece by piece: whoever writes it may do something else in between."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Final

from controller.telemetry.families import Family, HistogramRow, Labels

ROWS_A_PIECE: Final = 64
"""Rows between two pieces: a histogram's row is some twenty lines, so that a piece takes less than a millisecond."""

_VALUES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})
_NO_NUMBERS: Final = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}
_SERIES: Final = "\0"
"""Where a series' name and labels go in the template of a histogram; no label may hold it, as text may not."""


def pieces(family: Family) -> Iterator[str]:
    """The family's text, its head first; each piece ends with a line's end."""
    instrument = family.instrument
    name = instrument.exported_name
    yield f"# HELP {name} {instrument.description.translate(_HELP)}\n# TYPE {name} {instrument.kind.value}\n"
    template = _template(instrument.labels)
    for start in range(0, len(family.figures), ROWS_A_PIECE):
        rows = family.figures[start : start + ROWS_A_PIECE]
        yield "".join(f"{name}{_labels(template, labels)} {_number(value)}\n" for labels, value in rows)
    for start in range(0, len(family.histograms), ROWS_A_PIECE):
        found = family.histograms[start : start + ROWS_A_PIECE]
        yield "".join(_histogram(name, _labels(template, labels), row) for labels, row in found)


def _histogram(name: str, labels: str, row: HistogramRow) -> str:
    """One series: buckets, count and sum. Written by two operations of the interpreter, for there are thousands."""
    upto = list(accumulate(row.counts))
    template = _buckets(name, tuple(row.edges))
    begun = f"{labels[:-1]}," if labels else "{"
    own = labels or ""
    lines = (template % (*upto,)).replace(_SERIES, begun)
    return f"{lines}{name}_count{own} {upto[-1]}\n{name}_sum{own} {_number(row.sum)}\n"


@lru_cache(maxsize=4096)
def _buckets(name: str, edges: tuple[float, ...]) -> str:
    """The lines of a histogram with these edges. Services' objectives add edges of their own, so there are many."""
    return "".join(f'{name}_bucket{_SERIES}le="{edge}"}} %d\n' for edge in [*map(_number, edges), "+Inf"])


@lru_cache(maxsize=1024)
def _template(names: Sequence[str]) -> str:
    return "{" + ",".join(f'{name}="%s"' for name in names) + "}" if names else ""


def _labels(template: str, values: Labels) -> str:
    written = template % values
    if "\\" in written or "\n" in written or written.count('"') != 2 * len(values):
        return template % tuple(value.translate(_VALUES) for value in values)
    return written


def _number(value: float) -> str:
    written = repr(float(value))
    return written if written[-1].isdigit() else _NO_NUMBERS[written]
