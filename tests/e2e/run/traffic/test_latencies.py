import pytest

from e2e.run.traffic.latencies import MOST_KEPT, WINDOW_SECONDS, Latencies, milliseconds
from e2e.run.traffic.sent import Sent

A, B = "team/a", "team/b"


def ended(latencies: Latencies, sent: Sent) -> None:
    latencies.begin(sent.service)
    latencies.end(sent)


def test_figures_are_of_the_window_and_counts_of_all() -> None:
    latencies = Latencies()
    ended(latencies, Sent(A, at=0.0, first=9.0, whole=9.0))
    for number in range(10):
        ended(latencies, Sent(A, at=100.0 + number, first=0.1, whole=0.5))
    ended(latencies, Sent(A, at=105.0, reason="QueueFull"))
    (found,) = latencies.figures(110.0)
    assert (found.first_p50_ms, found.first_p99_ms, found.whole_p99_ms) == (100.0, 100.0, 500.0)
    assert (found.rate, found.refused, found.waiting) == (1.0, {"QueueFull": 1}, 0)
    assert (latencies.answered[A], latencies.refused[A, "QueueFull"]) == (11, 1)


def test_a_service_that_answers_nothing_is_shown_without_figures() -> None:
    latencies = Latencies()
    latencies.begin(B)
    ended(latencies, Sent(A, at=1.0, reason="NoEndpoint"))
    first, second = latencies.figures(2.0)
    assert (first.service, first.first_p50_ms, first.rate) == (A, None, 0.0)
    assert (second.service, second.waiting, second.refused) == (B, 1, {})


def test_an_answer_counts_by_when_it_ended() -> None:
    latencies = Latencies()
    ended(latencies, Sent(A, at=0.0, first=1.0, whole=WINDOW_SECONDS))
    assert latencies.figures(WINDOW_SECONDS + 1)[0].whole_p50_ms is not None
    assert latencies.figures(2 * WINDOW_SECONDS + 1)[0].whole_p50_ms is None


def test_no_more_is_kept_than_the_bound() -> None:
    latencies = Latencies()
    for number in range(MOST_KEPT + 100):
        ended(latencies, Sent(A, at=float(number) / MOST_KEPT, first=0.1, whole=0.1))
    assert latencies.figures(1.0)[0].rate <= MOST_KEPT


@pytest.mark.parametrize(("values", "want"), [([None, 0.01234], 12.3), ([None], None), ([], None)])
def test_seconds_become_milliseconds(values: list[float | None], want: float | None) -> None:
    assert milliseconds(values, 99) == want
