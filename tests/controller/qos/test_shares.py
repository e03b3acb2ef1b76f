import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.qos.shares import divided, scaled_down

WEIGHTS = st.lists(st.integers(0, 1000), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("amount", "weights", "want"),
    [
        pytest.param(4, [1, 1, 1], [2, 1, 1], id="of equal remainders the first gets one more"),
        pytest.param(5, [6, 2, 4], [2, 1, 2], id="the largest remainders get one more"),
        pytest.param(3, [0, 5], [0, 3], id="nothing for a weight of nothing"),
        pytest.param(3, [0, 0], [0, 0], id="nobody to give it to"),
        pytest.param(0, [1, 2], [0, 0], id="nothing to give"),
        pytest.param(7, [], [], id="nobody"),
    ],
)
def test_seats_are_divided_by_largest_remainder(amount: int, weights: list[int], want: list[int]) -> None:
    assert divided(amount, weights) == want


@given(st.integers(0, 10_000), WEIGHTS)
def test_what_is_given_is_what_there_was_and_nobody_is_off_by_one(amount: int, weights: list[int]) -> None:
    given_out = divided(amount, weights)
    total = sum(weights)
    assert sum(given_out) == (amount if total else 0)
    for part, weight in zip(given_out, weights, strict=True):
        assert not total or abs(part - amount * weight / total) < 1


@given(WEIGHTS, st.integers(0, 5000))
def test_everybody_gets_all_while_it_fits_and_never_more_than_wanted(wanted: list[int], available: int) -> None:
    got = scaled_down(wanted, available)
    assert sum(got) == min(sum(wanted), available)
    assert all(part <= want for part, want in zip(got, wanted, strict=True))
