import pytest

from controller.sizing.catalog import Catalog
from controller.sizing.facts import CrossAttention, FullAttention, Keeps, LatentAttention, Mamba2, RecurrentState
from controller.sizing.kv_cache import (
    PLAIN,
    KvStorage,
    kv_bytes_per_token,
    kv_sequence_bytes,
    state_bytes,
    token_bytes,
)
from tests.builders.model_facts import model_facts

CATALOG = Catalog.bundled()
SPARSE = LatentAttention(512, 64, 128, 128, 1536, 64, 128)


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


def test_a_recurrent_state_is_there_from_the_first_token_and_is_divided_by_ranks() -> None:
    facts = CATALOG.get("Qwen/Qwen3-Coder-Next")
    state = 36 * (32 * 128 * 128 * 2 + (2 * 16 + 32) * 128 * 3 * 2)
    assert kv_sequence_bytes(facts, 1) - kv_bytes_per_token(facts) == state
    two = KvStorage(tensor_parallel=2)
    assert kv_sequence_bytes(facts, 1, two) - kv_bytes_per_token(facts, two) == state // 2


@pytest.mark.parametrize(
    ("keeps", "storage", "want"),
    [
        pytest.param(FullAttention(8, 128), KvStorage(2, 4), 2 * 2 * 128 * 2, id="heads are divided by ranks"),
        pytest.param(FullAttention(2, 128), KvStorage(2, 8), 1 * 2 * 128 * 2, id="and copied when ranks are more"),
        pytest.param(FullAttention(1, 64), KvStorage(2, 2), 2 * 64 * 2, id="one head for all is copied"),
        pytest.param(FullAttention(4, 192, value_dim=128), PLAIN, 4 * 320 * 2, id="values of another width"),
        pytest.param(FullAttention(4, 64), KvStorage(1, 1), 4 * 2 * 64, id="fp8 is one byte"),
        pytest.param(LatentAttention(512, 64, 128, 128), KvStorage(2, 8), 1152, id="latent vectors are on every rank"),
        pytest.param(SPARSE, PLAIN, 1152 + 132, id="an indexer keeps a key in 8 bit besides"),
        # DeepSeek-V3.2-Exp printed 48,072 bytes a token: 61 layers of these
        pytest.param(SPARSE, KvStorage(1, 1), 656 + 132, id="sparse latent vectors have scales in fp8"),
        pytest.param(Mamba2(8, 64, 128, 1, 4), PLAIN, 0, id="a state does not grow"),
        pytest.param(CrossAttention(8, 128, 1601), PLAIN, 4096, id="a token that is crossed to"),
    ],
)
def test_bytes_of_one_token_in_one_layer(keeps: Keeps, storage: KvStorage, want: int) -> None:
    assert token_bytes(keeps, storage) == want


def test_cross_attention_keeps_its_own_tokens_whatever_the_length() -> None:
    facts = model_facts((2, FullAttention(2, 64)), (1, CrossAttention(2, 64, 100)))
    assert kv_sequence_bytes(facts, 10) == 10 * 2 * 512 + 100 * 512
    assert kv_bytes_per_token(facts) == 2 * 512


def test_states_of_32_bit_are_larger() -> None:
    sixteen, thirty_two = Mamba2(8, 64, 128, 1, 4), Mamba2(8, 64, 128, 1, 4, 4)
    assert state_bytes(thirty_two) - state_bytes(sixteen) == 8 * 64 * 128 * 2
    assert state_bytes(RecurrentState(1001), KvStorage(2, 2)) == 501
