"""From the text of a ``config.json`` of Hugging Face's to the facts of a model.

The fields are those of transformers' configuration classes; a model with images keeps those of its decoder in a nested
``text_config``. Read are the model types whose fields and tensors were checked against published configurations and
totals (`READ`); any other is refused, as its tensors could be anything. What a configuration does not tell (whether a
second copy of a tied head is stored, how many scales) is not guessed at: bytes of a file are in its headers.
"""

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Final, Literal

import msgspec

from controller.sizing.architecture_class import require_same_model
from controller.sizing.assumption import assumption
from controller.sizing.attention_config import layer_groups, query_heads
from controller.sizing.audio_encoder import audio_elements
from controller.sizing.config_fields import ConfigFields
from controller.sizing.experts_config import dense_width, experts_of
from controller.sizing.facts import Checkpoint, ModelFacts, Shape, Source
from controller.sizing.model_file_errors import UnknownArchitecture
from controller.sizing.nemotron_config import block_kinds, prediction_parameters
from controller.sizing.parameters import (
    Tensors,
    count_parameters,
    prediction_layer_parameters,
    tensors_of,
)
from controller.sizing.quantization_config import quantization_of
from controller.sizing.vision_encoder import vision_count

READ: Final = frozenset(
    {
        *("cohere", "cohere2", "deepseek_v2", "deepseek_v3", "deepseek_v32", "falcon", "gemma", "gemma2", "gemma3"),
        *(
            "gemma4",
            "glm",
            "glm4",
            "glm4_moe",
            "glm_moe_dsa",
            "gpt_oss",
            "granite",
            "kimi_k2",
            "kimi_k25",
            "kimi_k3",
            "kimi_linear",
            "llama",
            "llama4",
        ),
        *("minimax_m2", "minimax_m3", "mistral", "mistral3", "mixtral", "mllama", "nemotron_h", "olmo2", "olmo3"),
        *("opt", "phi", "phi3", "qwen2"),
        *("qwen2_5_vl", "qwen2_moe", "qwen2_vl", "qwen3", "qwen3_5", "qwen3_5_moe", "qwen3_moe", "qwen3_next"),
        *("qwen3_vl", "qwen3_vl_moe", "seed_oss", "smollm3"),
    }
)
"""Model types that are understood here, those of wrappers included; `_ALIASES` has further names."""

_TIED: Final = frozenset({"gemma", "gemma2", "gemma3", "gemma3_text", "gemma4", "cohere", "cohere2", "falcon", "opt"})
"""Architectures whose configuration class ties the head unless it is told otherwise."""

_STORES_PREDICTION_LAYERS: Final = frozenset(
    {"deepseek_v3", "deepseek_v32", "glm4_moe", "glm_moe_dsa", "qwen3_5", "qwen3_5_moe"}
)
"""Architectures whose published files have the multi-token-prediction layers that their configuration counts."""

_ALIASES: Final = {
    "gemma3_text": "gemma3",
    "gemma4_text": "gemma4",
    "llama4_text": "llama4",
    "minimax_m3_vl": "minimax_m3",
    "minimax_m3_vl_text": "minimax_m3",
    "ministral3": "mistral",
    "mllama_text_model": "mllama",
    "qwen2_5_vl_text": "qwen2_5_vl",
    "qwen2_vl_text": "qwen2_vl",
    "qwen3_5_moe_text": "qwen3_5_moe",
    "qwen3_5_text": "qwen3_5",
    "qwen3_vl_moe_text": "qwen3_vl_moe",
    "qwen3_vl_text": "qwen3_vl",
}
"""Decoders by the name of their own and by that of the wrapper that has their rules."""

_WRAPPED: Final[Mapping[str, Set[str]]] = {
    "kimi_k25": {"deepseek_v3", "kimi_k2"},
    "kimi_k3": {"kimi_linear"},
    "minimax_m3_vl": {"minimax_m2"},
    "mistral3": {"mistral"},
}
"""Wrappers with rules of their own, and the decoders that stand in them under another name."""

