from dataclasses import replace

import msgspec
import pytest

from controller.sizing.catalog import Catalog
from controller.sizing.rope_table import rope_table_bytes

CATALOG = Catalog.bundled()
LLAMA = CATALOG.get("meta-llama/Llama-3.1-8B-Instruct")


def test_a_table_is_what_a_model_is_larger_in_memory_than_in_its_file() -> None:
    # printed by vLLM 0.12: 14.9889 GiB, with the file's 14.9575
    loaded = LLAMA.total_params * 2 + rope_table_bytes(LLAMA)
    assert loaded / 2**30 == pytest.approx(14.9889, abs=0.0005)


def test_latent_attention_rotates_its_rope_part_only() -> None:
    assert rope_table_bytes(CATALOG.get("deepseek-ai/DeepSeek-V3")) == 163840 * 64 * 2


@pytest.mark.parametrize(("rows", "want"), [(0, 0), (262144, 262144 * 128 * 2)])
def test_rows_are_the_shapes_own_where_it_has_them(rows: int, want: int) -> None:
    facts = replace(LLAMA, shape=msgspec.structs.replace(LLAMA.shape, rope_rows=rows))
    assert rope_table_bytes(facts) == want


def test_unknown_positions_have_no_table() -> None:
    facts = replace(LLAMA, shape=msgspec.structs.replace(LLAMA.shape, max_position_embeddings=None))
    assert rope_table_bytes(facts) == 0
