import pytest

from controller.placement.packing.columns import Arrays
from controller.placement.packing.scorers.arithmetic import NUMBERS, Arithmetic


@pytest.mark.parametrize("arithmetic", [NUMBERS, Arrays()])
def test_a_table_is_looked_up_by_the_whole_part_and_goes_on_as_it_ends(arithmetic: Arithmetic) -> None:
    table = arithmetic.table([1.0, 2.0, 4.0])
    assert [arithmetic.look_up(table, place) for place in (0.0, 0.9, 1.0, 2.5, 1e9)] == [1.0, 1.0, 2.0, 4.0, 4.0]


@pytest.mark.parametrize("arithmetic", [NUMBERS, Arrays()])
def test_an_amount_below_the_least_is_that(arithmetic: Arithmetic) -> None:
    assert [arithmetic.at_least(1.0, amount) for amount in (-5.0, 1.0, 2.0)] == [1.0, 1.0, 2.0]
