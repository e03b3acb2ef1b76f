import pytest

from controller.repartition.hysteresis import Damping, Pull, Sightings, pulled, seconds_left

CALM = Damping(up_seconds=300, down_seconds=1800, rest_seconds=600, margin_percent=10)


def test_what_is_there_at_every_look_lasts_and_what_was_away_begins_anew() -> None:
    seen = Sightings().looked(["a", "b"], 0).looked(["a"], 60).looked(["a", "b"], 120)
    assert (seen.lasted("a", 180), seen.lasted("b", 180), seen.lasted("c", 180)) == (180, 60, 0)


@pytest.mark.parametrize(
    ("wanted", "want"),
    [
        pytest.param(100, None, id="the present number"),
        pytest.param(110, None, id="within the margin above"),
        pytest.param(90, None, id="within the margin below"),
        pytest.param(111, Pull(True, 5, 111), id="more"),
        pytest.param(89, Pull(False, 5, 89), id="less"),
    ],
)
def test_a_wish_nearer_than_the_margin_pulls_at_nothing(wanted: int, want: Pull | None) -> None:
    assert pulled(None, 100, wanted, 5, CALM) == want


def test_a_peak_is_followed_no_further_than_the_wish_lasted() -> None:
    pull = None
    for now, wanted in ((0, 150), (60, 400), (120, 140)):
        pull = pulled(pull, 100, wanted, now, CALM)
    assert pull == Pull(True, 0, 140)


def test_a_wish_that_turns_round_begins_anew() -> None:
    assert pulled(Pull(True, 0, 150), 100, 50, 60, CALM) == Pull(False, 60, 50)


@pytest.mark.parametrize(
    ("pull", "last_change", "now", "want"),
    [
        pytest.param(Pull(True, 0, 150), None, 100, 200, id="more lasts"),
        pytest.param(Pull(True, 0, 150), None, 300, 0, id="more has lasted"),
        pytest.param(Pull(False, 0, 50), None, 300, 1500, id="less has to last longer"),
        pytest.param(Pull(True, 0, 150), 0, 300, 300, id="it rests after a change"),
        pytest.param(Pull(True, 0, 150), -600, 300, 0, id="it has rested"),
    ],
)
def test_a_pull_is_followed_once_it_has_lasted_and_the_last_change_is_over(
    pull: Pull, last_change: float | None, now: float, want: float
) -> None:
    assert seconds_left(pull, last_change, now, CALM) == want
