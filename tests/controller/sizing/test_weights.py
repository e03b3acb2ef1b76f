import pytest

from controller.sizing.catalog import Catalog
from controller.sizing.precision import Precision, available_precisions, native_precision
from controller.sizing.weights import weights_bytes

CATALOG = Catalog.bundled()


def bytes_of(model_id: str, precision: Precision) -> int:
    return weights_bytes(CATALOG.get(model_id), precision)


def test_sixteen_bits_are_two_bytes_a_parameter() -> None:
    assert bytes_of("meta-llama/Llama-3.1-8B-Instruct", Precision.BF16) == 16060522496
    assert bytes_of("meta-llama/Llama-3.1-8B-Instruct", Precision.FP16) == 16060522496


def test_a_mixture_loads_all_its_experts() -> None:
    facts = CATALOG.get("Qwen/Qwen3-235B-A22B")
    assert weights_bytes(facts, Precision.BF16) == 2 * facts.total_params > 10 * facts.active_params


def test_a_tied_head_that_is_stored_twice_is_loaded_once() -> None:
    facts = CATALOG.get("Qwen/Qwen3-0.6B")
    assert weights_bytes(facts, Precision.BF16) == 2 * facts.total_params < (facts.checkpoint.bytes or 0)


@pytest.mark.parametrize("model_id", ["deepseek-ai/DeepSeek-V3", "zai-org/GLM-4.7"])
def test_multi_token_prediction_stays_on_disk(model_id: str) -> None:
    facts = CATALOG.get(model_id)
    left_out = (facts.checkpoint.bytes or 0) - weights_bytes(facts, native_precision(facts))
    assert facts.parameters.mtp <= left_out <= 2 * facts.parameters.mtp


def test_fp8_keeps_embedding_head_and_image_encoder_in_16_bit() -> None:
    # 131072 x 5120, twice, and the 438,958,080 of the encoder and projector; norms are 81 x 5120
    kept = 2 * 131072 * 5120 + 438958080 + 81 * 5120
    assert bytes_of("mistralai/Mistral-Small-3.1-24B-Instruct-2503", Precision.FP8) == 24011361280 + kept


def test_int4_costs_four_bits_and_scales() -> None:
    facts = CATALOG.get("meta-llama/Llama-3.3-70B-Instruct")
    kept = 2 * 128256 * 8192 + 161 * 8192
    assert weights_bytes(facts, Precision.INT4) == 2 * kept + -(-(facts.total_params - kept) * 532 // 1024)


@pytest.mark.parametrize("model_id", CATALOG.known_ids())
def test_fewer_bits_never_take_more_bytes(model_id: str) -> None:
    facts = CATALOG.get(model_id)
    converted = [p for p in (Precision.INT4, Precision.FP8, Precision.BF16) if p in available_precisions(facts)]
    sizes = [weights_bytes(facts, precision) for precision in converted]
    assert sizes == sorted(sizes)
    assert all(size > facts.total_params // 3 for size in sizes)


def test_an_unresolved_precision_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="resolve it"):
        bytes_of("Qwen/Qwen3-8B", Precision.AUTO)
