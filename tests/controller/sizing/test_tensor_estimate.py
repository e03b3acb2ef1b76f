import pytest

from controller.sizing.facts import FullAttention, LatentAttention, LayerGroup, Quantization
from controller.sizing.kv_cache import KvStorage, kv_bytes_per_token
from controller.sizing.model_file_errors import ModelFileError
from controller.sizing.parameters import UNKNOWN_ARCHITECTURE
from controller.sizing.precision import native_precision
from controller.sizing.tensor_estimate import estimated_facts
from controller.sizing.weights import stored_bytes
from tests.builders.checkpoint import nvfp4_model, packed_model, small_facts, small_model, tally_of


def test_alone_they_make_the_same_shape_and_say_that_it_is_an_estimate() -> None:
    told, guessed = small_facts(), estimated_facts(tally_of(small_model()), "dir", "x")
    assert guessed.parameters == told.parameters
    assert guessed.shape.hidden_size == told.shape.hidden_size
    assert guessed.layers == (LayerGroup(2, FullAttention(1, 32)),)  # as wide as two heads of 16
    assert guessed.shape.architecture == UNKNOWN_ARCHITECTURE


def test_a_norm_on_keys_tells_the_width_of_a_head() -> None:
    normed = {f"model.layers.{layer}.self_attn.k_norm.weight": ("BF16", [16]) for layer in range(2)}
    facts = estimated_facts(tally_of(small_model() | normed), "dir", "x")
    assert facts.layers == (LayerGroup(2, FullAttention(2, 16)),)


def test_joined_projections_count_as_a_third_each() -> None:
    tensors = {name.replace("q_proj", "qkv_proj"): value for name, value in small_model().items()}
    plain = {name: value for name, value in tensors.items() if "k_proj" not in name and "v_proj.w" not in name}
    joined = plain | {f"model.layers.{layer}.self_attn.qkv_proj.weight": ("BF16", [128, 64]) for layer in range(2)}
    assert estimated_facts(tally_of(joined), "dir", "x").layers == (LayerGroup(2, FullAttention(1, 43)),)


GPT2_LAYER = {
    "attn.c_attn.weight": [768, 2304],
    "attn.c_attn.bias": [2304],
    "attn.c_proj.weight": [768, 768],
    "mlp.c_fc.weight": [768, 3072],
    "mlp.c_proj.weight": [3072, 768],
}


def test_a_joined_projection_that_is_stored_turned_counts_by_its_longer_side() -> None:
    tensors: dict[str, tuple[str, list[int]]] = {
        "wte.weight": ("F32", [50257, 768]),
        "wpe.weight": ("F32", [1024, 768]),
    }
    tensors |= {f"h.{n}.{name}": ("F32", shape) for n in range(12) for name, shape in GPT2_LAYER.items()}
    facts = estimated_facts(tally_of(tensors), "dir", "x")
    assert kv_bytes_per_token(facts, KvStorage(2, 1)) == 12 * 2 * 768 * 2


def test_latent_attention_is_seen_by_its_down_projection() -> None:
    latent = {
        f"model.layers.{layer}.self_attn.{name}.weight": ("BF16", shape)
        for layer in range(2)
        for name, shape in {"kv_a_proj_with_mqa": [40, 64], "kv_a_layernorm": [32]}.items()
    }
    plain = {name: value for name, value in small_model().items() if "k_proj" not in name and "v_proj" not in name}
    kept = estimated_facts(tally_of(plain | latent), "dir", "x").layers[0].keeps
    assert isinstance(kept, LatentAttention)
    assert (kept.rank, kept.rope_dim) == (32, 8)


def test_the_types_of_linear_layers_tell_the_quantization() -> None:
    tensors = {name: ("F8_E4M3" if "_proj" in name else dtype, shape) for name, (dtype, shape) in small_model().items()}
    facts = estimated_facts(tally_of(tensors), "dir", "x")
    assert facts.checkpoint.quantization == Quantization(method="fp8")
    assert facts.checkpoint.dtype == "bfloat16"


def test_a_scale_of_the_whole_tensor_tells_nvfp4_from_mxfp4() -> None:
    facts = estimated_facts(tally_of(nvfp4_model()), "dir", "x")
    assert facts.checkpoint.quantization is not None
    assert (facts.checkpoint.quantization.method, facts.checkpoint.quantization.covers) == ("nvfp4", "linear")


def test_packed_integers_count_as_what_they_stand_for() -> None:
    facts, plain = estimated_facts(tally_of(packed_model(4)), "dir", "x"), small_facts()
    assert facts.parameters.total - facts.parameters.other == plain.total_params
    assert facts.layers == (LayerGroup(2, FullAttention(1, 32)),)
    assert facts.checkpoint.quantization == Quantization(method="int4")


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
def test_an_estimate_is_as_large_as_its_files(dtype: str) -> None:
    tally = tally_of(small_model(dtype=dtype))
    facts = estimated_facts(tally, "dir", "x")
    assert stored_bytes(facts, native_precision(facts)) == tally.bytes


def test_scales_are_part_of_an_estimates_bytes() -> None:
    tensors = {name: ("F8_E4M3" if "_proj" in name else dtype, shape) for name, (dtype, shape) in small_model().items()}
    scales = {f"{name}_scale_inv": ("F32", [8, 8]) for name in tensors if "_proj" in name}
    tally = tally_of(tensors | scales)
    facts = estimated_facts(tally, "dir", "x")
    assert stored_bytes(facts, native_precision(facts)) == tally.bytes


def test_tensors_without_an_embedding_or_layers_are_no_language_model() -> None:
    with pytest.raises(ModelFileError, match="holds no embedding"):
        estimated_facts(tally_of({"a": ("F32", [2])}), "dir", "x")
    with pytest.raises(ModelFileError, match="holds no layers"):
        estimated_facts(tally_of({"model.embed_tokens.weight": ("F32", [2, 2])}), "dir", "x")


def test_a_layer_that_keeps_what_its_tensors_do_not_tell_is_refused() -> None:
    state = {"model.layers.2.mixer.A_log": ("F32", [8]), "model.layers.2.mixer.conv1d.weight": ("BF16", [8, 1, 4])}
    with pytest.raises(ModelFileError, match=r"dir: layer 2 keeps something .* ModelProfile"):
        estimated_facts(tally_of(small_model() | state), "dir", "x")


RECURRENT = {
    "Mamba": ["mamba.A_log", "mamba.conv1d.weight", "mamba.in_proj.weight"],
    "a gated delta net": ["linear_attn.dt_bias"],
    "RWKV": ["attention.time_decay"],
    "Griffin": ["temporal_block.rg_lru.recurrent_param"],
}


@pytest.mark.parametrize("names", RECURRENT.values(), ids=RECURRENT)
def test_a_layer_with_a_state_beside_its_attention_is_refused(names: list[str]) -> None:
    state = {f"model.layers.1.{name}": ("BF16", [8]) for name in names}
    with pytest.raises(
        ModelFileError, match=r"dir: layer 1 keeps .*\(a recurrent state, as model\.layers\.\*\..* tells"
    ):
        estimated_facts(tally_of(small_model() | state), "dir", "x")


@pytest.mark.parametrize("name", ["cross_attn.k_proj", "self_attn.1.k_proj"])
def test_a_layer_with_two_attentions_is_refused(name: str) -> None:
    second = {f"model.layers.1.{name}.weight": ("BF16", [32, 64])}
    with pytest.raises(ModelFileError, match=r"layer 1 keeps .*\(no keys and values of one attention"):
        estimated_facts(tally_of(small_model() | second), "dir", "x")
