from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.gpu.product import PRODUCTS
from controller.profiles.aim_profile import Metric
from controller.profiles.engine_arguments import Room, engine_arguments, memory_utilization, sizing_in
from controller.sizing.estimate import estimate_model_size
from controller.sizing.margin import start_spread_bytes
from controller.sizing.precision import Precision, native_precision
from controller.sizing.requirement import SizingRequest
from controller.sizing.tensor_parallel import possible_ranks
from tests.builders.model_config import facts_of
from tests.builders.profile import CATALOG, LLAMA, SIZES

HYBRID = "Qwen/Qwen3-Coder-Next"
CARD = 196592 << 20
SLICE = 24574 << 20
SIZED = {product.partition_bytes(mode) for product in PRODUCTS.values() for mode in product.allowed}

rooms = st.builds(Room, st.sampled_from(sorted(SIZED)), st.booleans())


@st.composite
def sizing_requests(draw: st.DrawFn) -> SizingRequest:
    """A request for any model, on any number of ranks that can share it."""
    model_id = draw(st.sampled_from(CATALOG.known_ids()))
    ranks = possible_ranks(CATALOG.get(model_id), native_precision(CATALOG.get(model_id)), 8)
    length = draw(st.integers(1, 512))
    concurrency = draw(st.integers(1, 64))
    return SizingRequest(model_id, Precision.AUTO, length, concurrency, draw(st.sampled_from(ranks)))


requests = sizing_requests()


def arguments(room: Room, metric: Metric = Metric.LATENCY, precision: Precision = Precision.FP16) -> dict[str, object]:
    sizing = sizing_in(room, SIZES, SizingRequest(LLAMA, precision), metric)
    return dict(engine_arguments(sizing, room))


@pytest.mark.parametrize("metric", Metric)
def test_every_default_that_follows_the_device_is_said(metric: Metric) -> None:
    assert arguments(Room(SLICE), metric).keys() >= {
        "gpu-memory-utilization",
        "kv-cache-dtype",
        "max-model-len",
        "max-num-batched-tokens",
        "max-num-seqs",
        "tensor-parallel-size",
    }


@pytest.mark.parametrize("metric", Metric)
def test_the_engine_follows_the_priority_of_requests(metric: Metric) -> None:
    assert arguments(Room(SLICE), metric)["scheduling-policy"] == "priority"


def test_latency_starts_with_the_settings_its_memory_was_counted_with() -> None:
    counted = SIZES.size(SizingRequest(LLAMA, Precision.FP16))
    found = arguments(Room(CARD))
    assert found["max-num-batched-tokens"] == counted.engine.max_num_batched_tokens
    assert found["max-num-seqs"] == counted.engine.max_num_seqs
    assert found["max-model-len"] == counted.max_model_len


@pytest.mark.parametrize(("asked", "dtype"), [(Precision.AUTO, "bfloat16"), (Precision.FP32, "float32")])
def test_a_checkpoint_in_float32_is_loaded_in_the_type_it_was_counted_in(asked: Precision, dtype: str) -> None:
    sizing = estimate_model_size(facts_of("gemma2", torch_dtype="float32"), SizingRequest("any", asked))
    assert dict(engine_arguments(sizing, Room(CARD)))["dtype"] == dtype


def test_the_share_leaves_what_the_default_images_engine_must_find_beside_it() -> None:
    # 24574 MiB: at 0.9445 too little was left for graphs of 1.6 GiB and what is there before the engine looks
    sizing = SIZES.size(SizingRequest("openai/gpt-oss-20b"))
    share = memory_utilization(sizing, Room(SLICE))
    assert SLICE * (1 - share) >= sizing.beside_bytes > 1.9 * 2**30
    assert 0.91 < share < 0.93


def test_one_long_request_gets_what_starts_differ_by_on_top() -> None:
    # 2.4 GiB are left over; a share that leaves margin and graphs beside it has 1.5 of them
    sizing = SIZES.size(SizingRequest(LLAMA, max_model_len=32_000, max_concurrency=1))
    share = memory_utilization(sizing, Room(SLICE)) * SLICE
    assert share >= sizing.total_bytes - sizing.margin_bytes - sizing.graph_bytes + start_spread_bytes("rocm")
    assert SLICE - share >= sizing.beside_bytes - SLICE / 10_000


def test_a_batch_is_never_smaller_than_its_sequences() -> None:
    request = SizingRequest("Qwen/Qwen3-4B", max_model_len=512, max_concurrency=4096)
    found = dict(engine_arguments(sizing_in(Room(CARD), SIZES, request, Metric.LATENCY), Room(CARD)))
    assert (found["max-num-seqs"], found["max-num-batched-tokens"]) == (4096, 4096)


def test_throughput_takes_larger_batches_on_a_card_than_on_a_slice() -> None:
    card, a_slice = (arguments(Room(size), Metric.THROUGHPUT, Precision.INT4) for size in (CARD, SLICE))
    assert (card["max-num-seqs"], card["max-num-batched-tokens"]) == (1024, 8192)
    assert (a_slice["max-num-seqs"], a_slice["max-num-batched-tokens"]) == (256, 8192)


