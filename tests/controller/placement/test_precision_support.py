import pytest

from controller.gpu.product import PRODUCTS
from controller.placement.precision_support import obstacle_on, obstacle_on_all
from controller.sizing.precision import Precision

UNKNOWN = "MI999X"


@pytest.mark.parametrize(
    ("product", "precision", "want"),
    [
        pytest.param("MI300X", "fp8", "", id="a GPU with 8-bit floats"),
        pytest.param("MI210", "bf16", "", id="16 bit on an older one"),
        pytest.param("MI210", "fp8", "fp8 needs gfx942", id="8-bit floats on an older one"),
        pytest.param("MI100", "bf16", "vLLM does not run on gfx908", id="one that the engine left behind"),
        pytest.param(UNKNOWN, "fp8", "", id="a product that no table knows"),
        pytest.param("MI100", None, "", id="a claim that names no precision"),
    ],
)
def test_what_is_against_a_product(product: str, precision: str | None, want: str) -> None:
    found = obstacle_on(product, None if precision is None else Precision(precision))
    assert found.startswith(want)
    assert bool(found) is bool(want)
    assert not found or ": choose another product" in found


@pytest.mark.parametrize(
    ("products", "want"),
    [
        pytest.param([], "", id="no GPUs at all"),
        pytest.param(["MI210", "MI300X"], "", id="one of them will do"),
        pytest.param(["MI210", UNKNOWN], "", id="one of them is unknown"),
        pytest.param(
            ["MI210", "MI100", "MI210"],
            "no GPU here (MI100, MI210) serves fp8: fp8 needs gfx942 or newer, and the MI210 is gfx90a: choose another "
            "product or precision",
            id="none: told of the newest, each named once",
        ),
    ],
)
def test_what_is_against_all_of_several_products(products: list[str], want: str) -> None:
    assert obstacle_on_all(products, Precision.FP8) == want


def test_a_claim_without_a_precision_is_held_up_by_no_product() -> None:
    assert obstacle_on_all(PRODUCTS, None) == ""
