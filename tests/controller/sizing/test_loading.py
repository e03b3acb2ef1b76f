from dataclasses import replace

import pytest

from controller.sizing.catalog import Catalog
from controller.sizing.engine import EngineSettings
from controller.sizing.engine_constants import GIB
from controller.sizing.estimate import Sizing, SizingRequest, estimate_model_size
from controller.sizing.facts import Experts, FullAttention, ModelFacts
from controller.sizing.loading import loading_bytes
from controller.sizing.precision import Precision
from controller.sizing.weights import weights_bytes
from tests.builders.model_facts import model_facts

CATALOG = Catalog.bundled()
DENSE = CATALOG.get("meta-llama/Llama-3.1-8B-Instruct")
MIXTURE = CATALOG.get("deepseek-ai/DeepSeek-V2")
QUANTIZES = EngineSettings(quantization="fp8")


def olmoe() -> ModelFacts:
    """The shape of allenai/OLMoE-1B-7B-0125-Instruct (its config.json)."""
    return model_facts(
        (16, FullAttention(16, 128)),
        experts=Experts(layers=16, count=64, per_token=8, intermediate_size=1024),
        hidden_size=2048,
        intermediate_size=1024,
        num_attention_heads=16,
        vocab_size=50304,
    )


def sized(facts: ModelFacts, engine: EngineSettings = QUANTIZES, **asked: int) -> Sizing:
    return estimate_model_size(facts, SizingRequest(facts.model_id, Precision.FP8, engine=engine, **asked))


def test_what_vllms_own_test_saw_of_a_mixture() -> None:
    engine = replace(QUANTIZES, version="0.16", platform="cuda")
    ended = weights_bytes(olmoe(), Precision.FP8, platform="cuda")
    assert ended / GIB == pytest.approx(6.65, abs=0.05)
    assert (ended + loading_bytes(olmoe(), Precision.FP8, engine)) / GIB == pytest.approx(9.06, abs=0.08)


@pytest.mark.parametrize(
    ("version", "want"),
    [
        pytest.param("0.11.1", 2.0, id="all in 16 bit, then module by module"),
        pytest.param("0.14.1", 2.88, id="everything twice"),
        pytest.param("0.18.1", 1.37, id="modules from their first tensor on"),
        pytest.param("0.23.0", 1.17, id="a module at a time"),
        pytest.param("0.33.0", 1.17, id="the newest"),
        pytest.param("", 1.17, id="our default image"),
    ],
)
def test_how_much_is_there_at_once_goes_by_the_version(version: str, want: float) -> None:
    engine = replace(QUANTIZES, version=version, platform="cuda")
    ended = weights_bytes(olmoe(), Precision.FP8, platform="cuda")
    peak = ended + loading_bytes(olmoe(), Precision.FP8, engine)
    assert peak / ended == pytest.approx(want, abs=0.03)


@pytest.mark.parametrize("version", ["", "0.11.1", "0.14.1", "0.16"])
def test_weights_that_are_loaded_as_they_are_need_nothing_more(version: str) -> None:
    assert loading_bytes(DENSE, Precision.FP8, EngineSettings(version=version)) == 0
    assert loading_bytes(DENSE, Precision.BF16, replace(QUANTIZES, version=version)) == 0


def test_experts_without_a_gate_have_room_for_one_in_the_default_image() -> None:
    """What issue 44489 of vLLM shows: 46 GB where 32 would do, of them 13.7 GiB for gates."""
    facts = CATALOG.get("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16")
    ours, mended = (sized(facts, replace(QUANTIZES, version=version)).weights_bytes for version in ("", "0.28"))
    assert mended == sized(facts, EngineSettings()).weights_bytes
    assert (ours - mended) / GIB == pytest.approx(13.7, abs=0.2)
    assert ours / 1e9 == pytest.approx(46, abs=3)


@pytest.mark.parametrize("facts", [DENSE, MIXTURE], ids=["dense", "mixture"])
def test_ranks_share_what_is_in_work(facts: ModelFacts) -> None:
    alone, shared = (loading_bytes(facts, Precision.FP8, QUANTIZES, ranks) for ranks in (1, 8))
    assert 0 < shared <= alone / 7


def test_the_whole_16_bit_model_is_in_the_need_of_an_engine_that_loads_it_first() -> None:
    old = sized(DENSE, replace(QUANTIZES, version="0.11.1"), max_model_len=1024, max_concurrency=1)
    assert old.total_bytes > weights_bytes(DENSE, Precision.BF16) + old.non_torch_bytes
    assert old.total_bytes < weights_bytes(DENSE, Precision.BF16) * 1.15


def test_what_follows_loading_covers_it_where_it_is_more() -> None:
    small, large = (sized(MIXTURE, max_model_len=8192, max_concurrency=number) for number in (1, 4096))
    assert small.loading_bytes > 0 == large.loading_bytes
    serving = small.kv_cache_bytes + small.activation_bytes + small.graph_bytes
    assert serving + small.loading_bytes == loading_bytes(MIXTURE, Precision.FP8, QUANTIZES)


def test_a_need_with_loading_is_the_sum_of_its_parts_within_its_uncertainty() -> None:
    sizing = sized(MIXTURE, max_concurrency=1)
    parts = sizing.activation_bytes + sizing.non_torch_bytes + sizing.graph_bytes + sizing.margin_bytes
    assert sizing.overhead_bytes == parts + sizing.loading_bytes
    assert sizing.uncertainty.low_bytes < sizing.total_bytes <= sizing.uncertainty.high_bytes


def test_quantizing_at_load_never_needs_less_than_a_copy() -> None:
    for model_id in CATALOG.known_ids():
        facts = CATALOG.get(model_id)
        if facts.checkpoint.quantization is None and facts.checkpoint.dtype == "bfloat16":
            copy = sized(facts, EngineSettings())
            assert sized(facts).total_bytes >= copy.total_bytes, model_id
