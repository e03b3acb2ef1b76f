from dataclasses import dataclass

import pytest

from controller.gateway.latency import Histogram, LatencyTable
from controller.qos.refusal import QUEUE_FULL, RATE_LIMITED
from controller.qos.service_counts import ServiceCounts


@dataclass
class Timed:
    arrived: float = 100.0
    dispatched: float = 100.2
    begun_at: float = 100.5
    status: int = 200
    streamed: bool = True
    headers: bytes = b""


def test_an_observation_counts_up_to_its_edge_and_its_edge_included() -> None:
    histogram = Histogram([1.0, 0.1, 1.0])
    for seconds in (0.05, 0.1, 0.5, 1.0, 2.0):
        histogram.observe(seconds)
    assert (histogram.edges, histogram.counts) == ((0.1, 1.0), [2, 2, 1])
    assert histogram.count == 5
    assert histogram.sum == pytest.approx(3.65)


def test_what_an_answer_took_is_counted_from_its_arrival() -> None:
    table = LatencyTable()
    table.served(Timed(), 101.5, 10, 11)
    assert table.outcomes == {(200, ""): 1}
    assert [one.sum for one in (table.queue_wait, table.first_byte, table.success)] == pytest.approx([0.2, 0.5, 1.5])
    assert table.token.sum == pytest.approx(0.1)  # a second for the ten tokens after the first
    assert (table.input_tokens, table.output_tokens) == (10, 11)


def test_an_answer_that_is_no_stream_says_nothing_of_each_token() -> None:
    table = LatencyTable()
    table.served(Timed(streamed=False), 101.5, 10, 11)
    assert table.token.count == 0


@pytest.mark.parametrize(
    ("status", "want"),
    [
        pytest.param(400, 0, id="what a caller got wrong says nothing of the service"),
        pytest.param(429, 1, id="an engine that is asked too much fails"),
        pytest.param(500, 1, id="an engine's error is a failure"),
    ],
)
def test_answers_that_are_errors_are_failures(status: int, want: int) -> None:
    counts = ServiceCounts([("requestLatency", 0.5)])
    table = LatencyTable((0.5,), counts)
    table.served(Timed(status=status), 100.6, 0, 0)
    assert (table.failure.count, table.success.count, table.first_byte.count) == (1, 0, 0)
    assert counts._counters[0].slow == want


@pytest.mark.parametrize(
    ("reason", "want"),
    [
        pytest.param(QUEUE_FULL, 1, id="a refusal for want of room counts against the objective"),
        pytest.param(RATE_LIMITED, 0, id="one of a caller that is too fast does not"),
    ],
)
def test_refusals_count_against_objectives_where_the_service_is_to_blame(reason: str, want: int) -> None:
    counts = ServiceCounts([("queueWait", 0.5)])
    table = LatencyTable((0.5,), counts)
    table.failed(Timed(dispatched=0.0, begun_at=0.0), (429, reason), 100.0)
    assert counts._counters[0].slow == want
    assert (table.outcomes, table.failure.count) == ({(429, reason): 1}, 0)


def test_a_client_that_leaves_early_is_counted_and_not_against_the_service() -> None:
    counts = ServiceCounts([("requestLatency", 5.0)])
    table = LatencyTable((5.0,), counts)
    table.abandoned(Timed(begun_at=0.0), (499, "ClientGone"), 101.0)
    assert counts._counters[0].requests == 0
    assert table.outcomes == {(499, "ClientGone"): 1}
