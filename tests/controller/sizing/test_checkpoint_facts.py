import json
from typing import Any

import pytest

from controller.sizing.checkpoint_facts import estimated_facts, with_tensors
from controller.sizing.facts import FullAttention, LatentAttention, LayerGroup, ModelFacts, Quantization
from controller.sizing.hugging_face_config import facts_of_config
from controller.sizing.model_file_errors import ModelFileError
from controller.sizing.parameters import UNKNOWN_ARCHITECTURE
from controller.sizing.safetensors import parse_header
from controller.sizing.tensor_roles import TensorTally
from tests.builders.checkpoint import SMALL_CONFIG, Tensors, header_of, small_model


def _tally(tensors: Tensors) -> TensorTally:
    header, size = header_of(tensors)
    tally = TensorTally()
    tally.add(parse_header(header, "model.safetensors", size))
    return tally


def _configured(**changed: Any) -> ModelFacts:
    return facts_of_config(json.dumps(SMALL_CONFIG | changed).encode(), "config.json", "x")


def test_beside_a_configuration_the_bytes_are_the_tensors() -> None:
    tally = _tally(small_model())
    facts = with_tensors(_configured(), tally, "dir")
    assert facts.checkpoint.bytes == tally.bytes == 2 * facts.total_params
    assert facts.shape.architecture == "llama"


def test_alone_they_make_the_same_shape_and_say_that_it_is_an_estimate() -> None:
    told, guessed = _configured(), estimated_facts(_tally(small_model()), "dir", "x")
    assert guessed.parameters == told.parameters
    assert guessed.shape.hidden_size == told.shape.hidden_size
    assert guessed.layers == (LayerGroup(2, FullAttention(1, 32)),)  # as wide as two heads of 16
    assert guessed.shape.architecture == UNKNOWN_ARCHITECTURE


def test_a_norm_on_keys_tells_the_width_of_a_head() -> None:
    normed = {f"model.layers.{layer}.self_attn.k_norm.weight": ("BF16", [16]) for layer in range(2)}
    facts = estimated_facts(_tally(small_model() | normed), "dir", "x")
    assert facts.layers == (LayerGroup(2, FullAttention(2, 16)),)


def test_joined_projections_count_as_a_third_each() -> None:
    tensors = {name.replace("q_proj", "qkv_proj"): value for name, value in small_model().items()}
    plain = {name: value for name, value in tensors.items() if "k_proj" not in name and "v_proj.w" not in name}
    joined = plain | {f"model.layers.{layer}.self_attn.qkv_proj.weight": ("BF16", [128, 64]) for layer in range(2)}
    assert estimated_facts(_tally(joined), "dir", "x").layers == (LayerGroup(2, FullAttention(1, 43)),)


def test_latent_attention_is_seen_by_its_down_projection() -> None:
    latent = {
        f"model.layers.{layer}.self_attn.{name}.weight": ("BF16", shape)
        for layer in range(2)
        for name, shape in {"kv_a_proj_with_mqa": [40, 64], "kv_a_layernorm": [32]}.items()
    }
    plain = {name: value for name, value in small_model().items() if "k_proj" not in name and "v_proj" not in name}
    kept = estimated_facts(_tally(plain | latent), "dir", "x").layers[0].keeps
    assert isinstance(kept, LatentAttention)
    assert (kept.rank, kept.rope_dim) == (32, 8)


def test_the_types_of_linear_layers_tell_the_quantization() -> None:
    tensors = {name: ("F8_E4M3" if "_proj" in name else dtype, shape) for name, (dtype, shape) in small_model().items()}
    facts = estimated_facts(_tally(tensors), "dir", "x")
    assert facts.checkpoint.quantization == Quantization(method="fp8")
    assert facts.checkpoint.dtype == "bfloat16"


def test_packed_integers_count_as_what_they_stand_for() -> None:
    packed = {
        name.replace(".weight", ".qweight") if "_proj" in name else name: (
            ("I32", [shape[0], shape[1] // 8]) if "_proj" in name else (dtype, shape)
        )
        for name, (dtype, shape) in small_model().items()
    }
    facts = estimated_facts(_tally(packed), "dir", "x")
    assert facts.total_params == estimated_facts(_tally(small_model()), "dir", "x").total_params
    assert facts.checkpoint.quantization == Quantization(method="int4")


CONTRADICTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "the width": ({"hidden_size": 128}, "hidden_size 128 contradicts model.embed_tokens.weight, which is 64 wide"),
    "the words": ({"vocab_size": 2000}, "vocab_size 2000 contradicts model.embed_tokens.weight, which has 1000 rows"),
    "the layers": ({"num_hidden_layers": 3}, "num_hidden_layers 3 contradicts the tensors, which are of 2 layers"),
    "the MLP": ({"intermediate_size": 960}, "dir has tensors of .* elements, its config.json makes"),
    "fewer layers": ({"num_hidden_layers": 1}, "dir has tensors of .* elements, its config.json makes"),
}


@pytest.mark.parametrize(("changed", "message"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_tensors_of_another_model_than_the_configuration_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        with_tensors(_configured(**changed), _tally(small_model()), "dir")


def test_a_tied_head_may_be_stored_a_second_time() -> None:
    facts = with_tensors(_configured(tie_word_embeddings=True), _tally(small_model()), "dir")
    assert facts.parameters.head == 0


def test_tensors_without_an_embedding_or_layers_are_no_language_model() -> None:
    with pytest.raises(ModelFileError, match="holds no embedding"):
        estimated_facts(_tally({"a": ("F32", [2])}), "dir", "x")
    with pytest.raises(ModelFileError, match="holds no layers"):
        estimated_facts(_tally({"model.embed_tokens.weight": ("F32", [2, 2])}), "dir", "x")


def test_a_layer_that_keeps_what_its_tensors_do_not_tell_is_refused() -> None:
    state = {"model.layers.2.mixer.A_log": ("F32", [8]), "model.layers.2.mixer.conv1d.weight": ("BF16", [8, 1, 4])}
    with pytest.raises(ModelFileError, match=r"dir: layer 2 keeps something .* ModelProfile"):
        estimated_facts(_tally(small_model() | state), "dir", "x")
