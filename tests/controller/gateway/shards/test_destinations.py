from collections import Counter

import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists

from controller.gateway.shards.destinations import Turns, weight


@given(lists(integers(1, 9), min_size=1, max_size=5))
def test_each_as_often_as_its_weight_in_every_round(weights: list[int]) -> None:
    turns = Turns(list(enumerate(weights)))
    for _ in range(3):
        assert Counter(turns.next() for _ in range(sum(weights))) == dict(enumerate(weights))


def test_no_bursts() -> None:
    turns = Turns([("a", 2), ("b", 1)])
    assert "".join(turns.next() for _ in range(6)) == "abaaba"


def test_where_many_wait_fewer_are_sent() -> None:
    assert weight(8, 0) == 4 * weight(2, 0)
    assert weight(8, 0) == 2 * weight(8, 8)
    assert weight(8, 10_000) == weight(0, 0) == 1


@pytest.mark.parametrize(("choices", "want"), [([], "empty"), ([("a", 0)], "weight 0 of a")])
def test_refused(choices: list[tuple[str, int]], want: str) -> None:
    with pytest.raises(ValueError, match=want):
        Turns(choices)
