from math import inf
from random import Random

import pytest

from tests.soak.slope import Sample, blocks, slope, student


def line(per_hour: float, noise: float = 0.0, seconds: int = 1800, seed: int = 7) -> list[Sample]:
    rng = Random(seed)
    return [Sample(t, 70 + per_hour * t / 3600 + rng.gauss(0, noise)) for t in range(0, seconds, 5)]


def test_a_straight_line_has_its_slope_and_no_doubt() -> None:
    found = slope(line(12.0))
    assert (found.per_hour, found.low, found.high) == pytest.approx((12.0, 12.0, 12.0))


def test_a_level_is_flat() -> None:
    assert slope(line(0.0)).per_hour == pytest.approx(0.0)


def test_the_interval_holds_the_true_slope_nineteen_times_in_twenty() -> None:
    held = [found.low <= 3.0 <= found.high for found in (slope(line(3.0, noise=2.0, seed=seed)) for seed in range(400))]
    assert 0.92 <= sum(held) / len(held) <= 0.98


def test_more_noise_is_more_doubt() -> None:
    quiet, loud = slope(line(0.0, noise=0.1)), slope(line(0.0, noise=5.0))
    assert quiet.high - quiet.low < loud.high - loud.low


def test_close_samples_are_averaged_first() -> None:
    assert blocks([Sample(1, 10), Sample(3, 20), Sample(61, 5)], 60.0) == [Sample(2, 15), Sample(61, 5)]


def test_two_blocks_say_nothing_for_sure() -> None:
    found = slope([Sample(0, 1), Sample(60, 2)])
    assert found.per_hour == pytest.approx(60.0)
    assert (found.low, found.high) == (-inf, inf)


def test_one_block_has_no_slope() -> None:
    with pytest.raises(ValueError, match="measure longer"):
        slope([Sample(0, 1), Sample(5, 2)])


# two-sided 95 % quantiles of the usual tables
@pytest.mark.parametrize(
    ("freedom", "want"), [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042), (1000, 1.962)]
)
def test_students_quantile(freedom: int, want: float) -> None:
    assert student(freedom) == pytest.approx(want, rel=0.01)


def test_the_highest_count_of_a_block_tells_what_stays_behind_and_not_what_a_restart_closed() -> None:
    dips = [Sample(t, 37 if t % 300 else 24) for t in range(0, 3600, 5)]
    leak = [Sample(t, 37 + t // 600 if t % 300 else 24) for t in range(0, 3600, 5)]
    assert slope(dips, level_of=max).per_hour == 0
    assert slope(leak, level_of=max).low > 4
