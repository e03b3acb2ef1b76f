"""Elements of an image encoder and its projector, from the ``vision_config`` of a config.json.

Tensor by tensor for the encoders of Gemma 3 (SigLIP), Gemma 4, Kimi K2.5 and K3, Llama 3.2 Vision, Llama 4,
MiniMax-M3, Mistral 3 (Pixtral), Qwen2-VL, Qwen2.5-VL, Qwen3-VL and Qwen3.5, as the model files of
huggingface/transformers have them; defaults are those of their configuration classes. Any other encoder is counted as
a plain transformer, which says so: `VisionCount.exact`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from controller.sizing.config_fields import ConfigFields

_CHANNELS = 3


@dataclass(frozen=True, slots=True)
class VisionCount:
    """Elements of encoder and projector; ``exact`` where they were counted tensor by tensor."""

    elements: int
    exact: bool = True


def vision_count(config: ConfigFields, architecture: str, hidden: int) -> VisionCount:
    """The image encoder of a model whose decoder is ``hidden`` wide; none without a ``vision_config``."""
    vision = config.section("vision_config")
    if vision is None:
        return VisionCount(0)
    if architecture == "mistral3":
        return VisionCount(_mistral3(vision, config, hidden))
    if architecture == "minimax_m3":
        return VisionCount(_minimax_m3(vision, config, hidden))
    counter = _COUNTERS.get(architecture)
    if counter is None:
        return VisionCount(_plain(vision, hidden), exact=False)
    return VisionCount(counter(vision, hidden))


def _linear(inputs: int, outputs: int, bias: bool = True) -> int:
    return outputs * (inputs + bias)


def _layer(hidden: int, width: int, *, bias: bool, norm_bias: bool) -> int:
    """Attention of four square projections, an MLP of two matrices, two norms."""
    attention = 4 * _linear(hidden, hidden, bias)
    mlp = _linear(hidden, width) + _linear(width, hidden)
    return attention + mlp + 2 * hidden * (1 + norm_bias)


def _gemma3(vision: ConfigFields, hidden: int) -> int:
    width = vision.number("hidden_size", default=1152)
    layers = vision.number("num_hidden_layers", default=27, most=1000)
    patch, image = vision.number("patch_size", default=14), vision.number("image_size", default=896)
    layer = _layer(width, vision.number("intermediate_size", default=4304), bias=True, norm_bias=True)
    patches = _linear(_CHANNELS * patch**2, width) + (image // patch) ** 2 * width
    # a norm behind the encoder, a norm and a projection to the decoder
    return layers * layer + patches + 2 * width + width + width * hidden


def _gemma4(vision: ConfigFields, hidden: int) -> int:
    width = vision.number("hidden_size", default=768)
    layers = vision.number("num_hidden_layers", default=16, most=1000)
    heads, head_dim = vision.number("num_attention_heads", default=12), vision.number("head_dim", default=64)
    inner = vision.number("intermediate_size", default=3072)
    patch, positions = vision.number("patch_size", default=16), vision.number("position_embedding_size", default=10240)
    # gated MLP, four norms as wide as the encoder, one each on queries and keys
    layer = 4 * width * heads * head_dim + 3 * width * inner + 4 * width + 2 * head_dim
    scaled = 2 * width * vision.flag("standardize")
    return layers * layer + _CHANNELS * patch**2 * width + 2 * positions * width + scaled + width * hidden


def _mllama(vision: ConfigFields, hidden: int) -> int:
    width, inner = vision.number("hidden_size", default=1280), vision.number("intermediate_size", default=5120)
    layers = vision.number("num_hidden_layers", default=32, most=1000)
    gated_layers = vision.number("num_global_layers", default=8, most=1000)
    patch, image = vision.number("patch_size", default=14), vision.number("image_size", default=448)
    tiles, ratios = vision.number("max_num_tiles", default=4), 9  # eight shapes of four tiles, and padding
    layer = _layer(width, inner, bias=False, norm_bias=True)
    rows = (image // patch) ** 2 + 1
    # positions in a tile, of all tiles, and of tiles before and behind the encoder, each of the three with its gate
    positions = rows * width + ratios * tiles * rows * width + 1 + 2 * (ratios * tiles * width + 1)
    ends = _CHANNELS * patch**2 * width + width + 4 * width
    projector = _linear(vision.number("vision_output_dim", default=7680), hidden)
    return layers * layer + gated_layers * (layer + 2) + positions + ends + projector


def _llama4(vision: ConfigFields, hidden: int) -> int:
    width, inner = vision.number("hidden_size", default=768), vision.number("intermediate_size", default=5632)
    layers = vision.number("num_hidden_layers", default=34, most=1000)
    patch, image = vision.number("patch_size", default=14), vision.number("image_size", default=448)
    layer = _layer(width, inner, bias=True, norm_bias=True)
    ends = _CHANNELS * patch**2 * width + width + ((image // patch) ** 2 + 1) * width + 4 * width
    middle = vision.number("projector_input_dim", default=4096)
    output = vision.number("projector_output_dim", default=4096)
    adapter = inner * middle + middle * output
    return layers * layer + ends + adapter + vision.number("vision_output_dim", default=7680) * hidden


def _mistral3(vision: ConfigFields, config: ConfigFields, hidden: int) -> int:
    width, inner = vision.number("hidden_size", default=1024), vision.number("intermediate_size", default=4096)
    layers = vision.number("num_hidden_layers", default=24, most=1000)
    patch, merged = vision.number("patch_size", default=16), config.number("spatial_merge_size", default=2) ** 2
    layer = 4 * width**2 + 3 * width * inner + 2 * width
    bias = config.flag("multimodal_projector_bias")
    projector = width + merged * width**2 + _linear(width, hidden, bias) + _linear(hidden, hidden, bias)
    return layers * layer + _CHANNELS * patch**2 * width + width + projector


def _qwen3_vl(vision: ConfigFields, hidden: int) -> int:
    width, inner = vision.number("hidden_size", default=1152), vision.number("intermediate_size", default=4304)
    layers, patch = vision.number("depth", default=27, most=1000), vision.number("patch_size", default=16)
    frames, merge = vision.number("temporal_patch_size", default=2), vision.number("spatial_merge_size", default=2)
    output = vision.number("out_hidden_size", default=hidden)
    deep = vision.numbers("deepstack_visual_indexes")
    mergers = 3 if deep is None else len(deep)
    joined = width * merge**2
    merger = _linear(joined, joined) + _linear(joined, output)
    patches = _linear(_CHANNELS * frames * patch**2, width)
    positions = vision.number("num_position_embeddings", default=2304) * width
    layer = _layer(width, inner, bias=True, norm_bias=True)
    # the last merger's norm is as wide as the encoder, the others' as what they join
    return layers * layer + patches + positions + (mergers + 1) * merger + 2 * width + mergers * 2 * joined


def _qwen2_5_vl(vision: ConfigFields, hidden: int) -> int:
    width, inner = vision.number("hidden_size", default=1280), vision.number("intermediate_size", default=3420)
    layers, patch = vision.number("depth", default=32, most=1000), vision.number("patch_size", default=14)
    frames, merge = vision.number("temporal_patch_size", default=2), vision.number("spatial_merge_size", default=2)
    joined = width * merge**2
    layer = 4 * _linear(width, width) + 2 * _linear(width, inner) + _linear(inner, width) + 2 * width
    merger = width + _linear(joined, joined) + _linear(joined, vision.number("out_hidden_size", default=hidden))
    return layers * layer + _CHANNELS * frames * patch**2 * width + merger


def _qwen2_vl(vision: ConfigFields, hidden: int) -> int:
    width, merge = vision.number("embed_dim", default=1280), vision.number("spatial_merge_size", default=2)
    layers, patch = vision.number("depth", default=32, most=1000), vision.number("patch_size", default=14)
    inner = int(width * (vision.ratio("mlp_ratio") or 4))
    frames, joined = vision.number("temporal_patch_size", default=2), width * merge**2
    merger = 2 * width + _linear(joined, joined) + _linear(joined, hidden)
    layer = _layer(width, inner, bias=True, norm_bias=True)
    return layers * layer + _CHANNELS * frames * patch**2 * width + merger


def _kimi(vision: ConfigFields, hidden: int) -> int:
    width, inner = vision.number("vt_hidden_size"), vision.number("vt_intermediate_size")
    layers, patch = vision.number("vt_num_hidden_layers", most=1000), vision.number("patch_size", default=14)
    rows = vision.number("init_pos_emb_height", default=64) * vision.number("init_pos_emb_width", default=64)
    joined = 4 * width  # two by two patches
    projector = 2 * width + _linear(joined, joined) + _linear(joined, hidden)
    layer = _layer(width, inner, bias=True, norm_bias=True)
    return layers * layer + _linear(_CHANNELS * patch**2, width) + rows * width + 2 * width + projector


def _kimi_k3(vision: ConfigFields, hidden: int) -> int:
    """As K2.5's, with queries wider than the encoder, and without biases."""
    width, inner = vision.number("vt_hidden_size"), vision.number("vt_intermediate_size")
    layers, patch = vision.number("vt_num_hidden_layers", most=1000), vision.number("patch_size", default=14)
    rows = vision.number("init_pos_emb_height", default=64) * vision.number("init_pos_emb_width", default=64)
    queries, joined = vision.number("qkv_hidden_size", default=width), 4 * width  # two by two patches
    layer = 4 * width * queries + 2 * width * inner + 2 * width
    projector = width + joined * joined + joined * hidden
    return layers * layer + _CHANNELS * patch**2 * width + rows * width + width + projector