def test_throughput_takes_no_larger_batches_where_nothing_is_left() -> None:
    request = SizingRequest(LLAMA, Precision.FP16)
    tight = Room(SIZES.size(request).total_bytes)
    assert sizing_in(tight, SIZES, request, Metric.THROUGHPUT) == SIZES.size(request)


@pytest.mark.parametrize(
    ("precision", "want"),
    [("fp16", "float16"), ("bf16", "bfloat16"), ("int4", "auto"), ("fp8", "auto")],
)
def test_weights_are_cast_and_never_quantized(precision: str, want: str) -> None:
    found = arguments(Room(CARD), precision=Precision(precision))
    assert found["dtype"] == want
    assert "quantization" not in found


def test_a_sharer_pins_its_cache_and_takes_no_more_than_its_need() -> None:
    sizing = SIZES.size(SizingRequest(LLAMA, Precision.INT4, 4096, 4))
    found = dict(engine_arguments(sizing, Room(CARD, cooperative=True)))
    assert found["kv-cache-memory-bytes"] == sizing.kv_cache_bytes
    assert found["gpu-memory-utilization"] == pytest.approx(sizing.total_bytes / CARD, abs=0.005)


def test_alone_on_a_partition_the_cache_is_not_pinned() -> None:
    assert "kv-cache-memory-bytes" not in arguments(Room(SLICE))


def test_a_card_with_memory_to_spare_is_not_used_to_the_last() -> None:
    assert arguments(Room(CARD))["gpu-memory-utilization"] == 0.95


@settings(deadline=None)  # other tests may have the processor
@given(requests, st.booleans())
def test_a_room_that_just_fits_holds_what_was_counted(request_: SizingRequest, cooperative: bool) -> None:
    sizing = SIZES.size(request_)
    room = Room(sizing.total_bytes, cooperative)
    # graphs are beside the share of the default image's engine
    counted = sizing.total_bytes - sizing.margin_bytes - (0 if cooperative else sizing.graph_bytes)
    assert memory_utilization(sizing, room) * room.bytes >= counted - 1


@settings(deadline=None)  # other tests may have the processor
@given(requests, rooms, st.sampled_from(Metric))
def test_what_was_counted_goes_into_the_engines_share(request_: SizingRequest, room: Room, metric: Metric) -> None:
    sizing = sizing_in(room, SIZES, request_, metric)
    if sizing.total_bytes > room.bytes:
        return
    share = memory_utilization(sizing, room) * room.bytes
    step = room.bytes / 10_000  # the share is written with four decimals
    assert share >= sizing.total_bytes - sizing.margin_bytes - (0 if room.cooperative else sizing.graph_bytes) - 1
    left = sizing.margin_bytes if room.cooperative else sizing.beside_bytes
    assert room.bytes - share >= left - 2 * step


@settings(deadline=None)  # other tests may have the processor
@given(requests, st.sampled_from(sorted(SIZED)))
def test_graphs_have_room_beside_the_engines_share_where_there_is_any(request_: SizingRequest, size: int) -> None:
    sizing = SIZES.size(request_)
    if sizing.total_bytes + sizing.graph_bytes + start_spread_bytes("rocm") <= size:
        share = memory_utilization(sizing, Room(size)) * size
        assert size - share >= sizing.graph_bytes + sizing.margin_bytes - size / 10_000


@settings(deadline=None)  # other tests may have the processor
@given(requests, st.sampled_from(sorted(SIZED)))
def test_throughput_never_needs_more_than_there_is(request_: SizingRequest, size: int) -> None:
    if SIZES.size(request_).total_bytes <= size:
        found = sizing_in(Room(size), SIZES, request_, Metric.THROUGHPUT)
        assert found.total_bytes <= size
        assert found.engine.max_num_batched_tokens >= (SIZES.size(request_).engine.max_num_batched_tokens or 0)  # type: ignore[operator]


@pytest.mark.parametrize("asked", [8, 100])
def test_a_model_with_states_takes_no_more_sequences_than_the_cache_has_places(asked: int) -> None:
    request = SizingRequest(HYBRID, Precision.FP8, 1024, asked)
    need = SIZES.size(request).total_bytes
    tight, roomy = (sizing_in(Room(size), SIZES, request, Metric.LATENCY) for size in (need, 4 * need))
    assert asked <= (tight.engine.max_num_seqs or 0) < 256
    assert roomy.engine.max_num_seqs == 256
    assert tight.total_bytes <= need


def test_a_model_without_states_has_a_place_for_all_where_it_just_fits() -> None:
    request = SizingRequest(LLAMA, Precision.FP16)
    just = Room(SIZES.size(request).total_bytes)
    assert sizing_in(just, SIZES, request, Metric.LATENCY).engine.max_num_seqs == 256


def test_sharers_keep_their_batches_whatever_the_partition_has_left() -> None:
    request = SizingRequest(LLAMA, Precision.INT4)
    shared = sizing_in(Room(CARD, cooperative=True), SIZES, request, Metric.THROUGHPUT)
    assert shared == SIZES.size(replace(request))
