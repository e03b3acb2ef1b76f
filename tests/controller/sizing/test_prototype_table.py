"""Our sizes beside the table of an earlier prototype: what is wrong with that one, and that ours is not wrong so.

The table is that of Yu-amd/AIM_Next, `aim-gpu-sharing` (November 2025): 38 models, gigabytes in fp16, int8 and int4.
Its figures are compared with and taken for nothing. They are read as GiB, which is to its favour.
"""

import pytest

from controller.gpu.product import PRODUCTS, product_named
from controller.sizing.catalog import Catalog
from controller.sizing.errors import UnknownModel
from controller.sizing.estimate import SizingRequest, estimate_model_size
from controller.sizing.precision import Precision, available_precisions
from controller.sizing.requirement import ModelSizingConfig
from controller.sizing.weights import weights_bytes

CATALOG = Catalog.bundled()
SIZING = ModelSizingConfig(CATALOG)
GIB = 2**30

PRECISIONS = (Precision.FP16, Precision.INT8, Precision.INT4)

TABLE = {
    "CohereLabs/aya-expanse-8b": (20, 13, 9),
    "CohereLabs/aya-expanse-32b": (75, 45, 30),
    "deepseek-ai/DeepSeek-R1-0528": (20, 13, 9),
    "deepseek-ai/DeepSeek-R1-Distill-Llama-8B": (20, 13, 9),
    "deepseek-ai/DeepSeek-R1-Distill-Llama-70B": (165, 90, 60),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": (6, 4, 3),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": (19, 12, 8),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B": (37, 22, 15),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B": (84, 49, 32),
    "deepseek-ai/DeepSeek-R1-Zero": (165, 90, 60),
    "deepseek-ai/DeepSeek-V3": (105, 60, 35),
    "deepseek-ai/DeepSeek-V3-0324": (105, 60, 35),
    "google/gemma-3-1b-it": (6, 4, 2),
    "google/gemma-3-4b-it": (12, 8, 5),
    "google/gemma-3-12b-it": (28, 18, 12),
    "google/gemma-3-27b-it": (60, 35, 25),
    "meta-llama/Llama-3.1-8B-Instruct": (20, 13, 9),
    "meta-llama/Llama-3.2-1B-Instruct": (5, 3, 2),
    "meta-llama/Llama-3.2-3B-Instruct": (10, 6, 4),
    "meta-llama/Llama-3.2-11B-Vision-Instruct": (26, 16, 10),
    "meta-llama/Llama-3.3-70B-Instruct": (165, 90, 60),
    "meta-llama/Llama-4-Scout-17B-16E-Instruct": (52, 32, 21),
    "mistralai/Mistral-Small-3.1-24B-Instruct-2503": (68, 40, 28),
    "mistralai/Mistral-Large-Instruct-2407": (165, 90, 60),
    "mistralai/Mixtral-8x7B-Instruct-v0.1": (90, 50, 32),
    "OdiaGenAI-LLM/qwen_1.5_odia_7b": (20, 13, 9),
    "Qwen/Qwen2.5-0.5B-Instruct": (3, 2, 1),
    "Qwen/Qwen2.5-1.5B-Instruct": (5, 3, 2),
    "Qwen/Qwen2.5-3B-Instruct": (10, 7, 4),
    "Qwen/Qwen3-4B": (10, 7, 5),
    "Qwen/Qwen3-8B": (22, 13, 9),
    "Qwen/Qwen3-14B": (38, 23, 15),
    "Qwen/Qwen3-30B-A3B": (80, 46, 30),
    "Qwen/Qwen3-32B": (85, 50, 33),
    "Qwen/Qwen3-235B-A22B": (128, 104, 92),
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": (6, 4, 3),
    "unsloth/Llama-3.2-11B-Vision": (31, 19, 13),
}
"""Gigabytes by the id each name means; the 38th, a Llama 3.2 of 30B with vision, does not exist."""

TOO_SMALL = {
    "deepseek-ai/DeepSeek-R1-0528",
    "deepseek-ai/DeepSeek-R1-Zero",
    "deepseek-ai/DeepSeek-V3",
    "deepseek-ai/DeepSeek-V3-0324",
    "meta-llama/Llama-4-Scout-17B-16E-Instruct",
    "mistralai/Mistral-Large-Instruct-2407",
    "Qwen/Qwen3-235B-A22B",
}
"""Listed with less than their weights alone take."""


def test_the_entries_below_their_own_weights_are_these() -> None:
    below = {
        model_id
        for model_id, listed in TABLE.items()
        for precision, gib in zip(PRECISIONS, listed, strict=True)
        if gib * GIB < weights_bytes(CATALOG.get(model_id), precision, platform="cuda")
    }
    assert below == TOO_SMALL


@pytest.mark.parametrize("model_id", sorted(TOO_SMALL - {"mistralai/Mistral-Large-Instruct-2407"}))
def test_wrong_mixtures_were_sized_by_what_one_token_goes_through(model_id: str) -> None:
    facts = CATALOG.get(model_id)
    assert TABLE[model_id][0] * GIB < facts.total_params * 2
    assert facts.active_params < facts.total_params // 5
    assert weights_bytes(facts, Precision.FP16) >= 2 * facts.parameters.loaded


def test_ours_are_never_below_the_weights_and_what_an_engine_takes() -> None:
    for model_id in TABLE:
        facts = CATALOG.get(model_id)
        for precision in available_precisions(facts):
            sizing = estimate_model_size(facts, SizingRequest(model_id, precision))
            assert sizing.total_bytes > weights_bytes(facts, precision) + GIB


@pytest.mark.parametrize(
    "fine_tune",
    ["someone/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct-tuned", "Llama-3.1-8B-Instruct"],
)
def test_a_fine_tune_is_not_taken_for_its_base_by_the_end_of_its_name(fine_tune: str) -> None:
    with pytest.raises(UnknownModel) as refusal:
        CATALOG.get(fine_tune)
    assert refusal.value.nearest


def test_larger_products_are_not_listed_as_if_they_had_192_gigabytes() -> None:
    sizes = {name: (PRODUCTS[name].vram_mib or 0) // 1024 for name in ("MI300X", "MI325X", "MI350X", "MI355X")}
    assert sizes == {"MI300X": 191, "MI325X": 255, "MI350X": 287, "MI355X": 287}


def test_no_partition_that_is_found_is_smaller_than_the_need() -> None:
    mi300x = product_named("MI300X")
    for model_id in TABLE:
        for precision in PRECISIONS:
            request = SizingRequest(model_id, precision)
            for fit in SIZING.calculate_optimal_partitions(request, [mi300x]):
                assert fit.headroom_bytes >= 0


def test_a_slice_of_24_gigabytes_does_not_hold_half_of_the_table() -> None:
    """By the table's own figures 58 of its 114 entries do."""
    slice_bytes = product_named("MI300X").partition_bytes(product_named("MI300X").allowed[-1])
    checks = [
        SIZING.validate_model_fits_partition(SizingRequest(model_id, precision), slice_bytes)
        for model_id in TABLE
        for precision in PRECISIONS
    ]
    assert 0 < sum(check.fits for check in checks) < len(checks) // 2
