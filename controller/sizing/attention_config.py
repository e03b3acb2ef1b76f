"""From the fields of a config.json to what each group of layers keeps of a sequence.

Which layer looks how far is told by ``layer_types`` where a config has it; before that field existed, each
architecture's code knew its own pattern (the model files of huggingface/transformers), which stands here.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from controller.sizing.config_fields import ConfigFields
from controller.sizing.facts import (
    CrossAttention,
    FullAttention,
    GatedDeltaNet,
    Keeps,
    LatentAttention,
    LayerGroup,
    RecurrentState,
    WindowAttention,
)
from controller.sizing.kimi_linear_config import delta_attention, delta_kinds
from controller.sizing.nemotron_config import block_kinds, mamba2
from controller.sizing.shared_kv_config import shared_layers, without_own_keys
from controller.sizing.sparse_attention_config import sparse_kinds, with_indexer

_REMEDY = "take the config.json of the model itself"

MAX_LAYERS = 10_000

_HEAD_DIM: Mapping[str, int] = MappingProxyType(
    {"gemma": 256, "gemma2": 256, "gemma3": 256, "gemma4": 256, "gpt_oss": 64, "llama4": 128, "nemotron_h": 128}
    | dict.fromkeys(("qwen3", "qwen3_moe", "qwen3_vl", "qwen3_vl_moe", "minimax_m2", "minimax_m3"), 128)
    | dict.fromkeys(("qwen3_next", "qwen3_5", "qwen3_5_moe"), 256)
)
"""Width of a head where the configuration does not tell it and it is not the model's width over its heads: the
defaults of the configuration classes."""

LATENT = frozenset(
    {
        *("deepseek_v2", "deepseek_v3", "deepseek_v32", "glm_moe_dsa"),
        *("kimi_k2", "kimi_k25", "kimi_k3", "kimi_linear"),
    }
)
"""Architectures with latent attention, those with a sparse indexer among them."""

_INDEXED = frozenset({"deepseek_v32", "glm_moe_dsa"})

_AS_MANY_KV_HEADS = frozenset({"cohere", "cohere2", "granite", "llama", "olmo2", "olmo3", "phi", "phi3"})
"""Architectures whose configuration class takes as many KV heads as query heads where none are told; the others' have
numbers of their own, which fit the class's own size of model."""

_IMAGE_TOKENS = 6404
"""Tokens of an image in Llama 3.2 Vision: four tiles of (560 / 14) squared patches and one more."""


def layer_groups(config: ConfigFields, architecture: str) -> tuple[LayerGroup, ...]:
    """The groups of layers, in the order of their first one. Raises ModelFileError."""
    latent = _is_latent(config, architecture)
    if architecture == "nemotron_h":
        kinds: Sequence[str] = block_kinds(config)
    else:
        layers = config.number("num_hidden_layers", most=MAX_LAYERS)
        kinds = _latent_kinds(config, architecture, layers) if latent else _kinds(config, architecture, layers)
    own = len(kinds) - (shared_layers(config, len(kinds)) if architecture == "gemma4" else 0)
    counts = Counter[Keeps]()
    counts.update(_kept(config, architecture, kinds[:own]))
    counts.update(without_own_keys(config, kept) for kept in _kept(config, architecture, kinds[own:]))
    return tuple(LayerGroup(count, kept) for kept, count in counts.items())


def _kept(config: ConfigFields, architecture: str, kinds: Sequence[str]) -> Sequence[Keeps]:
    """What each of these layers would keep by its kind."""
    keeps = {kind: _keeps(config, architecture, kind) for kind in dict.fromkeys(kinds)}
    return [keeps[kind] for kind in kinds]


def _is_latent(config: ConfigFields, architecture: str) -> bool:
    """Whether attention is latent: by the architecture, unless ``use_mla`` says otherwise; its fields must agree."""
    latent = architecture in LATENT and config.flag("use_mla", default=True)
    if latent and "kv_lora_rank" not in config:
        raise config.missing("kv_lora_rank")
    for name in ("kv_lora_rank", "qk_rope_head_dim", "q_lora_rank"):
        if not latent and config.optional(name):
            raise config.problem(name, f"is a width of latent attention, which this {architecture} has not", _REMEDY)
    return latent


def _kinds(config: ConfigFields, architecture: str, layers: int) -> Sequence[str]:
    """The kind of each layer, in the words of ``layer_types``."""
    if architecture == "minimax_m3":
        return sparse_kinds(config, layers)
    told = config.texts("layer_types")
    if told is not None:
        if len(told) != layers:
            problem = f"names {len(told)} layers, num_hidden_layers is {layers}"
            raise config.problem("layer_types", problem, _REMEDY)
        return told
    pattern = _PATTERNS.get(architecture)
    # a window that nobody is known to apply saves nothing that could be relied on
    return pattern(config, layers) if pattern else ["full_attention"] * layers


def _every_layer(config: ConfigFields, layers: int) -> Sequence[str]:
    """A window, where one is set, is every layer's."""
    return ["sliding_attention" if "sliding_window" in config else "full_attention"] * layers


