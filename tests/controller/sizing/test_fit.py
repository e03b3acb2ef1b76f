from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.gpu.product import PRODUCTS, Product, product_named
from controller.sizing.catalog import Catalog
from controller.sizing.errors import NotDivisible
from controller.sizing.estimate import SizingRequest, estimate_model_size
from controller.sizing.fit import NO_HEADROOM, Fit, Headroom, fits, optimal_partitions
from controller.sizing.precision import Precision

CATALOG = Catalog.bundled()
GIB = 2**30
MI300X = (product_named("MI300X"),)


def found(model_id: str, *products: Product, headroom: Headroom = NO_HEADROOM, **asked: object) -> tuple[Fit, ...]:
    request = SizingRequest(model_id, **asked)  # type: ignore[arg-type]
    return optimal_partitions(CATALOG.get(model_id), request, products or MI300X, headroom)


def test_the_smallest_partitions_come_first_and_validated_ones_before_equals() -> None:
    modes = fits(product_named("MI300X"), 20 * GIB)
    assert [str(fit.mode) for fit in modes] == [
        "CPX/NPS4",
        "CPX/NPS1",
        "QPX/NPS1",
        "QPX/NPS4",
        "DPX/NPS2",
        "DPX/NPS1",
        "SPX/NPS1",
    ]
    assert [fit.headroom_bytes for fit in modes][:3] == [24574 * 2**20 - 20 * GIB] * 2 + [49148 * 2**20 - 20 * GIB]


@given(st.sampled_from(sorted(PRODUCTS)), st.integers(1, 400 * GIB), st.integers(0, 50))
def test_what_fits_really_fits_and_nothing_is_forgotten(name: str, need: int, percent: int) -> None:
    product = product_named(name)
    sizes = {mode: product.partition_bytes(mode) for mode in product.allowed}
    modes = fits(product, need, Headroom(percent))
    assert {fit.mode for fit in modes} == {mode for mode, size in sizes.items() if size - size * percent // 100 >= need}
    assert all(fit.headroom_bytes == sizes[fit.mode] - need >= 0 for fit in modes)


def test_an_exact_fit_is_a_fit() -> None:
    assert fits(product_named("MI210"), 65520 * 2**20)[0].headroom_bytes == 0
    assert fits(product_named("MI210"), 65520 * 2**20 + 1) == ()


@pytest.mark.parametrize(
    ("product", "asked"),
    [("MI210", Precision.FP8), ("MI100", Precision.BF16)],
    ids=["no fp8 there", "no engine there"],
)
def test_where_the_engine_does_not_run_nothing_fits(product: str, asked: Precision) -> None:
    assert found("Qwen/Qwen3-0.6B", product_named(product), precision=asked) == ()
    assert found("Qwen/Qwen3-0.6B", product_named("MI300X"), precision=asked) != ()


def test_a_product_of_unknown_memory_holds_nothing() -> None:
    unknown = replace(product_named("MI210"), vram_mib=None)
    assert fits(unknown, 1) == ()
    assert found("Qwen/Qwen3-4B", unknown) == ()


@pytest.mark.parametrize(
    ("model_id", "want"),
    [
        pytest.param("Qwen/Qwen3-4B", ("CPX/NPS4", 1, 1), id="a small model takes a small partition"),
        pytest.param("Qwen/Qwen3-32B", ("DPX/NPS2", 1, 1), id="a larger one a larger one"),
        pytest.param("meta-llama/Llama-3.1-405B-Instruct", ("SPX/NPS1", 8, 8), id="a huge one several GPUs"),
    ],
)
def test_the_first_is_the_smallest_that_holds_it(model_id: str, want: tuple[str, int, int]) -> None:
    first = found(model_id)[0]
    assert (str(first.mode), first.count, first.gpus) == want


def test_one_partition_is_preferred_to_several() -> None:
    assert {fit.count for fit in found("Qwen/Qwen3-32B")} == {1}


def test_ranks_share_a_gpu_when_they_were_asked_for() -> None:
    first = found("Qwen/Qwen3-32B", tensor_parallel=4)[0]
    assert (str(first.mode), first.count, first.gpus) == ("CPX/NPS4", 4, 1)


def test_across_products_the_least_memory_comes_first() -> None:
    products = [product_named(name) for name in ("MI300X", "MI355X")]
    first, *_, last = found("mistralai/Mistral-Small-24B-Instruct-2501", *products)
    assert (first.product, last.product) == ("MI355X", "MI355X")
    assert str(last.mode) == "SPX/NPS1"


def test_headroom_moves_a_model_to_a_larger_partition() -> None:
    tight = found("meta-llama/Llama-3.1-8B-Instruct", precision="fp8")[0]
    roomy = found("meta-llama/Llama-3.1-8B-Instruct", precision="fp8", headroom=Headroom(percent=50))[0]
    assert (str(tight.mode), str(roomy.mode)) == ("CPX/NPS4", "QPX/NPS1")


def test_a_model_that_no_number_of_gpus_holds_fits_nowhere() -> None:
    assert found("deepseek-ai/DeepSeek-V3", product_named("MI210")) == ()


@pytest.mark.parametrize(("percent", "bytes_"), [(100, 0), (-1, 0), (0, -1)])
def test_absurd_headroom_is_refused(percent: int, bytes_: int) -> None:
    with pytest.raises(ValueError, match="headroom of"):
        Headroom(percent, bytes_)


@given(st.sampled_from(CATALOG.known_ids()), st.sampled_from(sorted(PRODUCTS)), st.sampled_from([1, 1, 2, 4]))
def test_every_fit_holds_the_sizing_it_stands_for(model_id: str, name: str, ranks: int) -> None:
    product = product_named(name)
    try:
        modes = found(model_id, product, tensor_parallel=ranks)
    except NotDivisible:
        return
    for fit in modes:
        request = SizingRequest(model_id, tensor_parallel=fit.count)
        need = estimate_model_size(CATALOG.get(model_id), request).total_bytes
        assert fit.headroom_bytes == product.partition_bytes(fit.mode) - need >= 0
        assert fit.gpus == -(-fit.count // product.partition_count(fit.mode.compute)) <= 8