_WITH_ENCODER: Final = frozenset(
    {
        *("gemma3", "gemma4", "kimi_k25", "kimi_k3", "llama4", "minimax_m3_vl", "mistral3", "mllama", "qwen2_5_vl"),
        *("qwen2_vl", "qwen3_5", "qwen3_5_moe", "qwen3_vl", "qwen3_vl_moe"),
    }
)
"""Model types of wrappers: their published files have an image encoder."""

_WITHOUT_ROTARY: Final = frozenset({"kimi_k3", "kimi_linear", "nemotron_h"})
"""Architectures whose attention has no positions: the layers beside it have the order in their states."""

_CLASS_POSITIONS: Final = {"gemma3": 131_072, "falcon": 2048, "opt": 2048}
"""Positions of the configuration classes whose published files leave them out."""

_MOST_PARAMETERS: Final = 10**14
"""A hundred times the largest published model."""

_DTYPES: Final[dict[str, Literal["bfloat16", "float16", "float32"]]] = {
    "bfloat16": "bfloat16",
    "float16": "float16",
    "float32": "float32",
}


def facts_of_config(text: bytes, file: str, model_id: str, beside: ConfigFields | None = None) -> ModelFacts:
    """The facts of a model from its config.json's text; ``file`` is for messages.

    ``beside``: the fields of a ``hf_quant_config.json``, which says how the weights are quantized where a config.json
    of ModelOpt's does not. Raises ModelFileError naming the field: of a text that is no such JSON, a field that is
    missing, out of range or contradicts another, a feature whose tensors are not known; UnknownArchitecture for a model
    type.
    """
    config = ConfigFields(file, text)
    decoder = config.section("text_config", "llm_config", "language_config") or config
    architecture = _architecture(config, decoder)
    _refuse_unknown_features(decoder, architecture)
    if config.text("model_type") in _WITH_ENCODER and "vision_config" not in config:
        raise config.missing("vision_config")
    vision = vision_count(config, architecture, decoder.number("hidden_size"))
    tensors = _tensors(decoder, architecture)
    encoders = vision.elements + audio_elements(config, decoder.number("hidden_size"))
    shape = _with_prediction_layers(_shape(config, decoder, architecture, encoders), tensors, decoder)
    counts = count_parameters(shape, tensors)
    if counts.total > _MOST_PARAMETERS:
        raise decoder.problem("hidden_size", f"makes a model of {counts.total} parameters", "correct the widths")
    sources = _sources(config, decoder, file, exact_vision=vision.exact)
    quantized = _quantization(config, decoder) or (beside and beside.section("quantization"))
    if quantized is not None and quantized.file != file:
        sources = (*sources, Source("quantization", quantized.file, "read"))
    return ModelFacts(model_id, shape, counts, _checkpoint(config, decoder, quantized, shape), sources)


def _architecture(config: ConfigFields, decoder: ConfigFields) -> str:
    """The name under which the decoder's rules are known: its own, or its wrapper's."""
    wrapper, own = config.text("model_type"), decoder.text("model_type")
    if not wrapper and not own:
        raise config.missing("model_type")
    known = _ALIASES.get(own or wrapper, own or wrapper)
    if known not in READ:
        where = "model_type" if decoder is config or not own else "text_config.model_type"
        raise UnknownArchitecture(config.file, where, own or wrapper)
    named = _ALIASES.get(wrapper, wrapper)
    require_same_model(config, {known, named}, READ)
    return named if known in _WRAPPED.get(wrapper, ()) else known


def _refuse_unknown_features(decoder: ConfigFields, architecture: str) -> None:
    """Raises ModelFileError for tensors that a known architecture has in some of its models only."""
    remedy = "give a directory with the model's safetensors files (--directory DIR)"
    if architecture == "opt":
        hidden = decoder.number("hidden_size")
        if decoder.number("word_embed_proj_dim", default=hidden) != hidden:
            raise decoder.problem("word_embed_proj_dim", f"differs from hidden_size, {hidden}", remedy)


