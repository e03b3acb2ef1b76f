import json
from typing import Any

import pytest

from controller.sizing.assumption import assumptions
from controller.sizing.catalog import Catalog
from controller.sizing.config_fields import ConfigFields
from controller.sizing.errors import SizingError
from controller.sizing.facts import (
    CrossAttention,
    FullAttention,
    GatedDeltaNet,
    LatentAttention,
    LayerGroup,
    Mamba2,
    Quantization,
    RecurrentState,
    Source,
    WindowAttention,
)
from controller.sizing.hugging_face_config import facts_of_config
from controller.sizing.model_file_errors import ModelFileError, UnknownArchitecture
from tests.builders.model_config import CONFIGS, config_text, facts_of, text_of

PUBLISHED = {
    # elements of the published checkpoint, scales and a second copy of a tied head left out
    "cohere": 8_028_033_024,
    "cohere2": 111_057_580_032,
    "deepseek_v2": 15_706_484_224,
    "deepseek_v3": 684_489_845_504,
    "deepseek_v32": 685_355_329_792,
    "falcon": 6_921_720_704,
    "gemma": 2_506_172_416,
    "gemma2": 9_241_705_984,
    "gemma3": 4_300_079_472,
    "gemma3_text": 999_885_952,
    "gemma4": 31_273_088_876,
    "gemma4_e2b": 5_123_178_051,
    "gemma4_e4b": 7_996_156_490,
    "gemma4_moe": 25_805_936_206,
    "glm4_moe": 358_337_791_296,
    "glm_moe_dsa": 753_864_139_008,
    "gpt_oss": 20_914_757_184,
    "granite": 8_170_848_256,
    "kimi_k2": 1_026_408_232_448,
    "kimi_k25": 1_026_879_376_368,
    # less 3,018,912, a millionth, of norms and vectors of its residual attention
    "kimi_k3": 2_779_928_818_272,
    "kimi_linear": 49_122_681_728,
    "llama": 8_030_261_248,
    "llama4": 108_641_793_536,
    "minimax_m2": 228_689_764_864,
    "minimax_m3": 427_040_140_160,
    "mistral": 7_248_023_552,
    "mistral3": 24_011_361_280,
    "mixtral": 46_702_792_704,
    "mllama": 10_670_220_835,
    "nemotron_h": 31_577_937_344,
    "nemotron_h_dense": 8_888_227_328,
    "nemotron_h_latent": 560_524_578_816,
    "olmo2": 7_298_617_344,
    "opt": 125_239_296,
    "phi": 2_779_683_840,
    "phi3": 3_821_079_552,
    "qwen2": 7_615_616_512,
    "qwen2_5_vl": 8_292_166_656,
    "qwen2_moe": 14_315_784_192,
    "qwen2_vl": 8_291_375_616,
    "qwen3": 4_022_468_096,
    "qwen3_5": 27_781_427_952,
    "qwen3_5_moe": 35_951_822_704,
    "qwen3_moe": 30_532_122_624,
    "qwen3_next": 79_674_391_296,
    "qwen3_vl_moe": 235_670_022_896,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_configuration_makes_the_published_number_of_elements_to_the_last_one(name: str) -> None:
    assert facts_of(name).total_params == PUBLISHED[name]


def test_every_stored_configuration_is_compared_with_its_published_number() -> None:
    assert {file.stem for file in CONFIGS.glob("*.json")} == PUBLISHED.keys()


CATALOGUED = {
    "llama": "meta-llama/Llama-3.1-8B-Instruct",
    "mixtral": "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "qwen3_next": "Qwen/Qwen3-Coder-Next",
    "gemma3": "google/gemma-3-4b-it",
    "gemma4": "google/gemma-4-31B-it",
    "deepseek_v3": "deepseek-ai/DeepSeek-V3",
    "gpt_oss": "openai/gpt-oss-20b",
    "mllama": "meta-llama/Llama-3.2-11B-Vision-Instruct",
    "glm4_moe": "zai-org/GLM-4.7",
    "qwen3_vl_moe": "Qwen/Qwen3-VL-235B-A22B-Instruct",
    "qwen3_5": "Qwen/Qwen3.5-27B",
    "gemma4_e2b": "google/gemma-4-E2B-it",
    "gemma4_e4b": "google/gemma-4-E4B-it",
    "gemma4_moe": "google/gemma-4-26B-A4B-it",
    "kimi_k25": "moonshotai/Kimi-K2.5",
    "kimi_k3": "moonshotai/Kimi-K3",
    "kimi_linear": "moonshotai/Kimi-Linear-48B-A3B-Instruct",
    "minimax_m3": "MiniMaxAI/MiniMax-M3",
    "nemotron_h": "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
    "nemotron_h_dense": "nvidia/NVIDIA-Nemotron-Nano-9B-v2",
    "nemotron_h_latent": "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16",
}


@pytest.mark.parametrize(("name", "model_id"), CATALOGUED.items(), ids=CATALOGUED)
def test_a_configuration_keeps_what_the_catalogue_says_its_model_keeps(name: str, model_id: str) -> None:
    told, known = facts_of(name), Catalog.bundled().get(model_id)
    assert sorted(told.layers, key=repr) == sorted(known.layers, key=repr)
    assert told.shape.experts == known.shape.experts
    assert told.shape.mtp_params == known.shape.mtp_params
    assert (told.shape.dense_layers, told.shape.rope_rows) == (known.shape.dense_layers, known.shape.rope_rows)
    assert told.shape.layer_embedding_width == known.shape.layer_embedding_width
    assert told.checkpoint.quantization == known.checkpoint.quantization
    assert told.shape.max_position_embeddings == known.shape.max_position_embeddings


def test_chunks_and_windows_are_told_from_full_layers_by_the_pattern_of_the_architecture() -> None:
    assert facts_of("llama4").layers == (
        LayerGroup(36, WindowAttention(8, 128, 8192, chunked=True)),
        LayerGroup(12, FullAttention(8, 128)),
    )
    assert facts_of("cohere2").layers == (
        LayerGroup(48, WindowAttention(8, 128, 4096)),
        LayerGroup(16, FullAttention(8, 128)),
    )


def test_a_window_that_is_switched_off_or_wider_than_the_context_is_none() -> None:
    assert facts_of("qwen2").layers == (LayerGroup(28, FullAttention(4, 128)),)
    assert facts_of("mistral", sliding_window=32768).layers == (LayerGroup(32, FullAttention(8, 128)),)


def test_a_window_for_the_upper_layers_only_leaves_the_lower_ones_full() -> None:
    layers = facts_of("qwen2", use_sliding_window=True, sliding_window=4096, max_window_layers=20).layers
    assert layers == (LayerGroup(20, FullAttention(4, 128)), LayerGroup(8, WindowAttention(4, 128, 4096)))


def test_layer_types_win_over_the_pattern() -> None:
    told = ["full_attention"] * 42
    assert facts_of("gemma2", layer_types=told).layers == (LayerGroup(42, FullAttention(8, 256)),)


def test_full_layers_of_gemma_4_have_other_heads() -> None:
    assert facts_of("gemma4").layers == (
        LayerGroup(50, WindowAttention(16, 256, 1024)),
        LayerGroup(10, FullAttention(4, 512, keys_are_values=True)),
    )


def test_linear_latent_and_crossing_layers_keep_what_is_theirs() -> None:
    assert facts_of("qwen3_next").layers[0] == LayerGroup(36, GatedDeltaNet(16, 32, 128, 128, 4))
    assert facts_of("deepseek_v2").layers == (LayerGroup(27, LatentAttention(512, 64, 128, 128)),)
    assert facts_of("mllama").layers[1] == LayerGroup(8, CrossAttention(8, 128, 6404))


def test_an_indexer_may_serve_several_layers() -> None:
    shared = ["full"] * 3 + ["shared"] * 75
    with_own, without = facts_of("glm_moe_dsa", indexer_types=shared).layers
    assert (with_own.count, without.count) == (3, 75)
    assert isinstance(without.keeps, LatentAttention)
    assert without.keeps.indexer_dim == 0


def test_the_layer_that_predicts_further_tokens_has_an_indexer_of_its_own() -> None:
    shared = facts_of("glm_moe_dsa", indexer_types=["full"] * 3 + ["shared"] * 75)
    assert shared.parameters.mtp == facts_of("glm_moe_dsa").parameters.mtp


def test_a_state_is_as_wide_as_the_configuration_asks() -> None:
    state = facts_of("qwen3_5").layers[0].keeps
    assert isinstance(state, GatedDeltaNet)
    assert state.state_element_bytes == 4


def test_experts_of_gemma_4_stand_beside_a_dense_mlp() -> None:
    assert facts_of("gemma4_moe").shape.dense_layers == 30


def test_prediction_layers_are_stored_and_not_loaded() -> None:
    counts = facts_of("deepseek_v3").parameters
    assert counts.loaded == 671_026_419_200


def test_biases_that_a_configuration_switches_on_are_counted() -> None:
    plain, biased = facts_of("llama"), facts_of("llama", attention_bias=True, mlp_bias=True)
    assert biased.total_params - plain.total_params == 32 * (4096 + 2 * 1024 + 4096 + 2 * 14336 + 4096)


def test_falcon_40b_has_a_second_norm_and_shares_its_keys_among_fewer_heads() -> None:
    facts = facts_of(
        "falcon",
        new_decoder_architecture=True,
        hidden_size=8192,
        num_attention_heads=128,
        num_kv_heads=8,
        num_hidden_layers=60,
        tie_word_embeddings=False,
    )
    assert facts.total_params == 41_835_970_560


def test_positions_scaled_linearly_make_longer_tables_of_rotary_positions() -> None:
    assert facts_of("gemma3").shape.rope_rows == 131072 * 8 + 131072
    scaled = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
    assert facts_of("qwen2", rope_scaling=scaled).shape.rope_rows == 131072
    assert facts_of("opt").shape.rope_rows == 0


def test_an_encoder_of_an_unknown_kind_is_counted_roughly_and_says_so() -> None:
    vision = {"hidden_size": 1024, "num_hidden_layers": 24, "intermediate_size": 4096}
    facts = facts_of("llama", vision_config=vision)
    assert 300_000_000 < facts.parameters.vision < 330_000_000
    assert "vision_params" in {source.says for source in facts.sources}


def test_the_last_layers_of_gemma_4_e2b_keep_nothing() -> None:
    keeps = [(group.count, group.keeps) for group in facts_of("gemma4_e2b").layers]
    assert keeps[:2] == [(12, WindowAttention(1, 256, 512)), (3, FullAttention(1, 512))]
    assert [(count, kept.bytes) for count, kept in keeps[2:] if isinstance(kept, RecurrentState)] == [(16, 0), (4, 0)]


def test_a_model_that_shares_no_keys_has_all_its_layers() -> None:
    text = text_of("gemma4_e2b", num_kv_shared_layers=0)
    assert [group.count for group in facts_of("gemma4_e2b", text_config=text).layers] == [28, 7]


def test_blocks_are_told_by_letters_or_by_names_old_or_new() -> None:
    names = {"M": "linear_attention", "E": "moe", "*": "full_attention"}
    pattern = facts_of("nemotron_h")
    letters = "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME"
    named = facts_of("nemotron_h", hybrid_override_pattern=..., layers_block_type=[names[each] for each in letters])
    assert named.shape == pattern.shape
    assert pattern.layers[0].keeps == Mamba2(64, 64, 128, 8, 4, state_element_bytes=4)


def test_kimis_gate_is_switched_by_its_configuration() -> None:
    plain, gated = facts_of("kimi_linear"), facts_of("kimi_linear", mla_use_output_gate=True)
    assert gated.total_params - plain.total_params == 7 * 2304 * 32 * 128


def test_the_file_beside_tells_the_quantization_that_the_configuration_does_not() -> None:
    beside = ConfigFields("hf_quant_config.json", b'{"quantization": {"quant_algo": "NVFP4", "group_size": 16}}')
    told = facts_of_config(config_text("qwen3"), "config.json", "x", beside)
    assert told.checkpoint.quantization == Quantization(method="nvfp4", group=16)
    assert Source("quantization", "hf_quant_config.json", "read") in told.sources
    own = config_text("qwen3", quantization_config={"quant_method": "fp8"})
    assert facts_of_config(own, "config.json", "x", beside).checkpoint.quantization == Quantization(method="fp8")


ASSUMED: dict[str, tuple[str, dict[str, Any], str]] = {
    "KV heads": ("llama", {"num_key_value_heads": ...}, "num_key_value_heads 32"),
    "width of heads": ("qwen3", {"head_dim": ...}, "head_dim 128"),
    "type of a state": ("nemotron_h", {"mamba_ssm_cache_dtype": ...}, "mamba_ssm_cache_dtype float32"),
    "positions": ("falcon", {}, "max_position_embeddings 2048"),
    "most of Gemma 3": ("gemma3", {}, "num_attention_heads 8, num_key_value_heads 4, head_dim 256"),
}


@pytest.mark.parametrize(("name", "changed", "told"), ASSUMED.values(), ids=ASSUMED)
def test_a_default_of_the_configuration_class_is_named(name: str, changed: dict[str, Any], told: str) -> None:
    (sentence,) = assumptions(facts_of(name, **changed).sources)
    assert told in sentence
    assert sentence.startswith("config.json tells nothing of")


def test_a_configuration_that_tells_all_needs_no_assumption() -> None:
    assert not list(assumptions(facts_of("llama").sources))


def test_latent_attention_that_is_switched_off_is_plain_attention() -> None:
    without: dict[str, Any] = dict.fromkeys(("kv_lora_rank", "qk_rope_head_dim", "q_lora_rank"))
    assert facts_of("deepseek_v2", use_mla=False, **without).layers == (LayerGroup(27, FullAttention(16, 128)),)


def test_scaled_positions_are_told_by_the_newer_field_as_well() -> None:
    scaled = {"rope_type": "linear", "factor": 2.0}
    assert facts_of("llama", rope_scaling=..., rope_parameters=scaled).shape.rope_rows == 2 * 131072
    by_kind = {"full_attention": scaled}
    assert facts_of("llama", rope_scaling=..., rope_parameters=by_kind).shape.rope_rows == 2 * 131072


def test_a_known_wrapper_of_another_decoder_has_the_decoders_rules() -> None:
    text = config_text("mistral3", text_config=json.loads(config_text("qwen3")))
    assert facts_of_config(text, "config.json", "x").shape.architecture == "qwen3"


def test_a_known_wrapper_of_an_unknown_decoder_is_refused() -> None:
    text = config_text("mistral3", text_config={"model_type": "rwkv7"})
    with pytest.raises(UnknownArchitecture, match=r"text_config\.model_type 'rwkv7' is an architecture"):
        facts_of_config(text, "config.json", "x")


@pytest.mark.parametrize(
    ("name", "field"),
    [("gemma4_moe", "enable_moe_block"), ("qwen3_5", "mamba_ssm_dtype"), ("mllama", "num_key_value_heads")],
)
def test_a_field_of_the_decoder_that_memory_depends_on_is_missed(name: str, field: str) -> None:
    text = json.loads(config_text(name))["text_config"]
    with pytest.raises(ModelFileError, match=rf"config\.json: text_config\.{field} is missing"):
        facts_of(name, text_config={key: value for key, value in text.items() if key != field})


def test_a_wrapper_that_is_not_known_serves_the_decoder_inside_it() -> None:
    text = config_text("llama", model_type="some_vl", text_config={"model_type": "llama"})
    with pytest.raises(ModelFileError, match=r"text_config\.hidden_size is missing"):
        facts_of_config(text, "config.json", "x")


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a field that is missing": ("llama", {"vocab_size": ...}, "config.json: vocab_size is missing: add it"),
    "a field that is null": ("llama", {"hidden_size": None}, "config.json: hidden_size is missing"),
    "a text for a number": ("llama", {"vocab_size": "many"}, "vocab_size 'many' is not a whole number"),
    "a fraction of a layer": ("llama", {"num_hidden_layers": 1.5}, "num_hidden_layers 1.5 is not a whole number"),
    "a negative width": ("llama", {"hidden_size": -1}, "hidden_size -1 is out of range: use 1 to"),
    "no layers": ("llama", {"num_hidden_layers": 0}, "num_hidden_layers 0 is out of range"),
    "a million layers": ("llama", {"num_hidden_layers": 10**6}, "is out of range: use 1 to 10000"),
    "a huge integer": ("llama", {"vocab_size": 10**400}, "vocab_size .* is out of range|is not a whole number"),
    "heads that do not divide": ("llama", {"num_key_value_heads": 7}, "num_key_value_heads 7 does not divide"),
    "a width no multiple of heads": ("llama", {"hidden_size": 4097}, "hidden_size 4097 is no multiple of num_attent"),
    "layer types of other layers": ("gemma2", {"layer_types": ["full_attention"]}, "names 1 layers, num_hidden_layers"),
    "an unknown kind of layer": ("gemma2", {"layer_types": ["odd"] * 42}, "has 'odd', a kind of layer that is not"),
    "two counts of experts": ("mixtral", {"num_experts": 4}, "contradicts num_experts, which is 4"),
    "more chosen than there are": ("mixtral", {"num_experts_per_tok": 9}, "num_experts_per_tok 9 is more than the 8"),
    "more dense layers than layers": ("deepseek_v3", {"first_k_dense_replace": 99}, "first_k_dense_replace 99 is more"),
    "a type of no weights": ("llama", {"torch_dtype": "complex"}, "torch_dtype 'complex' is no type of weights"),
    "widths that make no model": ("llama", {"hidden_size": 10**6, "intermediate_size": 10**9}, "makes a model of"),
    "keys shared by all layers": (
        "gemma4_e2b",
        {"text_config": text_of("gemma4_e2b", num_kv_shared_layers=35)},
        "text_config.num_kv_shared_layers 35 leaves none of 35 layers",
    ),
    "sound of three convolutions": (
        "gemma4_e2b",
        {"audio_config": {"subsampling_conv_channels": [1, 2, 3]}},
        "subsampling_conv_channels .*is not two numbers",
    ),
    "a number that is none": ("llama", {"vocab_size": float("nan")}, "vocab_size 'NaN' is not a whole number"),
    "a factor without end": (
        "llama",
        {"rope_scaling": {"type": "linear", "factor": float("inf")}},
        r"rope_scaling\.factor 'Infinity' is not a number",
    ),
    "a list without end": ("gemma2", {"layer_types": ["x"] * 60_000}, "layer_types .* has more than 50000 entries"),
    "blocks without end": ("nemotron_h", {"hybrid_override_pattern": "M" * 20_000}, "names 20000 layers"),
    "blocks of other layers": ("nemotron_h", {"num_hidden_layers": 50}, "num_hidden_layers 50 contradicts the pattern"),
    "an unknown block": ("nemotron_h", {"hybrid_override_pattern": "MXM"}, "hybrid_override_pattern .*has 'X', a kind"),
    "no pattern of blocks": ("nemotron_h", {"hybrid_override_pattern": ...}, "hybrid_override_pattern is missing"),
    "biases of a state space": ("nemotron_h", {"use_bias": True}, "use_bias True means tensors"),
    "too many experts of a block": ("nemotron_h", {"num_experts_per_tok": 999}, "num_experts_per_tok 999 is more than"),
    "delta attention of too few layers": (
        "kimi_linear",
        {"num_hidden_layers": 28},
        r"linear_attn_config\.kda_layers .*do not name each of 28 layers once",
    ),
    "delta attention of no layers": ("kimi_linear", {"linear_attn_config": {}}, "full_attn_layers is missing"),
    "no word of delta attention": ("kimi_linear", {"linear_attn_config": ...}, "linear_attn_config is missing"),
    "an indexer of other layers": (
        "minimax_m3",
        {"text_config": text_of("minimax_m3", sparse_attention_config={"sparse_attention_freq": [1]})},
        "sparse_attention_freq .*names 1 layers, num_hidden_layers is 60",
    ),
    "mixtures of other layers": (
        "minimax_m3",
        {"text_config": text_of("minimax_m3", moe_layer_freq=[1, 0])},
        "moe_layer_freq .*names 2 layers, num_hidden_layers is 60",
    ),
    "a ratio below nothing": (
        "qwen2_vl",
        {"rope_scaling": {"type": "linear", "factor": -1}},
        "factor -1 is out of range",
    ),
    "a crossing layer too high": (
        "mllama",
        {"text_config": {"cross_attention_layers": [99], "num_hidden_layers": 4, "hidden_size": 64}},
        "cross_attention_layers .*names layers outside 0 to 3",
    ),
    "latent attention without its rank": ("deepseek_v2", {"kv_lora_rank": ...}, "kv_lora_rank is missing"),
    "latent attention that is none": ("deepseek_v2", {"use_mla": False}, "kv_lora_rank 512 is a width of latent"),
    "a latent rank in another attention": ("llama", {"kv_lora_rank": 512}, "kv_lora_rank 512 is a width of latent"),
    "an indexer that is missing": ("deepseek_v32", {"index_head_dim": ...}, "index_head_dim is missing"),
    "an indexer of a model without": (
        "deepseek_v3",
        {"index_head_dim": 128},
        "index_head_dim 128 is a width of a spar",
    ),
    "no word of the queries' rank": ("deepseek_v3", {"q_lora_rank": ...}, "q_lora_rank is missing"),
    "a mixture of no experts": ("mixtral", {"num_local_experts": 0}, "num_local_experts 0 makes no mixture, which mix"),
    "a mixture without a count": ("qwen3_moe", {"num_experts": ...}, "config.json: num_experts is missing"),
    "experts of a dense model": ("llama", {"num_local_experts": 8}, "num_local_experts 8 are experts, which llama has"),
    "experts in no layer": ("qwen3_moe", {"decoder_sparse_step": 99}, "num_experts 128 makes no mixture, as no layer"),
    "no word of shared experts": ("deepseek_v3", {"n_shared_experts": ...}, "n_shared_experts is missing"),
    "no word of dense layers": ("glm4_moe", {"first_k_dense_replace": ...}, "first_k_dense_replace is missing"),
    "no width of the shared expert": (
        "qwen3_next",
        {"shared_expert_intermediate_size": ...},
        "shared_expert_intermediate_size is missing",
    ),
    "kinds of MLPs of other layers": ("glm4_moe", {"mlp_layer_types": ["sparse"]}, "mlp_layer_types .* each of 92 lay"),
    "no positions": ("llama", {"max_position_embeddings": ...}, "max_position_embeddings is missing"),
    "no count of KV heads": ("mistral", {"num_key_value_heads": ...}, "num_key_value_heads is missing"),
    "no window": ("gemma2", {"sliding_window": ...}, "sliding_window is missing"),
    "a window of unknown layers": (
        "qwen2",
        {"use_sliding_window": True, "max_window_layers": ...},
        "max_window_layers is missing",
    ),
    "no encoder": ("qwen2_vl", {"vision_config": ...}, "vision_config is missing"),
    "a block with one side": (
        "llama",
        {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128]}},
        r"weight_block_size \[128\] is not two sides",
    ),
    "no model type": ("llama", {"model_type": ...}, "config.json: model_type is missing"),
    "a list for an object": ("gemma3", {"text_config": [1]}, "text_config is not a JSON object"),
}


