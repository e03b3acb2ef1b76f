from dataclasses import replace

import pytest

from controller.sizing.catalog import Catalog
from controller.sizing.facts import (
    Checkpoint,
    Experts,
    FullAttention,
    LatentAttention,
    LeftOut,
    ModelFacts,
    Quantization,
)
from controller.sizing.precision import Precision, available_precisions, native_precision
from controller.sizing.rope_table import rope_table_bytes
from controller.sizing.weights import stored_bytes, weights_bytes
from tests.builders.model_facts import model_facts

CATALOG = Catalog.bundled()
LINEAR = 4 * (2 * 512 * 512 + 2 * 512 * 128 + 3 * 512 * 1536)
"""Elements of the linear layers of the builder's model."""

KEPT = 2 * 32000 * 512 + 9 * 512


def published(method: str, **fields: object) -> ModelFacts:
    quantization = Quantization(method, **fields)  # type: ignore[arg-type]
    return model_facts(checkpoint=Checkpoint("bfloat16", quantization))


@pytest.mark.parametrize(
    ("precision", "want"),
    [
        (Precision.FP32, 4 * (LINEAR + KEPT)),
        (Precision.BF16, 2 * (LINEAR + KEPT)),
        (Precision.FP16, 2 * (LINEAR + KEPT)),
        (Precision.FP8, LINEAR + 2 * KEPT),
        (Precision.INT8, LINEAR + 2 * KEPT),
        (Precision.INT4, LINEAR * 532 // 1024 + 2 * KEPT),
    ],
)
def test_linear_layers_take_the_bits_asked_for_and_the_rest_16(precision: Precision, want: int) -> None:
    assert stored_bytes(model_facts(), precision) == want


@pytest.mark.parametrize(
    ("facts", "want"),
    [
        pytest.param(published("fp8", group=16384), LINEAR * 16388 // 16384 + 2 * KEPT, id="fp8 in blocks"),
        pytest.param(published("int4", group=32, scale_bits=16), LINEAR * 144 // 256 + 2 * KEPT, id="no zero points"),
        pytest.param(published("fp8", covers="mlp"), LINEAR + 4 * 1310720 // 2 + 2 * KEPT, id="attention left alone"),
    ],
)
def test_a_published_quantization_is_counted_as_it_is(facts: ModelFacts, want: int) -> None:
    assert stored_bytes(facts, native_precision(facts)) == pytest.approx(want, abs=4)


def test_what_a_checkpoint_left_in_16_bit_takes_as_much() -> None:
    left = (LeftOut("dense_mlp", 1.0), LeftOut("attention", 0.25))
    attention, mlp = 4 * 2 * 512 * 512, 4 * 3 * 512 * 1536
    more = (mlp + attention // 4) * 2
    less = (mlp + attention // 4) * 9 // 16
    plain = published("nvfp4", group=16)
    assert stored_bytes(published("nvfp4", group=16, left_out=left), Precision.NVFP4) == (
        stored_bytes(plain, Precision.NVFP4) + more - less
    )


def test_nvfp4_takes_what_a_published_checkpoint_does() -> None:
    """nvidia/Qwen3-8B-NVFP4, the ``total_size`` of its index: 252 matrices have two float32, 36 caches two more."""
    facts = CATALOG.get("Qwen/Qwen3-8B")
    facts = replace(facts, checkpoint=Checkpoint("bfloat16", Quantization(method="nvfp4", group=16)))
    assert stored_bytes(facts, Precision.NVFP4) + (252 + 36) * 2 * 4 == 6_396_932_352
    assert available_precisions(facts) == (Precision.NVFP4,)


def test_experts_in_mxfp4_leave_attention_alone() -> None:
    facts = CATALOG.get("openai/gpt-oss-20b")
    assert stored_bytes(facts, Precision.MXFP4) == pytest.approx(13761264768, rel=1e-3)


def test_mxfp4_experts_are_padded_as_the_platforms_kernels_want() -> None:
    facts = CATALOG.get("openai/gpt-oss-20b")
    # printed: 14.3066 on a Radeon, 13.7194 on an RTX 3090
    assert weights_bytes(facts, Precision.MXFP4) / 2**30 == pytest.approx(14.3066, rel=0.015)
    assert weights_bytes(facts, Precision.MXFP4, platform="cuda") / 2**30 == pytest.approx(13.7194, rel=0.005)


def test_a_mixture_loads_all_its_experts() -> None:
    facts = CATALOG.get("Qwen/Qwen3-235B-A22B")
    assert weights_bytes(facts, Precision.BF16) >= 2 * facts.total_params > 10 * facts.active_params


def test_a_tied_head_that_is_stored_twice_is_loaded_once() -> None:
    facts = CATALOG.get("Qwen/Qwen3-0.6B")
    loaded = weights_bytes(facts, Precision.BF16) - rope_table_bytes(facts)
    assert loaded == 2 * facts.total_params < (facts.checkpoint.bytes or 0)


@pytest.mark.parametrize("model_id", ["deepseek-ai/DeepSeek-V3", "zai-org/GLM-4.7"])
def test_multi_token_prediction_stays_on_disk(model_id: str) -> None:
    facts = CATALOG.get(model_id)
    precision = native_precision(facts)
    left_out = (facts.checkpoint.bytes or 0) - weights_bytes(facts, precision, platform="cuda")
    assert 0.6 * facts.parameters.mtp <= left_out <= 2 * facts.parameters.mtp


def test_latent_attention_holds_its_up_projections_twice() -> None:
    facts = model_facts((3, LatentAttention(64, 16, 32, 32)))
    copy = 3 * 8 * 64 * (32 + 32) * 2
    assert weights_bytes(facts, Precision.BF16) == 2 * facts.total_params + rope_table_bytes(facts) + copy


def test_rows_are_lengthened_on_rocm_only() -> None:
    facts = CATALOG.get("meta-llama/Llama-3.1-8B-Instruct")
    on_rocm, on_cuda = (weights_bytes(facts, Precision.FP8, 1, platform) for platform in ("rocm", "cuda"))
    assert on_rocm - on_cuda == 256 * 32 * (4096 + 2 * 1024 + 4096 + 2 * 14336 + 4096)
    assert weights_bytes(facts, Precision.BF16) == weights_bytes(facts, Precision.BF16, platform="cuda")


def test_experts_in_16_bit_are_lengthened_as_well() -> None:
    experts = Experts(layers=2, count=4, per_token=1, intermediate_size=256)
    facts = model_facts((2, FullAttention(2, 64)), experts=experts)
    added = weights_bytes(facts, Precision.BF16) - weights_bytes(facts, Precision.BF16, platform="cuda")
    assert added == 256 * 2 * 4 * (2 * 256 + 512)


PUBLISHED = [model_id for model_id in CATALOG.known_ids() if CATALOG.get(model_id).checkpoint.bytes]


def test_counted_checkpoints_are_the_published_ones() -> None:
    """Median and 95th percentile of the difference; what is left are heads that are stored twice."""
    errors = sorted(
        abs(stored_bytes(facts, native_precision(facts)) / (facts.checkpoint.bytes or 1) - 1)
        for facts in map(CATALOG.get, PUBLISHED)
    )
    assert errors[len(errors) // 2] < 0.001
    assert errors[len(errors) * 95 // 100] < 0.03


def test_fewer_bits_never_take_more_bytes() -> None:
    order = (Precision.INT4, Precision.INT8, Precision.FP8, Precision.BF16, Precision.FP32)
    for facts in map(CATALOG.get, CATALOG.known_ids()):
        sizes = [weights_bytes(facts, one) for one in order if one in available_precisions(facts)]
        assert sizes == sorted(sizes), facts.model_id
        assert sizes == [] or sizes[0] > facts.parameters.loaded // 3


def test_an_unresolved_precision_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="resolve it"):
        weights_bytes(model_facts(), Precision.AUTO)