def _shape(config: ConfigFields, decoder: ConfigFields, architecture: str, vision_params: int) -> Shape:
    groups = layer_groups(decoder, architecture)
    layers = sum(group.count for group in groups)
    experts = experts_of(decoder, architecture, layers)
    # in Gemma 4 a dense MLP stands beside the experts, else in their place
    beside = architecture == "gemma4" and experts is not None
    dense = _dense_layers(decoder, architecture, layers if beside else None)
    no_dense = dense == 0 or (experts is not None and experts.layers == layers and not beside)
    return Shape(
        architecture=architecture,
        hidden_size=decoder.number("hidden_size", most=1_000_000),
        intermediate_size=0 if dense == 0 else dense_width(decoder, architecture, default=0 if no_dense else None),
        num_attention_heads=query_heads(decoder, architecture),
        vocab_size=_vocabulary(decoder, architecture),
        tie_word_embeddings=_tied(config, decoder, architecture),
        max_position_embeddings=_positions(decoder, architecture),
        layers=groups,
        experts=experts,
        dense_layers=dense,
        vision_params=vision_params,
        rope_rows=_rope_rows(decoder, architecture),
        layer_embedding_width=_layer_embedding_width(decoder, architecture),
        layer_embedding_rows=decoder.optional("vocab_size_per_layer_input", least=1),
    )


def _dense_layers(decoder: ConfigFields, architecture: str, beside_experts: int | None) -> int | None:
    """Layers with an MLP that is no mixture, None where they are those that are none."""
    return block_kinds(decoder).count("mlp") if architecture == "nemotron_h" else beside_experts


def _layer_embedding_width(decoder: ConfigFields, architecture: str) -> int:
    """Elements a layer of Gemma 4's second embedding: 0 in its larger models."""
    if architecture != "gemma4":
        return 0
    told = decoder.optional("hidden_size_per_layer_input", most=65_536)
    return decoder.assumed_number("hidden_size_per_layer_input", 256) if told is None else told


def _vocabulary(decoder: ConfigFields, architecture: str) -> int:
    if architecture == "gemma3":
        return decoder.assumed_number("vocab_size", 262_208)
    return decoder.number("vocab_size")


def _tied(config: ConfigFields, decoder: ConfigFields, architecture: str) -> bool:
    default = config.flag("tie_word_embeddings", default=architecture in _TIED)
    return decoder.flag("tie_word_embeddings", default=default)


def _positions(decoder: ConfigFields, architecture: str) -> int:
    default = _CLASS_POSITIONS.get(architecture)
    if default is None:
        return decoder.number("max_position_embeddings")
    return decoder.assumed_number("max_position_embeddings", default)


def _rope_rows(decoder: ConfigFields, architecture: str) -> int | None:
    """Rows of the tables of rotary positions where they are not one for each position of the configuration."""
    if tensors_of(architecture).position_offset is not None or decoder.flag("alibi"):
        return 0  # learned positions, or none
    if architecture in _WITHOUT_ROTARY:
        return 0
    positions = _positions(decoder, architecture)
    scaling = decoder.section("rope_scaling", "rope_parameters")
    scaling = (scaling and scaling.section("full_attention")) or scaling
    factor = scaling.ratio("factor") if scaling else None
    if scaling is None or factor is None:
        return None
    kind = scaling.text("rope_type", "type")
    if kind == "linear":
        # windowed layers of Gemma 3 rotate by a table of their own, which is not scaled
        return int(positions * factor) + (positions if architecture == "gemma3" else 0)
    original = scaling.optional("original_max_position_embeddings", least=1)
    rows = int(original * factor) if kind == "yarn" and original else positions
    return None if rows == positions else rows