def _upper_layers(config: ConfigFields, layers: int) -> Sequence[str]:
    """Qwen's window is off unless switched on, and then for the layers above the first few."""
    if not config.flag("use_sliding_window") or "sliding_window" not in config:
        return ["full_attention"] * layers
    full = min(layers, config.number("max_window_layers", least=0))
    return ["full_attention"] * full + ["sliding_attention"] * (layers - full)


def _every(period: int, local: str, *names: str) -> Callable[[ConfigFields, int], Sequence[str]]:
    """All but each ``period``-th layer are local; one of ``names`` may tell another period."""

    def kinds(config: ConfigFields, layers: int) -> Sequence[str]:
        each = config.number(*names, default=period, most=MAX_LAYERS) if names else period
        return [local if (layer + 1) % each else "full_attention" for layer in range(layers)]

    return kinds


def _last_full(config: ConfigFields, layers: int) -> Sequence[str]:
    """Gemma 4: as Gemma 3, and the last layer is a full one in any case."""
    kinds = _every(6, "sliding_attention")(config, layers)
    return [*kinds[:-1], "full_attention"]


def _chunked(config: ConfigFields, layers: int) -> Sequence[str]:
    """Llama 4: layers with rotary positions attend within chunks, those without to everything."""
    told = config.numbers("no_rope_layers")
    if not told:
        return _every(4, "chunked_attention", "no_rope_layer_interval")(config, layers)
    if len(told) != layers:
        problem = f"names {len(told)} layers, num_hidden_layers is {layers}"
        raise config.problem("no_rope_layers", problem, _REMEDY)
    return ["chunked_attention" if rotary else "full_attention" for rotary in told]


def _crossing(config: ConfigFields, layers: int) -> Sequence[str]:
    """Llama 3.2 Vision: some layers attend to the image instead of the text."""
    told = config.numbers("cross_attention_layers")
    if told is None:
        raise config.missing("cross_attention_layers")
    crossing = set(told)
    if not crossing <= set(range(layers)):
        raise config.problem("cross_attention_layers", f"names layers outside 0 to {layers - 1}", _REMEDY)
    return ["cross_attention" if layer in crossing else "full_attention" for layer in range(layers)]


_PATTERNS: Mapping[str, Callable[[ConfigFields, int], Sequence[str]]] = MappingProxyType(
    {
        "cohere2": _every(4, "sliding_attention", "sliding_window_pattern", "_sliding_window_pattern"),
        "gemma2": _every(2, "sliding_attention"),
        "gemma3": _every(6, "sliding_attention", "sliding_window_pattern", "_sliding_window_pattern"),
        "gemma4": _last_full,
        "gpt_oss": _every(2, "sliding_attention"),
        "llama4": _chunked,
        "mistral": _every_layer,
        "mistral3": _every_layer,
        "mixtral": _every_layer,
        "mllama": _crossing,
        "olmo3": _every(4, "sliding_attention"),
        "qwen3_5": _every(4, "linear_attention", "full_attention_interval"),
        "qwen3_5_moe": _every(4, "linear_attention", "full_attention_interval"),
        "qwen3_next": _every(4, "linear_attention", "full_attention_interval"),
    }
    | dict.fromkeys(
        ("qwen2", "qwen2_moe", "qwen2_vl", "qwen2_5_vl", "qwen3", "qwen3_moe", "qwen3_vl", "qwen3_vl_moe"),
        _upper_layers,
    )
)


def _keeps(config: ConfigFields, architecture: str, kind: str) -> Keeps:
    keeps = _KINDS.get(kind)
    if keeps is None:
        raise config.problem("layer_types", f"has {kind[:40]!r}, a kind of layer that is not known here", _REMEDY)
    return keeps(config, architecture)


def _full(config: ConfigFields, architecture: str) -> FullAttention:
    if architecture != "gemma4":
        return FullAttention(_kv_heads(config, architecture), head_dim(config, architecture))
    # Gemma 4's full layers have wider heads, and fewer where the keys are the values as well
    shared = config.flag("attention_k_eq_v")
    heads = config.optional("num_global_key_value_heads", least=1) if shared else None
    width = config.assumed_number("global_head_dim", 512)
    return FullAttention(heads or _kv_heads(config, architecture), width, keys_are_values=shared)


def _window(config: ConfigFields, architecture: str, *, field: str, chunked: bool) -> Keeps:
    window = config.number(field)
    positions = config.optional("max_position_embeddings", least=1)
    if positions is not None and window >= positions:
        return _full(config, architecture)  # wider than any request
    return WindowAttention(_kv_heads(config, architecture), head_dim(config, architecture), window, chunked)


def head_dim(config: ConfigFields, architecture: str) -> int:
    """Elements of one head. Raises ModelFileError where it is not told and the width is no multiple of the heads."""
    default = _HEAD_DIM.get(architecture)
    name = "attention_head_dim" if "attention_head_dim" in config else "head_dim"  # Nemotron-H's older word
    width = config.assumed_number(name, default) if default else config.optional(name, least=1)
    if width is not None:
        return width
    hidden, heads = config.number("hidden_size", "d_model", "n_embd"), query_heads(config, architecture)
    if hidden % heads:
        raise config.problem("hidden_size", f"is no multiple of num_attention_heads, {heads}", "give head_dim")
    return hidden // heads


