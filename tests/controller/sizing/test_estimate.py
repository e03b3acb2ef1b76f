from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.sizing.catalog import Catalog
from controller.sizing.engine import EngineSettings, Platform
from controller.sizing.errors import LengthTooLong, NotDivisible, OutOfRange, SizingError, UnsupportedPrecision
from controller.sizing.estimate import Sizing, SizingRequest, estimate_model_size
from controller.sizing.facts import FullAttention
from controller.sizing.precision import Precision, available_precisions
from tests.builders.model_facts import model_facts

CATALOG = Catalog.bundled()
IDS = CATALOG.known_ids()
GIB = 2**30

models = st.sampled_from(IDS)
ranks = st.sampled_from([1, 2, 4, 8])


def sized(model_id: str, **asked: object) -> Sizing:
    return estimate_model_size(CATALOG.get(model_id), SizingRequest(model_id, **asked))  # type: ignore[arg-type]


def test_every_model_is_sized_at_every_precision_it_has() -> None:
    for model_id in IDS:
        for precision in (Precision.AUTO, *available_precisions(CATALOG.get(model_id))):
            sizing = sized(model_id, precision=precision)
            assert sizing.precision is not Precision.AUTO
            assert 0 < sizing.weights_bytes < sizing.total_bytes


@given(models, ranks)
def test_the_total_is_the_sum_of_its_parts(model_id: str, number: int) -> None:
    facts = CATALOG.get(model_id)
    try:
        sizing = estimate_model_size(facts, SizingRequest(model_id, tensor_parallel=number))
    except NotDivisible:
        return
    overhead = sizing.activation_bytes + sizing.non_torch_bytes + sizing.graph_bytes + sizing.margin_bytes
    assert sizing.overhead_bytes == overhead
    assert sizing.total_bytes == sizing.weights_bytes + sizing.kv_cache_bytes + overhead
    assert sizing.all_ranks_bytes == number * sizing.total_bytes
    assert sizing.uncertainty.low_bytes < sizing.total_bytes <= sizing.uncertainty.high_bytes


@given(models, ranks, st.sampled_from(["", "0.19", "0.23", "0.31"]))
def test_the_need_covers_what_a_start_must_leave_beside_its_share(model_id: str, number: int, version: str) -> None:
    try:
        sizing = sized(model_id, tensor_parallel=number, engine=EngineSettings(version=version))
    except NotDivisible:
        return
    assert sizing.graph_bytes + sizing.margin_bytes >= sizing.beside_bytes >= GIB * 33 // 100


@given(models, st.integers(1, 2048), st.integers(1, 512), st.integers(0, 512), st.integers(0, 64))
def test_longer_or_more_never_needs_less(model_id: str, length: int, concurrency: int, longer: int, more: int) -> None:
    limit = CATALOG.get(model_id).shape.max_position_embeddings or 10**6
    length = min(length, limit)
    small = sized(model_id, max_model_len=length, max_concurrency=concurrency)
    large = sized(model_id, max_model_len=min(length + longer, limit), max_concurrency=concurrency + more)
    assert large.kv_cache_bytes >= small.kv_cache_bytes
    assert large.total_bytes >= small.total_bytes


@given(models)
def test_more_bits_never_need_less(model_id: str) -> None:
    available = available_precisions(CATALOG.get(model_id))
    order = (Precision.INT4, Precision.INT8, Precision.FP8, Precision.BF16, Precision.FP32)
    totals = [sized(model_id, precision=precision).total_bytes for precision in order if precision in available]
    assert totals == sorted(totals)


@given(models, st.sampled_from([2, 4, 8]), st.integers(1, 4096), st.integers(1, 64))
def test_no_number_of_ranks_needs_less_in_all_than_one(
    model_id: str, number: int, length: int, concurrency: int
) -> None:
    length = min(length, CATALOG.get(model_id).shape.max_position_embeddings or length)
    alone = sized(model_id, max_model_len=length, max_concurrency=concurrency)
    try:
        shared = sized(model_id, max_model_len=length, max_concurrency=concurrency, tensor_parallel=number)
    except NotDivisible:
        return
    assert number * shared.kv_cache_bytes >= alone.kv_cache_bytes
    assert shared.all_ranks_bytes >= alone.total_bytes


def in_all(model_id: str, number: int, platform: Platform) -> int:
    engine = EngineSettings(platform=platform)
    return sized(model_id, precision=Precision.BF16, tensor_parallel=number, engine=engine).all_ranks_bytes


