"""Delays grow, are jittered, capped, and start over after a quiet time."""

from random import Random

import pytest

from controller.runtime.cache.backoff import Backoff


class Fixed(Random):
    """A random source that always gives the same fraction."""

    def __init__(self, fraction: float) -> None:
        super().__init__()
        self._fraction = fraction

    def random(self) -> float:
        return self._fraction


@pytest.mark.parametrize(
    ("fraction", "want"),
    [
        pytest.param(0.0, [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0], id="no jitter"),
        pytest.param(0.5, [1.2, 2.4, 4.8, 9.6, 19.2, 30.0, 30.0, 30.0], id="half jitter"),
    ],
)
def test_growth(fraction: float, want: list[float]) -> None:
    backoff = Backoff(Fixed(fraction))
    assert [backoff.failed(float(second)) for second in range(8)] == pytest.approx(want)


@pytest.mark.parametrize(
    ("quiet", "want"),
    [pytest.param(120.0, 3.2, id="just not yet"), pytest.param(120.1, 0.8, id="long enough")],
)
def test_two_quiet_minutes_start_over(quiet: float, want: float) -> None:
    backoff = Backoff(Fixed(0.0))
    backoff.failed(0.0)
    backoff.failed(10.0)
    assert backoff.failed(10.0 + quiet) == pytest.approx(want)
