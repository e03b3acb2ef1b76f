"""Histograms added up: what services that are told together have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from controller.telemetry.families import HistogramRow


@dataclass(frozen=True, slots=True)
class Merged:
    """Several histograms as one (`HistogramRow`)."""

    edges: Sequence[float]
    counts: Sequence[int]
    sum: float


def merged(rows: Sequence[HistogramRow]) -> Merged:
    """All of `rows`, which are some, with the edges that each of them has: services' objectives add edges of their own,
    and what lies between two edges of one lies nowhere in another."""
    edges = sorted(set(rows[0].edges).intersection(*(row.edges for row in rows[1:])))
    upto = dict.fromkeys(edges, 0)
    for row in rows:
        for edge, count in zip(row.edges, accumulate(row.counts), strict=False):  # the last count is beyond all edges
            if edge in upto:
                upto[edge] += count
    everything = [*upto.values(), sum(sum(row.counts) for row in rows)]
    counts = [after - before for before, after in zip([0, *everything], everything, strict=False)]
    return Merged(edges, counts, sum(row.sum for row in rows))
