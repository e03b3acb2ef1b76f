import pytest

from controller.gpu.compute_units import memory_with, next_units
from controller.gpu.product import product_named

MI300X, MI355X = product_named("MI300X"), product_named("MI355X")


@pytest.mark.parametrize(
    ("units", "want"),
    [
        pytest.param(38, {"SPX", "DPX", "QPX", "CPX"}, id="as many as the smallest partition has"),
        pytest.param(39, {"SPX", "DPX", "QPX"}, id="more than that"),
        pytest.param(76, {"SPX", "DPX", "QPX"}, id="a quarter"),
        pytest.param(152, {"SPX", "DPX"}, id="a half"),
        pytest.param(304, {"SPX"}, id="a whole GPU"),
    ],
)
def test_partitions_with_that_much_memory_are_those_with_enough_units(units: int, want: set[str]) -> None:
    least = memory_with([MI300X], units)
    assert least is not None
    assert {mode.compute.value for mode in MI300X.allowed if MI300X.partition_bytes(mode) >= least} == want


def test_no_partition_has_more_units_than_a_gpu() -> None:
    assert memory_with([MI300X], 305) is None


def test_of_several_products_it_is_enough_on_each() -> None:
    least = memory_with([MI300X, MI355X], 100)
    assert least is not None
    for product in (MI300X, MI355X):
        for mode in product.allowed:
            if product.partition_bytes(mode) >= least:
                assert product.partition_compute_units(mode) >= 100
    assert memory_with([], 1) is None


@pytest.mark.parametrize(("units", "want"), [(0, 38), (37, 38), (38, 76), (76, 152), (200, 304), (304, None)])
def test_the_next_larger_partition_is_the_smallest_that_has_more(units: int, want: int | None) -> None:
    assert next_units([MI300X], units) == want


def test_of_several_products_the_next_one_may_be_of_any() -> None:
    assert next_units([MI300X, MI355X], 38) == min(
        count for product in (MI300X, MI355X) for mode in product.allowed
        if (count := product.partition_compute_units(mode)) > 38
    )  # fmt: skip
    assert next_units([], 1) is None