def query_heads(config: ConfigFields, architecture: str) -> int:
    """Query heads of a layer."""
    if architecture == "gemma3":
        return config.assumed_number("num_attention_heads", 8, most=65_536)
    return config.number("num_attention_heads", most=65_536)


def _kv_heads(config: ConfigFields, architecture: str) -> int:
    heads = query_heads(config, architecture)
    own = _own_kv_heads(config, architecture, heads)
    if heads % own:
        raise config.problem("num_key_value_heads", f"does not divide num_attention_heads, {heads}", _REMEDY)
    return own


def _own_kv_heads(config: ConfigFields, architecture: str, heads: int) -> int:
    if architecture == "falcon" and not config.flag("new_decoder_architecture"):
        # before falcon-40b: one KV head for all, or one each
        return 1 if config.flag("multi_query", default=True) else heads
    if architecture == "opt" or architecture in LATENT:
        return config.number("num_key_value_heads", default=heads)
    told = config.optional("num_key_value_heads", "num_kv_heads", least=1)
    if told is not None:
        return told
    if architecture in _AS_MANY_KV_HEADS:
        return config.assumed_number("num_key_value_heads", heads)
    if architecture == "gemma3":
        return config.assumed_number("num_key_value_heads", 4)
    raise config.missing("num_key_value_heads")


def _linear(config: ConfigFields, architecture: str) -> GatedDeltaNet:
    if architecture in ("qwen3_5", "qwen3_5_moe") and "mamba_ssm_dtype" not in config:
        raise config.missing("mamba_ssm_dtype")
    return GatedDeltaNet(
        key_heads=config.number("linear_num_key_heads"),
        value_heads=config.number("linear_num_value_heads"),
        key_dim=config.number("linear_key_head_dim"),
        value_dim=config.number("linear_value_head_dim"),
        conv_kernel=config.assumed_number("linear_conv_kernel_dim", 4),
        state_element_bytes=4 if config.text("mamba_ssm_dtype") == "float32" else 2,
    )


def _latent_kinds(config: ConfigFields, architecture: str, layers: int) -> Sequence[str]:
    """Sparse models have an indexer in each layer, or share one's choice with the layers behind it (GLM-5)."""
    if architecture in ("kimi_k3", "kimi_linear"):
        return delta_kinds(config, layers)
    if architecture not in _INDEXED:
        if "index_head_dim" in config:
            problem = f"is a width of a sparse indexer, which {architecture} has not"
            raise config.problem("index_head_dim", problem, _REMEDY)
        return ["latent"] * layers
    own = _own_indexers(config, layers)
    return ["latent_with_indexer" if each else "latent" for each in own]


def _own_indexers(config: ConfigFields, layers: int) -> Sequence[bool]:
    told = config.texts("indexer_types")
    if told is not None:
        if len(told) != layers:
            problem = f"names {len(told)} layers, num_hidden_layers is {layers}"
            raise config.problem("indexer_types", problem, _REMEDY)
        return [kind == "full" for kind in told]
    each = config.number("index_topk_freq", default=1)
    offset = config.number("index_skip_topk_offset", default=2, least=0)
    return [max(layer - offset + 1, 0) % each == 0 for layer in range(layers)]


def _latent(config: ConfigFields, *, with_indexer: bool) -> LatentAttention:
    if not config.stands("q_lora_rank"):
        raise config.missing("q_lora_rank")  # null is right for models that project queries at once
    return LatentAttention(
        rank=config.number("kv_lora_rank"),
        rope_dim=config.number("qk_rope_head_dim"),
        nope_dim=config.number("qk_nope_head_dim"),
        value_dim=config.number("v_head_dim"),
        query_rank=config.optional("q_lora_rank", least=1),
        indexer_heads=config.number("index_n_heads") if with_indexer else 0,
        indexer_dim=config.number("index_head_dim") if with_indexer else 0,
    )


def _crossed(config: ConfigFields, architecture: str) -> CrossAttention:
    return CrossAttention(_kv_heads(config, architecture), head_dim(config, architecture), _IMAGE_TOKENS)


_KINDS: Mapping[str, Callable[[ConfigFields, str], Keeps]] = MappingProxyType(
    {
        "chunked_attention": partial(_window, field="attention_chunk_size", chunked=True),
        "cross_attention": _crossed,
        "delta_attention": lambda config, _: delta_attention(config),
        "full_attention": _full,
        "latent": lambda config, _: _latent(config, with_indexer=False),
        "latent_with_indexer": lambda config, _: _latent(config, with_indexer=True),
        "linear_attention": _linear,
        "mamba": lambda config, _: mamba2(config),
        # a layer of its own, which keeps nothing
        "mlp": lambda *_: RecurrentState(0),
        "moe": lambda *_: RecurrentState(0),
        "sliding_attention": partial(_window, field="sliding_window", chunked=False),
        "sparse_attention": lambda config, architecture: with_indexer(config, _full(config, architecture)),
    }
)
"""What a layer keeps, by its kind."""