@pytest.mark.parametrize(("name", "changed", "message"), REFUSED.values(), ids=REFUSED)
def test_a_configuration_that_cannot_be_is_refused_naming_the_field(
    name: str, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelFileError, match=message) as refused:
        facts_of(name, **changed)
    assert isinstance(refused.value, SizingError)
    assert refused.value.remedy


def test_an_unknown_architecture_is_refused_and_pointed_to_its_tensors() -> None:
    with pytest.raises(UnknownArchitecture, match=r"model_type 'rwkv7' is an architecture .*--directory DIR"):
        facts_of("llama", model_type="rwkv7")


TEXTS = {
    "nothing": (b"", "is not JSON"),
    "no JSON": (b"model: llama", "is not JSON"),
    "a list": (b"[]", "is not a JSON object"),
    "not text": (b"\xff\xfe\x00", "is not JSON"),
    "cut off": (b'{"model_type": "llama", "hidden_size": 40', "is not JSON"),
    "a million deep": (b'{"hidden_size": ' + b"[" * 10**6 + b"]" * 10**6 + b"}", "is nested too deeply"),
    "deep where nobody reads": (b'{"other": ' + b"[" * 10**6 + b"]" * 10**6 + b"}", "is nested too deeply"),
    "many numbers that are none": (b'{"a": [' + b"NaN, " * 10**5 + b"1]}", "is not JSON"),
}


@pytest.mark.parametrize(("text", "message"), TEXTS.values(), ids=TEXTS)
def test_a_text_that_is_no_configuration_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        facts_of_config(text, "config.json", "x")


def test_numbers_as_python_and_other_tools_write_them_are_read() -> None:
    text = config_text("llama", hidden_size=4096.0, time_step_limit=[0.0, float("inf")], other=float("nan"))
    assert facts_of_config(b"\xef\xbb\xbf" + text, "config.json", "x").shape.hidden_size == 4096
