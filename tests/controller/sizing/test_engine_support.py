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
        ("MI355X", "mxfp4", ""),
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


def test_nvfp4_is_in_no_product_and_other_copies_of_the_model_are_the_remedy() -> None:
    assert not any(runs(product, Precision.NVFP4) for product in ENGINE_PRODUCTS)
    told = obstacles(ENGINE_PRODUCTS, Precision.NVFP4)
    assert told.startswith("nvfp4 is in no AMD GPU's hardware, and vLLM's emulation of it is slow")
    assert told.endswith(": serve a copy of the model in fp8 or mxfp4, or the model it was made from")
    assert told.count("emulation") == 1
