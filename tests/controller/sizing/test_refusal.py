"""Settings that vLLM refuses at start, and ones that it takes."""

from dataclasses import replace

import pytest

from controller.sizing.budget import Start
from controller.sizing.catalog import Catalog
from controller.sizing.engine import Device, EngineSettings, as_vllm_starts_it
from controller.sizing.precision import Precision
from controller.sizing.refusal import CACHE_TYPES, refusal

CATALOG = Catalog.bundled()
DEVICE = Device(192 * 2**30, "MI300X", 304)
QWEN = CATALOG.get("Qwen/Qwen3-8B")
START = Start(
    QWEN, Precision.BF16, as_vllm_starts_it(EngineSettings(), DEVICE, 8192), DEVICE.total_bytes, 8192, gfx_version=90402
)

MI100, MI210, RADEON = 90008, 90010, 120001


def test_an_ordinary_start_is_not_refused() -> None:
    assert refusal(START) is None


@pytest.mark.parametrize(
    ("changed", "reason", "remedy"),
    [
        ({"tensor_parallel": 3}, "NotDivisible", "use 1 or 2 or 4 or 8 or 16 or 32 ranks"),
        ({"tensor_parallel": 5}, "NotDivisible", "use 1 or 2 or 4 or 8 or 16 or 32 ranks"),
        ({"pipeline_parallel": 200}, "MoreStagesThanLayers", "at most 36 stages"),
        ({"max_model_len": 100_000}, "LengthTooLong", "use at most 40960"),
        ({"settings": replace(START.settings, kv_cache_dtype="foo")}, "UnknownCacheType", "use one of auto"),
        (
            {"settings": replace(START.settings, max_num_seqs=4096, max_num_batched_tokens=2048)},
            "BatchTooSmall",
            "use at least 4096 batched tokens, or at most 2048 sequences",
        ),
        ({"gfx_version": MI100}, "DeviceNotSupported", "MI210"),
        ({"gfx_version": MI210, "precision": Precision.FP8}, "PrecisionNotSupported", "MI300X"),
    ],
)
def test_what_the_engine_refuses_is_named_with_a_remedy(changed: dict[str, object], reason: str, remedy: str) -> None:
    found = refusal(replace(START, **changed))  # type: ignore[arg-type]
    assert found is not None
    assert found.reason == reason
    assert remedy in found.remedy


@pytest.mark.parametrize(
    "changed",
    [
        {"gfx_version": MI210},
        {"gfx_version": RADEON, "precision": Precision.FP8},
        {"gfx_version": None, "precision": Precision.FP8},
        {"tensor_parallel": 8},
        {"pipeline_parallel": 36},
        {"settings": replace(START.settings, max_num_seqs=2048, max_num_batched_tokens=2048)},
        {"max_model_len": 40_960},
    ],
)
def test_what_it_takes_is_not(changed: dict[str, object]) -> None:
    assert refusal(replace(START, **changed)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", CACHE_TYPES)
def test_every_type_of_cache_is_taken(kind: str) -> None:
    assert refusal(replace(START, settings=replace(START.settings, kv_cache_dtype=kind))) is None


def test_positions_that_a_checkpoint_scales_itself_may_be_used() -> None:
    gemma = CATALOG.get("google/gemma-3-27b-it")
    assert (gemma.shape.rope_rows or 0) > (gemma.shape.max_position_embeddings or 0)
    assert refusal(replace(START, facts=gemma, max_model_len=(gemma.shape.max_position_embeddings or 0) + 1)) is None
