import pytest

from controller.sizing.catalog import Catalog
from controller.sizing.errors import UnsupportedPrecision
from controller.sizing.precision import Precision, available_precisions, resolve_precision
from tests.builders.model_config import facts_of

CATALOG = Catalog.bundled()


@pytest.mark.parametrize(
    ("model_id", "want"),
    [
        ("Qwen/Qwen3-8B", Precision.BF16),
        ("CohereLabs/aya-expanse-8b", Precision.FP16),
        ("deepseek-ai/DeepSeek-R1", Precision.FP8),
        ("mistralai/Ministral-3-14B-Instruct-2512", Precision.FP8),
        ("openai/gpt-oss-20b", Precision.MXFP4),
    ],
)
def test_auto_is_the_published_precision(model_id: str, want: Precision) -> None:
    assert resolve_precision(CATALOG.get(model_id), Precision.AUTO) is want


@pytest.mark.parametrize(
    ("model_id", "asked"),
    [
        ("openai/gpt-oss-20b", Precision.FP16),
        ("openai/gpt-oss-120b", Precision.INT8),
        ("Qwen/Qwen3-8B", Precision.MXFP4),
    ],
)
def test_a_precision_the_model_has_not_got_is_refused(model_id: str, asked: Precision) -> None:
    facts = CATALOG.get(model_id)
    with pytest.raises(UnsupportedPrecision) as refusal:
        resolve_precision(facts, asked)
    assert (refusal.value.field, refusal.value.value) == ("precision", asked.value)
    assert refusal.value.available == tuple(available_precisions(facts))
    assert refusal.value.available[0] in refusal.value.remedy


def test_a_checkpoint_in_float32_is_loaded_in_16_bit_unless_float32_is_asked_for() -> None:
    facts = facts_of("gemma2", torch_dtype="float32")
    assert resolve_precision(facts, Precision.AUTO) is Precision.BF16
    assert resolve_precision(facts, Precision.FP32) is Precision.FP32
