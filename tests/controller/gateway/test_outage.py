import pytest

from controller.gateway.outage import LONGEST_SECONDS, Outage


@pytest.mark.parametrize(
    ("failures", "lasts_at", "over_at"),
    [
        pytest.param(1, 0.2, 0.51, id="one failure keeps an engine alone for half a second at most"),
        pytest.param(2, 0.45, 1.01, id="a second one for twice as long"),
        pytest.param(50, 2.4, LONGEST_SECONDS + 0.01, id="many for five seconds and no longer"),
    ],
)
@pytest.mark.parametrize("random", [0.0, 0.999])
def test_the_time_doubles_up_to_a_bound(failures: int, lasts_at: float, over_at: float, random: float) -> None:
    outage = Outage()
    for _ in range(failures):
        outage.failed(0.0, random)
    assert outage.lasts(lasts_at)
    assert not outage.lasts(over_at)


def test_a_connection_ends_it_and_the_next_failure_counts_as_the_first() -> None:
    outage = Outage()
    for _ in range(5):
        outage.failed(0.0, 0.9)
    outage.over()
    assert not outage.lasts(0.0)
    outage.failed(0.0, 0.9)
    assert not outage.lasts(0.51)
