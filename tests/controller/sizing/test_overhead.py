import pytest

from controller.sizing.catalog import Catalog
from controller.sizing.overhead import GRAPH_BYTES, NON_TORCH_BYTES, activation_bytes, overhead_bytes

CATALOG = Catalog.bundled()
GIB = 2**30


def test_the_logits_lead_where_the_vocabulary_is_large() -> None:
    facts = CATALOG.get("meta-llama/Llama-3.1-8B-Instruct")
    assert activation_bytes(facts, 1) == 386 * 256 * 128256 * 4 // 100


def test_a_profile_with_1024_sequences_peaks_as_observed() -> None:
    # vLLM 0.19 printed 1.89 GiB for this model at 1024 sequences
    facts = CATALOG.get("meta-llama/Llama-3.1-8B-Instruct")
    assert activation_bytes(facts, 1024) / GIB == pytest.approx(1.89, rel=0.02)


def test_the_widest_layer_leads_where_the_vocabulary_is_small() -> None:
    facts = CATALOG.get("mistralai/Mixtral-8x7B-Instruct-v0.1")
    assert activation_bytes(facts, 1) == 2048 * (3 * 2 * 14336 + 8 * 4096) * 2


def test_the_margin_is_over_everything() -> None:
    facts = CATALOG.get("Qwen/Qwen3-8B")
    engine = NON_TORCH_BYTES + GRAPH_BYTES + activation_bytes(facts, 8)
    assert overhead_bytes(facts, 8, 10 * GIB, 2 * GIB) == engine + (12 * GIB + engine) * 3 // 100
