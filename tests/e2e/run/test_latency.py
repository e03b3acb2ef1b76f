import pytest

from e2e.run.latency import GateTimes, percentile
from tests.e2e.run.objects import pod


def test_from_added_to_gate_gone() -> None:
    times, held, free = GateTimes(), pod("p", "aim-1", gated=True), pod("p", "aim-1")
    times.take(None, held, 10.0, initial=False)
    times.take(held, held, 10.1, initial=False)
    times.take(held, free, 10.25, initial=False)
    times.take(free, free, 11.0, initial=False)
    assert times.milliseconds == [pytest.approx(250)]


def test_pods_of_the_first_list_and_those_that_vanish_are_left_out() -> None:
    times, held, free = GateTimes(), pod("p", "aim-1", gated=True), pod("p", "aim-1")
    times.take(None, held, 10.0, initial=True)
    times.take(held, free, 11.0, initial=False)
    times.take(None, held, 12.0, initial=False)
    times.take(held, None, 13.0, initial=False)
    times.take(None, free | {"spec": {}}, 14.0, initial=False)
    assert times.milliseconds == []


@pytest.mark.parametrize(
    ("values", "percent", "want"),
    [
        pytest.param([], 50, None, id="nothing"),
        pytest.param([7.0], 99, 7.0, id="one"),
        pytest.param([4.0, 1.0, 3.0, 2.0], 50, 2.0, id="the lower middle"),
        pytest.param([float(n) for n in range(1, 101)], 99, 99.0, id="the second largest of a hundred"),
    ],
)
def test_percentile(values: list[float], percent: float, want: float | None) -> None:
    assert percentile(values, percent) == want
