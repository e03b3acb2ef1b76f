"""Families of a process's own tables: declared as instruments, read anew at each collection, kept by nobody.

In: an instrument and a callable that gives its rows of now. Out: `Family`, which text and OTLP are made from. A row is
the values of the instrument's labels, in their order, and a figure; what has no row has no series, so that a gone
pod's series end by themselves.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controller.runtime.instrument import Instrument

Labels = tuple[str, ...]
"""Values in the order of the instrument's labels."""

Rows = Callable[[], Iterable[tuple[Labels, float]]]


class HistogramRow(Protocol):
    """Observations as the data path counts them: `counts[i]` of those up to `edges[i]`, the last of those beyond."""

    @property
    def edges(self) -> Sequence[float]:
        """Upper bounds, ascending, without the infinite one."""
        ...

    @property
    def counts(self) -> Sequence[int]:
        """One more than there are edges; each bucket's own, not added up."""
        ...

    @property
    def sum(self) -> float:
        """All observations added up, in the instrument's unit."""
        ...


@dataclass(frozen=True, slots=True)
class Traced:
    """An observation of a request that somebody traces: its value, when it was made, and by what to find its trace.

    A histogram that keeps some has them by bucket, in an attribute `traced`; only OTLP carries them.
    """

    value: float
    at: datetime
    trace_id: int
    span_id: int


HistogramRows = Callable[[], Iterable[tuple[Labels, HistogramRow]]]


@dataclass(frozen=True, slots=True)
class Family:
    """An instrument with its rows of one collection: of figures, or of histograms where the instrument is one.

    Raises ValueError for a row with more or fewer labels than the instrument has.
    """

    instrument: Instrument
    figures: Sequence[tuple[Labels, float]] = ()
    histograms: Sequence[tuple[Labels, HistogramRow]] = ()

    def __post_init__(self) -> None:
        want = len(self.instrument.labels)
        for labels, _ in (*self.figures, *self.histograms):
            if len(labels) != want:
                raise ValueError(
                    f"{self.instrument.name}: a row has the labels {labels}; give one for each of "
                    f"{', '.join(self.instrument.labels) or 'none'}"
                )