def test_more_ranks_can_need_less_than_fewer_where_rows_are_lengthened() -> None:
    # rows of an eighth of Kimi K2's experts are a multiple of 512 bytes, which ROCm lengthens; those of a sixteenth not
    kimi = "moonshotai/Kimi-K2-Instruct"
    assert in_all(kimi, 1, "rocm") < in_all(kimi, 16, "rocm") < in_all(kimi, 8, "rocm")


@given(models, st.sampled_from([(2, 4), (2, 8), (4, 8), (8, 16)]))
def test_without_such_rows_they_never_do(model_id: str, numbers: tuple[int, int]) -> None:
    try:
        fewer, more = (in_all(model_id, number, "cuda") for number in numbers)
    except (NotDivisible, UnsupportedPrecision):
        return
    assert more >= fewer


@given(models, st.integers(1, 8192))
def test_a_cache_of_8_bit_is_never_larger(model_id: str, length: int) -> None:
    length = min(length, CATALOG.get(model_id).shape.max_position_embeddings or length)
    plain = sized(model_id, max_model_len=length)
    narrow = sized(model_id, max_model_len=length, engine=EngineSettings(kv_cache_dtype="fp8"))
    assert narrow.kv_cache_bytes <= plain.kv_cache_bytes


def test_a_cache_of_8_bit_is_half_as_large() -> None:
    narrow = sized("Qwen/Qwen3-8B", engine=EngineSettings(kv_cache_dtype="fp8"))
    assert 2 * narrow.kv_cache_bytes == sized("Qwen/Qwen3-8B").kv_cache_bytes == 8 * 8192 * 147456


def test_more_sequences_than_a_usual_batch_has_tokens_are_counted_as_activations() -> None:
    few, many = (sized("Qwen/Qwen3-4B", max_model_len=512, max_concurrency=number) for number in (2048, 4096))
    assert many.engine.max_num_batched_tokens == many.engine.max_num_seqs == 4096
    assert many.activation_bytes > 1.9 * few.activation_bytes


def test_32_bit_weights_come_with_a_32_bit_cache() -> None:
    wide = sized("Qwen/Qwen3-8B", precision=Precision.FP32)
    assert wide.kv_bytes_per_token == 2 * 147456
    assert wide.engine.kv_cache_dtype == "float32"


@pytest.mark.parametrize(
    ("model_id", "want"),
    [
        pytest.param("meta-llama/Llama-3.1-8B-Instruct", 8192, id="long contexts are cut to the default"),
        pytest.param("TinyLlama/TinyLlama-1.1B-Chat-v1.0", 2048, id="short ones are kept"),
    ],
)
def test_the_default_length(model_id: str, want: int) -> None:
    assert (sized(model_id).max_model_len, sized(model_id).max_concurrency) == (want, 8)


def test_unknown_positions_take_the_default_length_and_have_no_limit() -> None:
    facts = model_facts(max_position_embeddings=None)
    assert estimate_model_size(facts, SizingRequest("any")).max_model_len == 8192
    assert estimate_model_size(facts, SizingRequest("any", max_model_len=10**6)).max_model_len == 10**6


ASKED = SizingRequest("test/model")


@pytest.mark.parametrize(
    ("request_", "kind", "want_field", "want_remedy"),
    [
        (replace(ASKED, precision=Precision.MXFP4), UnsupportedPrecision, "precision", "use auto or one of bf16"),
        (replace(ASKED, max_model_len=8193), LengthTooLong, "max_model_len", "use at most 8192"),
        (replace(ASKED, max_model_len=0), OutOfRange, "max_model_len", "use 1 to 8192"),
        (replace(ASKED, max_model_len=-1), OutOfRange, "max_model_len", "use 1 to"),
        (replace(ASKED, max_concurrency=0), OutOfRange, "max_concurrency", "use 1 to 65536"),
        (replace(ASKED, max_concurrency=10**9), OutOfRange, "max_concurrency", "use 1 to 65536"),
        (replace(ASKED, tensor_parallel=0), OutOfRange, "tensor_parallel", "use 1 to 64"),
        (replace(ASKED, tensor_parallel=3), NotDivisible, "tensor_parallel", "use 1, 2, 4 or 8"),
    ],
    ids=[
        "no such precision",
        "too long",
        "zero length",
        "negative length",
        "zero concurrency",
        "absurd concurrency",
        "no rank",
        "ranks that do not divide",
    ],
)
def test_bad_requests_name_field_value_and_remedy(
    request_: SizingRequest, kind: type[SizingError], want_field: str, want_remedy: str
) -> None:
    with pytest.raises(kind) as refusal:
        estimate_model_size(model_facts((4, FullAttention(8, 64))), request_)
    assert refusal.value.field == want_field
    assert repr(refusal.value.value) in str(refusal.value)
    assert want_remedy in refusal.value.remedy
