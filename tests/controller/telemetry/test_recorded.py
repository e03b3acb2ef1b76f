"""Histograms that we keep ourselves."""

from controller.telemetry.instruments import SCHEDULER_TIME_TO_BIND
from controller.telemetry.recorded import Recorded

EDGES = SCHEDULER_TIME_TO_BIND.buckets


def test_what_is_declared_is_told_before_anything_happens() -> None:
    ((labels, row),) = Recorded(SCHEDULER_TIME_TO_BIND, [("bound",)]).rows()
    assert (labels, row.edges, row.counts, row.sum) == (("bound",), EDGES, [0] * (len(EDGES) + 1), 0.0)


def test_an_observation_falls_into_the_bucket_whose_edge_it_does_not_exceed() -> None:
    recorded = Recorded(SCHEDULER_TIME_TO_BIND)
    for seconds in (EDGES[0], EDGES[0] + 0.001, EDGES[-1] + 1):
        recorded.record(seconds, "bound")
    recorded.record(1.0, "allocated")
    rows = dict(recorded.rows())
    assert [n for n, count in enumerate(rows["bound",].counts) if count] == [0, 1, len(EDGES)]
    assert rows["bound",].sum == sum((EDGES[0], EDGES[0] + 0.001, EDGES[-1] + 1))
    assert sum(rows["allocated",].counts) == 1
