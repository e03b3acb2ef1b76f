import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.gpu.product import PRODUCTS, product_named
from controller.sizing.catalog import Catalog
from controller.sizing.errors import LengthTooLong, OutOfRange, SizingError, UnknownModel
from controller.sizing.precision import Precision, available_precisions
from controller.sizing.requirement import ModelSizingConfig, SizingRequest, fits

CATALOG = Catalog.bundled()
SIZING = ModelSizingConfig(CATALOG)
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
GIB = 2**30

models = st.sampled_from(CATALOG.known_ids())


@pytest.mark.parametrize("model_id", CATALOG.known_ids())
def test_every_model_is_sized_at_every_precision_it_has(model_id: str) -> None:
    for precision in (Precision.AUTO, *available_precisions(CATALOG.get(model_id))):
        sizing = SIZING.size(SizingRequest(model_id, precision))
        assert sizing.precision is not Precision.AUTO
        assert sizing.total_bytes == sizing.weights_bytes + sizing.kv_cache_bytes + sizing.overhead_bytes
        assert sizing.overhead_bytes > 1.5 * GIB + 0.03 * sizing.weights_bytes


@pytest.mark.parametrize(
    ("model_id", "want"),
    [
        pytest.param(LLAMA, 8192, id="long contexts are cut to the default"),
        pytest.param("tiiuae/falcon-40b", 2048, id="short ones are kept"),
        pytest.param("CohereLabs/c4ai-command-a-03-2025", 8192, id="unknown ones take the default"),
    ],
)
def test_the_default_length(model_id: str, want: int) -> None:
    sizing = SIZING.size(SizingRequest(model_id))
    assert (sizing.max_model_len, sizing.max_concurrency) == (want, 8)


@pytest.mark.parametrize(
    ("request_", "kind", "want_field", "want_remedy"),
    [
        (SizingRequest("no/such-model"), UnknownModel, "model_id", "use an id of the catalogue"),
        (SizingRequest(LLAMA, max_model_len=131073), LengthTooLong, "max_model_len", "use at most 131072"),
        (SizingRequest(LLAMA, max_model_len=0), OutOfRange, "max_model_len", "use 1 to 131072"),
        (SizingRequest(LLAMA, max_model_len=-1), OutOfRange, "max_model_len", "use 1 to"),
        (SizingRequest(LLAMA, max_concurrency=0), OutOfRange, "max_concurrency", "use 1 to 65536"),
        (SizingRequest(LLAMA, max_concurrency=10**9), OutOfRange, "max_concurrency", "use 1 to 65536"),
    ],
    ids=["unknown model", "too long", "zero length", "negative length", "zero concurrency", "absurd concurrency"],
)
def test_bad_requests_name_field_value_and_remedy(
    request_: SizingRequest, kind: type[SizingError], want_field: str, want_remedy: str
) -> None:
    with pytest.raises(kind) as refusal:
        SIZING.size(request_)
    assert refusal.value.field == want_field
    assert repr(refusal.value.value) in str(refusal.value)
    assert want_remedy in refusal.value.remedy


@given(models, st.integers(1, 2048), st.integers(1, 512), st.integers(0, 512), st.integers(0, 64))
def test_longer_or_more_never_needs_less(model_id: str, length: int, concurrency: int, longer: int, more: int) -> None:
    small = SIZING.size(SizingRequest(model_id, max_model_len=length, max_concurrency=concurrency))
    length = min(length + longer, CATALOG.get(model_id).shape.max_position_embeddings or 10**6)
    large = SIZING.size(SizingRequest(model_id, max_model_len=length, max_concurrency=concurrency + more))
    assert large.kv_cache_bytes >= small.kv_cache_bytes
    assert large.total_bytes >= small.total_bytes


def test_the_smallest_partitions_come_first_and_validated_ones_before_equals() -> None:
    found = fits(product_named("MI300X"), 20 * GIB)
    assert [str(fit.mode) for fit in found] == [
        "CPX/NPS4",
        "CPX/NPS1",
        "QPX/NPS1",
        "QPX/NPS4",
        "DPX/NPS2",
        "DPX/NPS1",
        "SPX/NPS1",
    ]
    assert [fit.headroom_bytes for fit in found][:3] == [24574 * 2**20 - 20 * GIB] * 2 + [49148 * 2**20 - 20 * GIB]


@given(st.sampled_from(sorted(PRODUCTS)), st.integers(1, 400 * GIB))
def test_what_fits_really_fits_and_nothing_is_forgotten(name: str, need: int) -> None:
    product = product_named(name)
    found = fits(product, need)
    assert {fit.mode for fit in found} == {mode for mode in product.allowed if product.partition_bytes(mode) >= need}
    assert all(fit.headroom_bytes == product.partition_bytes(fit.mode) - need >= 0 for fit in found)
    assert {fit.count for fit in found} <= {1}


def test_an_exact_fit_is_a_fit() -> None:
    assert fits(product_named("MI210"), 65520 * 2**20)[0].headroom_bytes == 0
    assert fits(product_named("MI210"), 65520 * 2**20 + 1) == ()


@pytest.mark.parametrize(
    ("request_", "want"),
    [
        (SizingRequest("Qwen/Qwen3-4B"), "CPX"),
        (SizingRequest(LLAMA, Precision.FP8), "CPX"),
        (SizingRequest(LLAMA), "QPX"),
        (SizingRequest("Qwen/Qwen3-32B"), "DPX"),
        (SizingRequest("meta-llama/Llama-3.3-70B-Instruct"), "SPX"),
        (SizingRequest("deepseek-ai/DeepSeek-R1"), None),
    ],
    ids=["4B", "8B in fp8", "8B", "32B", "70B", "671B"],
)
def test_known_models_land_where_experience_puts_them(request_: SizingRequest, want: str | None) -> None:
    found = fits(product_named("MI300X"), SIZING.size(request_).total_bytes)
    assert (found[0].mode.compute if found else None) == want
