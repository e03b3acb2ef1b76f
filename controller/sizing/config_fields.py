"""Typed access to the fields of a ``config.json`` that somebody else wrote.

Only the fields named in `KNOWN` are kept, as they stand in the text; whatever else a file holds is skipped without
being built. So a file of the largest size that is read costs little more memory than its bytes, however it is nested.
A field that is ``null`` is not there. Every complaint names the file, the field, its value and a remedy.
"""

import codecs
import re
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from controller.sizing.model_file_errors import ModelFileError

MAX_BYTES: Final = 8 * 2**20
"""Bytes of the largest config.json that is read. Published ones have kilobytes; those that list each quantized tensor
of a large mixture have a few megabytes."""

LARGEST: Final = 10**9
"""No width, count or length in a model comes near it."""

_MOST_ENTRIES: Final = 50_000
"""Of a list: models have a hundred layers, and tools that leave modules alone name a few hundred of them."""

_LARGEST_RATIO: Final = 1_000_000

KNOWN: Final = (
    *("model_type", "architectures", "text_config", "llm_config", "language_config", "vision_config"),
    *("torch_dtype", "dtype", "quantization_config", "compression_config", "tie_word_embeddings"),
    *("hidden_size", "d_model", "n_embd", "intermediate_size", "intermediate_size_mlp", "ffn_dim", "ffn_hidden_size"),
    *("num_hidden_layers", "num_attention_heads", "num_key_value_heads", "num_kv_heads", "head_dim", "vocab_size"),
    *("max_position_embeddings", "rope_scaling", "rope_parameters", "attention_bias", "mlp_bias", "qkv_bias"),
    *("use_qk_norm", "qk_layernorm", "bias", "alibi", "new_decoder_architecture", "num_ln_in_parallel_attn"),
    *("multi_query", "parallel_attn", "word_embed_proj_dim", "do_layer_norm_before", "enable_bias"),
    *("sliding_window", "use_sliding_window", "max_window_layers", "layer_types", "sliding_window_pattern"),
    *("_sliding_window_pattern", "no_rope_layers", "no_rope_layer_interval", "attention_chunk_size"),
    *("full_attention_interval", "cross_attention_layers", "global_head_dim", "num_global_key_value_heads"),
    *("attention_k_eq_v", "num_kv_shared_layers", "hidden_size_per_layer_input", "enable_moe_block"),
    *("use_double_wide_mlp", "linear_num_key_heads", "linear_num_value_heads", "linear_key_head_dim"),
    *("linear_value_head_dim", "linear_conv_kernel_dim", "num_experts", "num_local_experts", "n_routed_experts"),
    *("num_experts_per_tok", "experts_per_token", "moe_intermediate_size", "shared_expert_intermediate_size"),
    *("shared_intermediate_size", "n_shared_experts", "first_k_dense_replace", "moe_layer_freq"),
    *("decoder_sparse_step", "mlp_only_layers", "mlp_layer_types", "moe_layers", "interleave_moe_layer_step"),
    *("num_nextn_predict_layers", "kv_lora_rank", "q_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim"),
    *("v_head_dim", "index_head_dim", "index_n_heads", "index_topk", "indexer_types", "index_topk_pattern"),
    *("index_topk_freq", "index_skip_topk_offset", "mtp_num_hidden_layers", "mtp_use_dedicated_embeddings"),
    *("top_k_experts", "use_mla", "vocab_size_per_layer_input", "dense_intermediate_size", "mla_use_output_gate"),
    # of layers of several kinds: Nemotron-H, Kimi Linear, MiniMax-M3
    *("hybrid_override_pattern", "layers_block_type", "mtp_hybrid_override_pattern", "mtp_layers_block_type"),
    *("mamba_num_heads", "mamba_head_dim", "ssm_state_size", "n_groups", "conv_kernel", "mamba_ssm_cache_dtype"),
    *("mamba_proj_bias", "use_bias", "use_conv_bias", "moe_latent_size", "moe_shared_expert_intermediate_size"),
    *("attention_head_dim", "linear_attn_config", "full_attn_layers", "kda_layers", "short_conv_kernel_size"),
    *("use_full_rank_gate", "num_experts_per_token", "num_shared_experts", "routed_expert_hidden_size"),
    *("sparse_attention_config", "sparse_attention_freq", "sparse_index_dim", "sparse_num_index_heads"),
    *("use_sparse_attention",),
    # of an encoder of sound
    *("audio_config", "subsampling_conv_channels", "conv_kernel_size", "output_proj_dims"),
    # of an image encoder
    *("depth", "num_heads", "in_channels", "num_channels", "patch_size", "temporal_patch_size", "out_hidden_size"),
    *("spatial_merge_size", "num_position_embeddings", "deepstack_visual_indexes", "image_size", "attention_heads"),
    *("projector_input_dim", "projector_output_dim", "vision_output_dim", "num_global_layers", "max_num_tiles"),
    *("supported_aspect_ratios", "position_embedding_size", "multimodal_projector_bias", "standardize"),
    *("vt_hidden_size", "vt_num_hidden_layers", "vt_intermediate_size", "init_pos_emb_height", "init_pos_emb_width"),
    *("embed_dim", "mlp_ratio", "pixel_shuffle_ratio", "use_clipped_linears", "qkv_hidden_size"),
    *("projector_hidden_size", "img_token_compression_config"),
    # of a quantization, as its many tools write it
    *("quant_method", "bits", "w_bit", "group_size", "q_group_size", "weight_block_size", "config_groups", "format"),
    *("ignore", "modules_to_not_convert", "load_in_4bit", "load_in_8bit", "quant_algo", "quantization", "weights"),
    *("num_bits", "type", "strategy", "global_quant_config", "weight", "kv_cache_scheme", "factor", "rope_type"),
    *("original_max_position_embeddings", "full_attention", "exclude", "exclude_modules"),
    *("symmetric", "zero_point", "bnb_4bit_use_double_quant", "mamba_ssm_dtype"),
)
"""Every field that anything here reads, at any depth."""