def _with_prediction_layers(shape: Shape, tensors: Tensors, decoder: ConfigFields) -> Shape:
    if shape.architecture == "nemotron_h":
        return msgspec.structs.replace(shape, mtp_params=prediction_parameters(decoder, shape, tensors))
    layers = decoder.number("num_nextn_predict_layers", "mtp_num_hidden_layers", default=0, least=0, most=100)
    if not layers or shape.architecture not in _STORES_PREDICTION_LAYERS:
        return shape
    elements = layers * prediction_layer_parameters(shape, tensors)
    return msgspec.structs.replace(shape, mtp_params=elements)


def _tensors(decoder: ConfigFields, architecture: str) -> Tensors:
    """What the architecture's code has, as this configuration switches it."""
    tensors = tensors_of(architecture)
    if "attention_bias" in decoder and architecture not in (
        "gpt_oss",
        "deepseek_v2",
        "deepseek_v3",
        "kimi_k2",
        "kimi_linear",
    ):
        bias = decoder.flag("attention_bias")
        tensors = replace(tensors, qkv_bias=bias, output_bias=bias and architecture != "glm4_moe")
    if decoder.flag("mlp_bias"):
        tensors = replace(tensors, mlp_bias=True)
    if "use_qk_norm" in decoder and architecture in ("cohere", "glm4_moe", "minimax_m2"):
        width: Literal["head", "all"] = "head" if architecture == "glm4_moe" else "all"
        tensors = replace(tensors, query_key_norm=width if decoder.flag("use_qk_norm") else "none")
    if architecture in ("kimi_k3", "kimi_linear") and "mla_use_output_gate" in decoder:
        tensors = replace(tensors, gated_queries=decoder.flag("mla_use_output_gate"))
    if architecture in ("qwen3_5", "qwen3_5_moe"):
        tensors = replace(tensors, prediction_embeddings=decoder.flag("mtp_use_dedicated_embeddings"))
    if architecture == "falcon" and _has_two_norms(decoder):
        tensors = replace(tensors, norms=2)
    return tensors


def _has_two_norms(falcon: ConfigFields) -> bool:
    """One norm serves attention and MLP side by side in falcon-7b; 40b has one each, as have models without."""
    if falcon.flag("new_decoder_architecture"):
        return falcon.number("num_ln_in_parallel_attn", default=2) == 2
    return not falcon.flag("parallel_attn", default=True)


def _quantization(config: ConfigFields, decoder: ConfigFields) -> ConfigFields | None:
    names = ("quantization_config", "compression_config")
    return config.section(*names) or decoder.section(*names)


def _checkpoint(
    config: ConfigFields, decoder: ConfigFields, quantized: ConfigFields | None, shape: Shape
) -> Checkpoint:
    told = config.text("dtype", "torch_dtype") or decoder.text("dtype", "torch_dtype") or "bfloat16"
    dtype = _DTYPES.get(told.removeprefix("torch."))
    if dtype is None:
        name = "dtype" if "dtype" in config else "torch_dtype"
        raise config.problem(name, "is no type of weights", f"use one of {', '.join(_DTYPES)}")
    return Checkpoint(dtype, quantization_of(quantized, shape) if quantized else None)


def _sources(config: ConfigFields, decoder: ConfigFields, file: str, *, exact_vision: bool) -> tuple[Source, ...]:
    sources = [Source("shape", file, "read"), Source("total_params", "the shape", "derived")]
    if not exact_vision:
        sources.append(Source("vision_params", "a plain transformer of its vision_config's widths", "derived"))
    if not any(name in fields for fields in (config, decoder) for name in ("dtype", "torch_dtype")):
        sources.append(Source("dtype", f"{file} tells none: bfloat16, which most are published in", "known"))
    if decoder.assumed:
        sources.append(assumption(file, decoder.assumed))
    return tuple(sources)
