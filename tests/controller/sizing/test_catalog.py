import pytest

from controller.sizing.catalog import Catalog, CatalogError
from controller.sizing.errors import UnknownModel

HEADER = (
    "model_id,architecture,total_params,active_params,num_hidden_layers,hidden_size,intermediate_size,num_attention_heads,"
    "num_key_value_heads,head_dim,vocab_size,tie_word_embeddings,max_position_embeddings,sliding_window,"
    "full_attention_layers,moe_num_experts,moe_experts_per_token,moe_intermediate_size,first_dense_layers,shared_experts,"
    "kv_lora_rank,qk_rope_head_dim,native_dtype,native_quantization,has_vision_encoder_params,source,confidence,"
    "local_attention,weights_bytes_computed,mtp_params_in_total\n"
)
ROW = "a/b,llama,10,10,1,2,2,1,1,2,4,true,8,,1,,,,,,,,bfloat16,,0,here,read,none,20,\n"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.bundled()


def test_every_bundled_model_is_there(catalog: Catalog) -> None:
    assert len(catalog.ids()) == 64
    assert all(catalog.get(model_id).source for model_id in catalog.ids())


def test_facts_are_read_by_column(catalog: Catalog) -> None:
    facts = catalog.get("deepseek-ai/DeepSeek-V3")
    assert (facts.num_hidden_layers, facts.kv_lora_rank, facts.qk_rope_head_dim) == (61, 512, 64)
    assert (facts.total_params, facts.mtp_params, facts.checkpoint_bytes) == (684531386000, 13464128568, 688574839360)


@pytest.mark.parametrize(
    ("asked", "want"),
    [
        ("Qwen/Qwen3-8b", "Qwen/Qwen3-8B"),
        ("meta-llama/Llama-3.1-8B-Instrukt", "meta-llama/Llama-3.1-8B-Instruct"),
        ("Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
    ],
)
def test_a_near_miss_is_refused_and_offers_the_nearest(catalog: Catalog, asked: str, want: str) -> None:
    with pytest.raises(UnknownModel) as refusal:
        catalog.get(asked)
    assert refusal.value.nearest[0] == want
    assert (refusal.value.field, refusal.value.value) == ("model_id", asked)
    assert want in refusal.value.remedy


@pytest.mark.parametrize("asked", ["", "x" * 100_000, "\x00"], ids=["empty", "absurdly long", "control character"])
def test_what_is_near_to_nothing_offers_nothing(catalog: Catalog, asked: str) -> None:
    with pytest.raises(UnknownModel) as refusal:
        catalog.get(asked)
    assert refusal.value.nearest == ()


def test_a_small_table_is_read() -> None:
    assert Catalog.parse(HEADER + ROW).get("a/b").max_position_embeddings == 8


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param(HEADER + ROW.replace("llama,10,", "llama,,"), "'a/b': column total_params is empty", id="empty"),
        pytest.param(HEADER + ROW.replace("llama,10,", "llama,ten,"), "total_params is 'ten'", id="no number"),
        pytest.param(HEADER + ROW.replace("true", "yes"), "tie_word_embeddings is 'yes'", id="no flag"),
        pytest.param(HEADER + "a/b,llama\n", "column total_params is missing", id="short row"),
        pytest.param(HEADER + ROW + ROW, "model a/b stands in more than one row", id="twice"),
    ],
)
def test_a_bad_table_is_refused_by_column(text: str, want: str) -> None:
    with pytest.raises(CatalogError, match=want):
        Catalog.parse(text)
