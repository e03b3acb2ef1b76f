"""Whatever is wished for, changes are few, far between, and only to what was wished for long enough."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from controller.repartition.hysteresis import Damping, pulled, seconds_left

DAMPING = Damping(up_seconds=300, down_seconds=1800, rest_seconds=600, margin_percent=10)
LOOK = 30.0
LEVELS = st.integers(50, 400)
NOISE = st.lists(LEVELS, min_size=1, max_size=600)


def changes(wishes: list[int], present: int = 100) -> list[tuple[float, int, int]]:
    """What becomes of `present` when each wish stands for one look: (when, before, after) of each change."""
    found: list[tuple[float, int, int]] = []
    pull, last = None, None
    for number, wanted in enumerate(wishes):
        now = number * LOOK
        pull = pulled(pull, present, wanted, now, DAMPING)
        if pull is not None and seconds_left(pull, last, now, DAMPING) == 0:
            found.append((now, present, pull.level))
            present, last, pull = pull.level, now, None
    return found


@given(NOISE)
def test_however_demand_jumps_changes_are_bounded_and_rest_in_between(wishes: list[int]) -> None:
    times = [when for when, _, _ in changes(wishes)]
    assert all(later - earlier >= DAMPING.rest_seconds for earlier, later in pairwise(times))
    lasted = len(wishes) * LOOK
    assert len(times) <= 1 + lasted / DAMPING.rest_seconds


@given(NOISE)
def test_a_change_is_to_a_level_that_every_wish_of_the_time_reached(wishes: list[int]) -> None:
    for when, before, after in changes(wishes):
        up = after > before
        span = DAMPING.up_seconds if up else DAMPING.down_seconds
        asked = wishes[int((when - span) / LOOK) : int(when / LOOK) + 1]
        assert all(wish >= after if up else wish <= after for wish in asked)
        assert abs(after - before) * 100 > DAMPING.margin_percent * before


@given(st.integers(2, 600))
def test_demand_that_swings_faster_than_it_has_to_last_changes_nothing(looks: int) -> None:
    swinging = [40 if number % 2 else 390 for number in range(looks)]
    assert changes(swinging) == []


@given(st.lists(st.integers(91, 110), min_size=1, max_size=600))
def test_noise_within_the_margin_changes_nothing(wishes: list[int]) -> None:
    assert changes(wishes) == []
