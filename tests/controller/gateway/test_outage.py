import pytest

from controller.gateway.outage import LONGEST_SECONDS, seconds_until_try


@pytest.mark.parametrize(
    ("failures", "want"),
    [
        pytest.param(1, 0.25, id="a quarter of a second at most after the first"),
        pytest.param(2, 0.5, id="then twice as long"),
        pytest.param(5, 4.0, id="each time"),
        pytest.param(6, LONGEST_SECONDS, id="up to five seconds"),
        pytest.param(100_000, LONGEST_SECONDS, id="however often"),
    ],
)
def test_the_wait_doubles_up_to_a_bound_and_half_of_it_is_chance(failures: int, want: float) -> None:
    assert seconds_until_try(failures, 0.0) == want / 2
    assert want * 0.99 < seconds_until_try(failures, 0.999) < want


def test_without_a_failure_there_is_nothing_to_wait_for() -> None:
    with pytest.raises(ValueError, match="failures 0"):
        seconds_until_try(0, 0.5)