_Fields = msgspec.defstruct("_Fields", [(name, msgspec.Raw, msgspec.Raw()) for name in KNOWN])

# Python writes these, JSON has not got them: as texts they are refused by name where they are read
_NO_NUMBER = re.compile(rb"([:\[,]\s*)(-?(?:NaN|Infinity))(?=\s*[,\]}])")

_T = TypeVar("_T")


class ConfigFields:
    """The fields of one object in the file; ``path`` is where it stands, "" for the outermost."""

    def __init__(self, file: str, text: bytes, path: str = "") -> None:
        self.file = file
        self._path = path
        self._fields = _decoded(file, text, path)
        self.assumed: dict[str, int | str] = {}

    def __contains__(self, name: str) -> bool:
        return self._raw(name) is not None

    def section(self, *names: str) -> "ConfigFields | None":
        """The first of these fields that is there, an object. None: there is none."""
        for name in names:
            raw = self._raw(name)
            if raw is not None:
                return ConfigFields(self.file, raw, self._where(name))
        return None

    def sections(self, name: str) -> "Sequence[ConfigFields]":
        """The objects that an object holds under names of its own, 32 at most."""
        raw = self._raw(name)
        if raw is None:
            return ()
        inner = self._typed(name, raw, dict[str, msgspec.Raw], "an object of objects")
        if len(inner) > 32:
            raise self.problem(name, f"has {len(inner)} entries", "keep what the model's own config.json has")
        return [ConfigFields(self.file, bytes(text), f"{self._where(name)}.{key[:20]}") for key, text in inner.items()]

    def optional(self, *names: str, least: int = 0, most: int = LARGEST) -> int | None:
        """The whole number under any of these names, None without. Those that are there must agree."""
        found = {name: self._number(name, raw) for name in names if (raw := self._raw(name)) is not None}
        if not found:
            return None
        name, value = next(iter(found.items()))
        for other, second in found.items():
            if second != value:
                raise self.problem(other, f"contradicts {self._where(name)}, which is {value}", "make them agree")
        if not least <= value <= most:
            raise self.problem(name, "is out of range", f"use {least} to {most}")
        return value

    def number(self, *names: str, default: int | None = None, least: int = 1, most: int = LARGEST) -> int:
        """As `optional`, with a default, or required."""
        value = self.optional(*names, least=least, most=most)
        if value is not None:
            return value
        if default is None:
            raise self.missing(names[0])
        return default

    def assumed_number(self, name: str, default: int, most: int = LARGEST) -> int:
        """As `number`, with a default of the published configuration class, which is kept in ``assumed`` if taken."""
        value = self.optional(name, least=1, most=most)
        if value is not None:
            return value
        self.assumed[name] = default
        return default

    def assumed_text(self, name: str, default: str) -> str:
        """As `text`, with a default of the published configuration class, which is kept in ``assumed`` if taken."""
        value = self.text(name)
        if value:
            return value
        self.assumed[name] = default
        return default

    def stands(self, name: str) -> bool:
        """Whether the file has the field, be it as ``null``, which says more than nothing."""
        return bytes(getattr(self._fields, name)) != b""

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        raw = self._raw(name)
        return default if raw is None else self._typed(name, raw, bool, "true or false")

    def text(self, *names: str) -> str:
        """The text under the first of these names that is there, "" without."""
        for name in names:
            raw = self._raw(name)
            if raw is not None:
                return self._typed(name, raw, str, "a text")
        return ""

    def numbers(self, name: str) -> list[int] | None:
        """A list of whole numbers, None without."""
        raw = self._list(name)
        return None if raw is None else self._typed(name, raw, list[int], "a list of whole numbers")

    def texts(self, name: str) -> list[str] | None:
        """A list of texts, None without."""
        raw = self._list(name)
        return None if raw is None else self._typed(name, raw, list[str], "a list of texts")

    def ratio(self, name: str) -> float | None:
        """A number above 0, whole or not."""
        raw = self._raw(name)
        if raw is None:
            return None
        value = self._typed(name, raw, float, "a number")
        if not 0 < value <= _LARGEST_RATIO:
            raise self.problem(name, "is out of range", f"use a number above 0, at most {_LARGEST_RATIO}")
        return value

    def missing(self, name: str) -> ModelFileError:
        """That a field is needed and is not there."""
        return ModelFileError(
            self.file, self._where(name), None, "is missing", "add it, or take the config.json of the model itself"
        )

    def problem(self, name: str, problem: str, remedy: str) -> ModelFileError:
        """That a field's value cannot be."""
        raw = self._raw(name)
        return ModelFileError(self.file, self._where(name), _shown(raw), problem, remedy)

    def _raw(self, name: str) -> bytes | None:
        raw = bytes(getattr(self._fields, name))
        return None if raw in (b"", b"null") else raw

    def _list(self, name: str) -> bytes | None:
        """The text of a list, refused before anything is built of one that is too long."""
        raw = self._raw(name)
        if raw is not None and raw.count(b",") > _MOST_ENTRIES:
            raise self.problem(
                name, f"has more than {_MOST_ENTRIES} entries", "keep what the model's own config.json has"
            )
        return raw

    def _where(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def _number(self, name: str, raw: bytes) -> int:
        if raw.endswith(b".0"):
            raw = raw[:-2]  # some tools write every number with a point
        return self._typed(name, raw, int, "a whole number")

    def _typed(self, name: str, raw: bytes, wanted: type[_T], words: str) -> _T:
        try:
            return msgspec.json.decode(raw, type=wanted)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self.problem(name, f"is not {words}", "take the config.json of the model itself") from None


def _shown(raw: bytes | None) -> object:
    """A value for a message: itself where it is short, else how it begins."""
    if raw is None or len(raw) > 100:
        return raw and raw[:100].decode(errors="replace")
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return raw.decode(errors="replace")


def _decoded(file: str, text: bytes, path: str) -> msgspec.Struct:
    try:
        return _shallow(text.removeprefix(codecs.BOM_UTF8))
    except msgspec.ValidationError:
        raise ModelFileError(
            file, path, None, "is not a JSON object", "take the config.json of the model itself"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelFileError(
            file, path, None, f"is not JSON ({error})", "take the config.json of the model itself"
        ) from None
    except RecursionError:
        raise ModelFileError(
            file, path, None, "is nested too deeply", "take the config.json of the model itself"
        ) from None


def _shallow(text: bytes) -> msgspec.Struct:
    try:
        return msgspec.json.decode(text, type=_Fields)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        replaced = _NO_NUMBER.sub(rb'\1"\2"', text, count=100)
        if replaced == text:
            raise
        return msgspec.json.decode(replaced, type=_Fields)