def _minimax_m3(vision: ConfigFields, config: ConfigFields, hidden: int) -> int:
    """CLIP's layers without positions; the projection to the decoder joins patches behind it."""
    width, inner = vision.number("hidden_size", default=1280), vision.number("intermediate_size", default=5120)
    layers, patch = vision.number("num_hidden_layers", default=32, most=1000), vision.number("patch_size", default=14)
    compression = vision.section("img_token_compression_config") or vision
    frames = compression.number("temporal_patch_size", default=2)
    merged = hidden * compression.number("spatial_merge_size", default=2) ** 2
    middle = config.number("projector_hidden_size", default=6144)
    projector = _linear(width, middle) + _linear(merged, middle) + 2 * _linear(middle, hidden)
    ends = _CHANNELS * frames * patch**2 * width + 2 * width
    return layers * _layer(width, inner, bias=True, norm_bias=True) + ends + projector


def _plain(vision: ConfigFields, hidden: int) -> int:
    """A plain transformer with a two-layer projector: right within a few per cent of the encoder."""
    width = vision.optional("hidden_size", least=1) or vision.number("embed_dim")
    layers = vision.number("num_hidden_layers", "depth", most=1000)
    inner = vision.number("intermediate_size", default=4 * width)
    patch = vision.number("patch_size", default=14)
    layer = _layer(width, inner, bias=True, norm_bias=True)
    return layers * layer + _CHANNELS * patch**2 * width + _linear(width, hidden) + _linear(hidden, hidden)


_COUNTERS: Mapping[str, Callable[[ConfigFields, int], int]] = MappingProxyType(
    {
        "gemma3": _gemma3,
        "gemma4": _gemma4,
        "llama4": _llama4,
        "mllama": _mllama,
        "kimi_k25": _kimi,
        "kimi_k3": _kimi_k3,
        "qwen2_5_vl": _qwen2_5_vl,
        "qwen2_vl": _qwen2_vl,
        "qwen3_5": _qwen3_vl,
        "qwen3_5_moe": _qwen3_vl,
        "qwen3_vl": _qwen3_vl,
        "qwen3_vl_moe": _qwen3_vl,
    }
)
"""By the wrapper's ``model_type``."""
