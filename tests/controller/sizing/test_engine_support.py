import pytest

from controller.gpu.product import product_named
from controller.sizing.engine_support import ENGINE_PRODUCTS, obstacle, obstacles, runs
from controller.sizing.precision import Precision


@pytest.mark.parametrize(
    ("product", "precision", "want"),
    [
        ("MI100", "bf16", "vLLM does not run on gfx908, which the MI100 is"),
        ("MI210", "fp8", "fp8 needs gfx942 or newer, and the MI210 is gfx90a"),
        ("MI210", "bf16", ""),
        ("MI210", "int8", ""),
        ("MI300X", "fp8", ""),
        ("MI355X", "fp8", ""),
    ],
)
def test_where_the_engine_does_not_run_it_is_said_why(product: str, precision: str, want: str) -> None:
    assert obstacle(product_named(product), Precision(precision)) == want
    assert runs(product_named(product), Precision(precision)) is (want == "")


@pytest.mark.parametrize(
    ("products", "want"),
    [
        (["MI210", "MI300X"], ""),
        (["MI210", "MI100"], ": choose another product or precision"),
        (["MI100"], "which the MI100 is: choose another product"),
    ],
)
def test_nowhere_to_run_has_a_remedy(products: list[str], want: str) -> None:
    found = obstacles(map(product_named, products), Precision.FP8)
    assert found.endswith(want)
    assert bool(found) is bool(want)


def test_the_mi100_is_no_product_of_the_engine() -> None:
    assert product_named("MI100") not in ENGINE_PRODUCTS
