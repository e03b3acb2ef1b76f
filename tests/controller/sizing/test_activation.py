import pytest

from controller.sizing.activation import activation_bytes
from controller.sizing.catalog import Catalog
from controller.sizing.engine import EngineSettings

CATALOG = Catalog.bundled()
GIB = 2**30


def test_a_profile_with_1024_sequences_peaks_as_observed() -> None:
    # vLLM 0.19 printed 1.89 GiB for this model at 1024 sequences
    facts = CATALOG.get("meta-llama/Llama-3.1-8B-Instruct")
    settings = EngineSettings(max_num_seqs=1024, max_num_batched_tokens=8192)
    assert activation_bytes(facts, settings, 1) / GIB == pytest.approx(1.89, rel=0.02)


def test_the_widest_layer_leads_where_the_vocabulary_is_small() -> None:
    facts = CATALOG.get("mistralai/Mixtral-8x7B-Instruct-v0.1")
    settings = EngineSettings(max_num_seqs=256, max_num_batched_tokens=2048)
    assert activation_bytes(facts, settings, 1) == 2048 * (3 * 2 * 14336 + 8 * 4096) * 2
