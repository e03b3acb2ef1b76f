"""Which outcome of a request counts for which objective, and what another spec keeps."""

import pytest

from controller.qos.service_counts import Metric, ServiceCounts, threshold_text
from controller.qos.slo_counts import Tally

LATENCY: tuple[Metric, float] = ("requestLatency", 10.0)
FIRST: tuple[Metric, float] = ("timeToFirstToken", 0.5)
TOKEN: tuple[Metric, float] = ("timePerOutputToken", 0.05)
WAIT: tuple[Metric, float] = ("queueWait", 1.0)
ALL = (LATENCY, FIRST, TOKEN, WAIT)
GOOD, SLOW, NONE = Tally(1), Tally(1, 1), Tally()


def tallies(counts: ServiceCounts) -> list[Tally]:
    taken = {(metric, threshold): tally for metric, threshold, tally in counts.take()}
    return [taken.get(objective, NONE) for objective in counts.objectives]


@pytest.mark.parametrize(
    ("answer", "want"),
    [
        pytest.param((9.0, 0.4, 0.04, 0.1), [GOOD, GOOD, GOOD, GOOD], id="all in time"),
        pytest.param(
            (10.0, 0.5, 0.05, 1.0), [GOOD, GOOD, GOOD, GOOD], id="a threshold is kept when it is just reached"
        ),
        pytest.param((11.0, 0.4, 0.04, 0.1), [SLOW, GOOD, GOOD, GOOD], id="late in all"),
        pytest.param((9.0, 0.6, 0.04, 0.1), [GOOD, SLOW, GOOD, GOOD], id="late to begin"),
        pytest.param((9.0, 0.4, 0.06, 0.1), [GOOD, GOOD, SLOW, GOOD], id="slow to go on"),
        pytest.param((9.0, 0.4, 0.04, 1.1), [GOOD, GOOD, GOOD, SLOW], id="waited long"),
        pytest.param((9.0, 0.4, None, 0.1), [GOOD, GOOD, NONE, GOOD], id="of one token only"),
    ],
)
def test_an_answer_counts(answer: tuple[float, float, float | None, float], want: list[Tally]) -> None:
    counts = ServiceCounts(ALL)
    counts.answered(*answer)
    assert tallies(counts) == want


@pytest.mark.parametrize(
    ("first", "wait", "want"),
    [
        pytest.param(None, None, [SLOW, SLOW, NONE, SLOW], id="in the queue"),
        pytest.param(None, 0.1, [SLOW, SLOW, NONE, GOOD], id="at the engine, before the first token"),
        pytest.param(0.4, 0.1, [SLOW, GOOD, NONE, GOOD], id="in the midst of its answer"),
    ],
)
def test_a_failure_counts_against_what_was_not_reached(
    first: float | None, wait: float | None, want: list[Tally]
) -> None:
    counts = ServiceCounts(ALL)
    counts.failed(first, wait)
    assert tallies(counts) == want


@pytest.mark.parametrize(
    ("left", "want"),
    [
        pytest.param((0.3, None, None), [NONE, NONE, NONE, NONE], id="before anything was known"),
        pytest.param((0.7, None, None), [NONE, SLOW, NONE, NONE], id="when the first token was overdue"),
        pytest.param((1.5, None, None), [NONE, SLOW, NONE, SLOW], id="when it had waited too long"),
        pytest.param((1.5, 0.4, 0.1), [NONE, GOOD, NONE, GOOD], id="in the midst of an answer in time"),
        pytest.param((11.0, 0.4, 0.1), [SLOW, GOOD, NONE, GOOD], id="when the answer was overdue"),
    ],
)
def test_a_caller_who_goes_away_takes_only_what_is_not_known_yet_along(
    left: tuple[float, float | None, float | None], want: list[Tally]
) -> None:
    counts = ServiceCounts(ALL)
    counts.abandoned(*left)
    assert tallies(counts) == want


def test_what_is_taken_is_taken_once() -> None:
    counts = ServiceCounts([LATENCY])
    assert counts.take() == []
    counts.answered(1.0, 0.1, None, 0.0)
    counts.answered(11.0, 0.1, None, 0.0)
    assert counts.take() == [("requestLatency", 10.0, Tally(2, 1))]
    assert counts.take() == []


def test_an_objective_that_is_there_twice_is_counted_once() -> None:
    counts = ServiceCounts([LATENCY, LATENCY, WAIT])
    assert counts.objectives == (LATENCY, WAIT)


def test_another_spec_keeps_the_counts_of_objectives_that_stay() -> None:
    before = ServiceCounts([LATENCY, WAIT])
    before.answered(11.0, 0.1, None, 2.0)
    after = before.continued([WAIT, FIRST])
    assert after.objectives == (WAIT, FIRST)
    assert tallies(after) == [SLOW, NONE]


@pytest.mark.parametrize(
    ("seconds", "want"), [(0.5, "500ms"), (0.0005, "0.5ms"), (0.1 + 0.2, "300ms"), (90, "90000ms"), (2e6, "2000000s")]
)
def test_a_threshold_is_found_again_however_it_is_spelled(seconds: float, want: str) -> None:
    assert threshold_text(seconds) == want
