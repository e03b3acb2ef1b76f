"""The pool's tokens and concurrency against what vLLM printed, to the last digit.

Each row is one published start: GiB for the KV cache, tokens and "Maximum concurrency" as printed. GiB are rounded
there to two decimals, which is up to 0.1 % of the smallest pool.
"""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.sizing.catalog import Catalog
from controller.sizing.engine import EngineSettings
from controller.sizing.facts import FullAttention, RecurrentState, WindowAttention
from controller.sizing.kv_cache import KvStorage, kv_bytes_per_token, kv_sequence_bytes
from controller.sizing.kv_pool import KvPool
from tests.builders.model_facts import model_facts

CATALOG = Catalog.bundled()
GIB = 2**30
SETTINGS = EngineSettings(max_num_seqs=256, max_num_batched_tokens=2048)

models = st.sampled_from(CATALOG.known_ids())
lengths = st.integers(1, 300_000)


def pool(model_id: str, tensor_parallel: int = 1, batched: int = 2048, version: str = "0.19") -> KvPool:
    settings = EngineSettings(max_num_seqs=256, max_num_batched_tokens=batched, version=version)
    return KvPool.of(CATALOG.get(model_id), settings, tensor_parallel)


@dataclass(frozen=True)
class Start:
    model_id: str
    tensor_parallel: int
    batched: int
    length: int
    gib: float
    want_tokens: int
    want_concurrency: float


STARTS = {
    "grouped heads, vLLM 0.11 on MI300X": Start(
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", 2, 8192, 4096, 152.07, 1661008, 405.52
    ),
    "windows, 5 to 1, vLLM 0.13": Start("google/gemma-3-12b-it", 1, 2048, 9900, 16.25, 44368, 10.51),
    "windows, 5 to 1, longer": Start("google/gemma-3-12b-it", 1, 2048, 32768, 16.25, 44368, 5.52),
    "windows, two ranks": Start("google/gemma-3-12b-it", 2, 2048, 9900, 22.66, 123744, 29.30),
    "windows with a padded table, vLLM 0.19": Start("google/gemma-3-4b-it", 1, 8192, 8192, 62.51, 468144, 57.05),
    "windows, 1 to 1, vLLM 0.13": Start("openai/gpt-oss-20b", 1, 2048, 32768, 15.77, 344560, 19.71),
    "windows, 1 to 1, two ranks": Start("openai/gpt-oss-20b", 2, 8192, 8192, 59.32, 2591776, 316.07),
    "chunks, four ranks": Start("meta-llama/Llama-4-Scout-17B-16E-Instruct", 4, 8192, 8192, 16.75, 365968, 44.68),
    "linear attention, two ranks, vLLM 0.13": Start("Qwen/Qwen3-Coder-Next", 2, 2048, 16384, 7.09, 154496, 33.47),
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_tokens_and_concurrency_are_as_printed(start: Start) -> None:
    pool_ = pool(start.model_id, start.tensor_parallel, start.batched)
    held = int(start.gib * GIB)
    assert pool_.tokens(held) == pytest.approx(start.want_tokens, rel=4e-4)
    assert pool_.concurrency(held, start.length) == pytest.approx(start.want_concurrency, rel=1e-3)


def test_two_batches_are_in_flight_in_newer_engines() -> None:
    # 0.31 on MI300X: 155.37 GiB, 276.03 requests of 32,768 tokens, in batches of 16,384
    newer = pool("google/gemma-4-E2B-it", batched=16384, version="0.31")
    assert newer.concurrency(int(155.37 * GIB), 32768) == pytest.approx(276.03, rel=1e-3)


def test_a_model_that_keeps_nothing_needs_no_pool() -> None:
    nothing = KvPool.of(model_facts((4, RecurrentState(0, 1000))), SETTINGS, 1)
    assert (nothing.bytes_for(4096, 8), nothing.printed_bytes_per_token) == (0, 0)


def test_kinds_of_nearly_equal_number_are_padded_to_the_larger() -> None:
    facts = model_facts((12, FullAttention(2, 64)), (13, WindowAttention(2, 64, 128)))
    padded = KvPool.of(facts, SETTINGS, 1)
    assert [table.count for table in padded.tables] == [1, 1]
    assert padded.printed_bytes_per_token == 26 * 512


def test_layers_that_all_keep_everything_share_a_table_whatever_their_widths() -> None:
    only = KvPool.of(model_facts((3, FullAttention(2, 64)), (2, FullAttention(4, 128))), SETTINGS, 1)
    assert len(only.tables) == 1
    assert only.block_bytes == 16 * (3 * 512 + 2 * 2048)


def test_narrower_layers_get_more_tokens_a_block() -> None:
    windowed, full = pool("google/gemma-4-31B-it").tables
    assert (windowed.block_tokens, full.block_tokens) == (16, 32)


def test_layers_that_keep_nothing_have_no_place_in_the_pool() -> None:
    windowed, full = pool("google/gemma-4-E2B-it").tables
    assert (windowed.count, full.count) == (4, 1)
    assert pool("google/gemma-4-E2B-it").block_bytes == 3 * 16 * 2 * 512 * 2


def test_attention_gets_blocks_in_which_a_state_fits() -> None:
    assert {table.block_tokens for table in pool("Qwen/Qwen3-Coder-Next").tables} == {544}


@given(models, lengths, st.integers(1, 64), st.sampled_from([1, 2, 4, 8]))
def test_a_pool_holds_what_attention_keeps(model_id: str, length: int, concurrency: int, ranks: int) -> None:
    kept = kv_sequence_bytes(CATALOG.get(model_id), length, KvStorage(2, ranks))
    assert pool(model_id, ranks).bytes_for(length, concurrency) >= concurrency * kept


@given(models, lengths, st.integers(0, 5000), st.integers(1, 64), st.integers(0, 9))
def test_longer_or_more_never_takes_less(model_id: str, length: int, longer: int, some: int, more: int) -> None:
    pool_ = pool(model_id)
    assert pool_.bytes_for(length + longer, some + more) >= pool_.bytes_for(length, some)


@given(models, lengths, st.sampled_from([2, 4, 8]))
def test_ranks_together_never_hold_less_than_one(model_id: str, length: int, ranks: int) -> None:
    assert ranks * pool(model_id, ranks).bytes_for(length, 3) >= pool(model_id).bytes_for(length, 3)


@given(models, lengths)
def test_all_sequences_need_at_most_what_each_alone_does(model_id: str, length: int) -> None:
    pool_ = pool(model_id)
    assert pool_.bytes_for(length, 1) == pool_.request_bytes(length)
    assert pool_.bytes_for(length, 7) <= 7 * pool_.request_bytes(length)


@given(models)
def test_uniform_models_print_what_one_more_token_takes(model_id: str) -> None:
    pool_ = pool(model_id)
    if len(pool_.tables) == 1:
        assert pool_.printed_bytes_per_token == kv_bytes_per_token(CATALOG.get(model_id))
