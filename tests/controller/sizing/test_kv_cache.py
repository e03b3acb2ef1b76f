import pytest

from controller.sizing.catalog import Catalog
from controller.sizing.facts import FullAttention
from controller.sizing.kv_cache import kv_bytes_per_token, kv_cache_bytes, kv_sequence_bytes, token_bytes

CATALOG = Catalog.bundled()


@pytest.mark.parametrize(
    ("model_id", "want"),
    [
        pytest.param("meta-llama/Llama-3.1-8B-Instruct", 2 * 32 * 8 * 128 * 2, id="grouped heads"),
        pytest.param("Qwen/Qwen1.5-7B", 2 * 32 * 32 * 128 * 2, id="all heads"),
        pytest.param("deepseek-ai/DeepSeek-V3", 61 * (512 + 64) * 2, id="latent attention, once for all heads"),
        pytest.param("openai/gpt-oss-20b", 2 * 24 * 8 * 64 * 2, id="sliding layers count while the window has room"),
        pytest.param("google/gemma-4-31B-it", 2 * (10 * 4 * 512 + 50 * 16 * 256) * 2, id="two layer shapes"),
        pytest.param("Qwen/Qwen3-Coder-Next", 2 * 12 * 2 * 256 * 2, id="linear layers keep no tokens"),
        pytest.param("meta-llama/Llama-3.2-11B-Vision-Instruct", 2 * 32 * 8 * 128 * 2, id="cross-attention keeps none"),
        pytest.param("microsoft/Phi-3-mini-4k-instruct", 2 * 32 * 32 * 96 * 2, id="unclear layers count as full"),
    ],
)
def test_bytes_of_one_token(model_id: str, want: int) -> None:
    assert kv_bytes_per_token(CATALOG.get(model_id)) == want


@pytest.mark.parametrize(
    ("model_id", "window"), [("openai/gpt-oss-20b", 128), ("meta-llama/Llama-4-Scout-17B-16E-Instruct", 8192)]
)
def test_windowed_layers_stop_growing(model_id: str, window: int) -> None:
    facts = CATALOG.get(model_id)
    full = next(group for group in facts.layers if isinstance(group.keeps, FullAttention))
    layer = token_bytes(full.keeps)
    assert kv_sequence_bytes(facts, window) == window * kv_bytes_per_token(facts)
    grown = kv_sequence_bytes(facts, window + 1000) - kv_sequence_bytes(facts, window)
    assert grown == 1000 * full.count * layer


def test_a_recurrent_state_is_there_from_the_first_token() -> None:
    facts = CATALOG.get("Qwen/Qwen3-Coder-Next")
    state = kv_sequence_bytes(facts, 1) - kv_bytes_per_token(facts)
    assert 70 * 2**20 < state < 80 * 2**20


def test_sequences_add_up() -> None:
    facts = CATALOG.get("Qwen/Qwen3-8B")
    assert kv_cache_bytes(facts, 4096, 8) == 8 * 4096 * 147456
