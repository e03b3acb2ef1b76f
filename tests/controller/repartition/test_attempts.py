from datetime import timedelta

import pytest

from controller.gpu.mode import Mode
from controller.repartition.attempts import NONE_TRIED, Attempt, Attempts, Change
from tests.builders.gpu import bdf
from tests.fakes.clock import START


def change(node: str = "worker-0", mode: str = "CPX/NPS1") -> Change:
    return Change(node, ((bdf(0), Mode.parse(mode)),))


def tried(*minutes_ago: float, of: Change | None = None) -> Attempts:
    ended = (START - timedelta(minutes=ago) for ago in minutes_ago)
    return Attempts([Attempt(of or change(), at) for at in ended], START)


@pytest.mark.parametrize(
    ("minutes_ago", "want"),
    [
        pytest.param([], False, id="never tried"),
        pytest.param([9], True, id="a first failure rests ten minutes"),
        pytest.param([10], False, id="and not longer"),
        pytest.param([19, 50], True, id="a second twenty"),
        pytest.param([20, 50], False, id="and not longer"),
        pytest.param([39, 100, 200], True, id="a third forty"),
        pytest.param([359, *range(400, 440)], True, id="at most six hours, however often it failed"),
        pytest.param([360, *range(400, 440)], False, id="and not longer"),
    ],
)
def test_a_change_that_failed_rests_twice_as_long_each_time(minutes_ago: list[float], want: bool) -> None:
    attempts = tried(*minutes_ago)
    assert attempts.rests(change()) is want
    assert attempts.of(change()) == len(minutes_ago)


@pytest.mark.parametrize("other", [change("worker-1"), change(mode="QPX/NPS1")], ids=["node", "mode"])
def test_another_change_does_not_rest(other: Change) -> None:
    assert not tried(1).rests(other)
    assert tried(1).of(other) == 0


def test_three_an_hour_are_enough_whatever_they_are() -> None:
    assert tried(5, 30).too_many() is None
    assert tried(5, 30, 59).too_many() == START + timedelta(minutes=1)
    assert tried(5, 10, 30, 59).too_many() == START + timedelta(minutes=30)
    assert tried(5, 30, 60).too_many() is None


def test_nothing_rests_that_was_never_tried() -> None:
    assert (NONE_TRIED.none, tried(1).none) == (True, False)
    assert not NONE_TRIED.rests(change())
    assert NONE_TRIED.too_many() is None
