import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.sizing.catalog import Catalog
from controller.sizing.facts import (
    Checkpoint,
    Experts,
    FullAttention,
    GatedDeltaNet,
    LatentAttention,
    Mamba2,
    ModelFacts,
    Quantization,
    WindowAttention,
)
from controller.sizing.precision import Precision
from controller.sizing.tensor_parallel import possible_ranks, rank_elements, undivided
from controller.sizing.weights import weights_bytes
from tests.builders.model_facts import model_facts

CATALOG = Catalog.bundled()
BLOCKS = Checkpoint("bfloat16", Quantization("fp8", group=16384))


def test_heads_mlps_and_the_vocabulary_are_divided_and_norms_are_not() -> None:
    facts = model_facts(vocab_size=32001)
    one, two = facts.parameters, rank_elements(facts, 2)
    assert (two.attention, two.dense_mlp, two.norms) == (one.attention // 2, one.dense_mlp // 2, one.norms)
    assert two.embedding == 32064 * 512 // 2


@pytest.mark.parametrize(("ranks", "want"), [(1, 1.0), (2, 0.5), (4, 0.25), (8, 0.25)])
def test_kv_heads_are_copied_when_ranks_are_more(ranks: int, want: float) -> None:
    facts = model_facts((4, FullAttention(4, 64)))
    assert rank_elements(facts, ranks).kv_projections == facts.parameters.kv_projections * want


def test_kinds_of_layers_are_divided_each_by_its_own_heads() -> None:
    facts = model_facts((1, FullAttention(1, 64)), (1, WindowAttention(3, 64, 128)))
    # of 1 + 3 heads two ranks hold 1 + 2 each
    assert rank_elements(facts, 2).kv_projections == facts.parameters.kv_projections * 3 // 4


def test_down_projections_of_latent_attention_are_on_every_rank() -> None:
    facts = model_facts((2, LatentAttention(64, 16, 32, 32, 128)))
    assert rank_elements(facts, 4).latent_projections == facts.parameters.latent_projections > 0


@pytest.mark.parametrize(
    ("facts", "precision", "ranks", "want"),
    [
        pytest.param(model_facts(), Precision.BF16, 3, "num_attention_heads (8) cannot be divided by 3", id="heads"),
        pytest.param(
            model_facts((1, FullAttention(6, 64)), num_attention_heads=12),
            Precision.BF16,
            4,
            "6 KV heads can neither be divided by nor copied to 4",
            id="KV heads",
        ),
        pytest.param(model_facts(intermediate_size=1500), Precision.BF16, 8, "intermediate_size (1500)", id="MLP"),
        pytest.param(
            model_facts(experts=Experts(4, 8, 2, 100, shared_width=100)),
            Precision.BF16,
            8,
            "the experts'",
            id="experts",
        ),
        pytest.param(
            model_facts((4, GatedDeltaNet(2, 8, 64, 64, 4))), Precision.BF16, 4, "key heads of linear", id="linear"
        ),
        pytest.param(model_facts((4, Mamba2(6, 64, 64, 1, 4))), Precision.BF16, 4, "state space layers", id="states"),
        pytest.param(model_facts(checkpoint=BLOCKS), Precision.FP8, 8, "share a scale", id="blocks of fp8"),
        pytest.param(model_facts(), Precision.INT4, 8, "no multiple of the 128 elements", id="groups of int4"),
    ],
)
def test_what_cannot_be_divided_is_named(facts: ModelFacts, precision: Precision, ranks: int, want: str) -> None:
    assert want in (undivided(facts, precision, ranks) or "")


def test_possible_ranks_are_those_that_divide_everything() -> None:
    assert possible_ranks(model_facts(), Precision.BF16, 8) == (1, 2, 4, 8)
    assert possible_ranks(model_facts(), Precision.INT4, 8) == (1, 2, 4)
    assert possible_ranks(CATALOG.get("deepseek-ai/DeepSeek-V3"), Precision.FP8, 8) == (1, 2, 4, 8)


@given(st.sampled_from(CATALOG.known_ids()), st.sampled_from([2, 3, 4, 8, 16]))
def test_ranks_together_never_hold_less_than_one(model_id: str, ranks: int) -> None:
    facts = CATALOG.get(model_id)
    assert ranks * rank_elements(facts, ranks).total >= facts.parameters.loaded
    assert ranks * weights_bytes(facts, Precision.BF16, ranks) >= weights_bytes(facts, Precision.BF16)
