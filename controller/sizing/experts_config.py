"""From the fields of a config.json to its mixture layers: how many there are, and how wide their experts."""

from collections.abc import Mapping
from types import MappingProxyType

from controller.sizing.config_fields import ConfigFields
from controller.sizing.facts import Experts
from controller.sizing.nemotron_config import block_experts

_COUNT = ("n_routed_experts", "num_experts", "num_local_experts")
_CHOSEN = ("num_experts_per_tok", "experts_per_token", "top_k_experts", "num_experts_per_token")

_MIXTURES: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(
        ("deepseek_v2", "deepseek_v3", "deepseek_v32", "glm4_moe", "glm_moe_dsa", "kimi_k2", "kimi_k25"),
        "n_routed_experts",
    )
    | dict.fromkeys(("gpt_oss", "llama4", "minimax_m2", "minimax_m3", "mixtral"), "num_local_experts")
    | dict.fromkeys(("kimi_k3", "kimi_linear"), "num_experts")
    | dict.fromkeys(("qwen2_moe", "qwen3_5_moe", "qwen3_moe", "qwen3_next", "qwen3_vl_moe"), "num_experts")
)
"""Architectures that are mixtures, and the field that counts their experts. Every other is dense, but for Gemma 4 and
Nemotron-H, whose layers are told one by one."""

_DENSE_FIRST = frozenset(name for name, field in _MIXTURES.items() if field == "n_routed_experts") | {
    "kimi_k3",
    "kimi_linear",
}
"""Mixtures that tell how many of their first layers are dense, and how many experts are shared."""

_SHARED_WIDTH = frozenset({"qwen2_moe", "qwen3_5_moe", "qwen3_next"})
"""Mixtures that tell how wide their shared expert is."""

_SHARED = "n_shared_experts"

_REMEDY = "take the config.json of the model itself"

_WIDTH: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("mixtral", "gpt_oss", "llama4", "minimax_m2", "minimax_m3"), "intermediate_size")
)
"""The field with an expert's width where it is not ``moe_intermediate_size``."""


def experts_of(config: ConfigFields, architecture: str, layers: int) -> Experts | None:
    """The mixture, None for a dense model. Raises ModelFileError."""
    if architecture == "nemotron_h":
        return block_experts(config)
    count = _count(config, architecture)
    if count is None:
        return None
    mixture = _mixture_layers(config, architecture, layers)
    if not mixture:
        raise config.problem(_field(config), "makes no mixture, as no layer is said to have the experts", _REMEDY)
    per_token = config.number(*_CHOSEN)
    if per_token > count:
        raise config.problem(_CHOSEN[0], f"is more than the {count} experts there are", "correct one of them")
    width = config.number(_WIDTH.get(architecture, "moe_intermediate_size"))
    return Experts(
        layers=mixture,
        count=count,
        per_token=per_token,
        intermediate_size=width,
        shared_width=_shared_width(config, architecture, width),
        input_size=config.optional("routed_expert_hidden_size", least=1),
    )


def _count(config: ConfigFields, architecture: str) -> int | None:
    """The experts of a layer, None for a dense model. Raises ModelFileError where architecture and count disagree."""
    count = config.optional(*_COUNT)
    if architecture == "gemma4":
        if count and "enable_moe_block" not in config:
            raise config.missing("enable_moe_block")
        return config.number(*_COUNT) if config.flag("enable_moe_block") else None
    field = _MIXTURES.get(architecture)
    if field is None:
        if count:
            raise config.problem(_field(config), f"are experts, which {architecture} has not", _REMEDY)
        return None
    if count is None:
        raise config.missing(field)
    if not count:
        raise config.problem(_field(config), f"makes no mixture, which {architecture} is", _REMEDY)
    return count


def _field(config: ConfigFields) -> str:
    """The field that counts the experts here."""
    return next((name for name in _COUNT if name in config), _COUNT[0])


def dense_width(config: ConfigFields, architecture: str, default: int | None = None) -> int:
    """The width of an MLP that is no mixture."""
    if architecture == "llama4":
        return config.number("intermediate_size_mlp", default=config.number("intermediate_size"))
    if architecture == "minimax_m3":
        return config.number("dense_intermediate_size", default=default)
    if architecture == "falcon":
        return config.number("ffn_hidden_size", default=4 * config.number("hidden_size"))
    if architecture == "opt":
        return config.number("ffn_dim")
    return config.number("intermediate_size", default=default)


def _shared_width(config: ConfigFields, architecture: str, width: int) -> int:
    if architecture == "llama4":
        return width  # one, beside the routed ones
    if architecture in _SHARED_WIDTH:
        return config.number("shared_expert_intermediate_size", least=0)
    if architecture in _DENSE_FIRST:
        name = "num_shared_experts" if architecture.startswith("kimi_") and "num_shared_experts" in config else _SHARED
        if not config.stands(name):
            raise config.missing(name)  # null is right for models without
        return width * config.number(name, default=0, least=0, most=1024)
    return config.number("shared_intermediate_size", default=0, least=0)


def _mixture_layers(config: ConfigFields, architecture: str, layers: int) -> int:
    told = config.texts("mlp_layer_types")
    if told is not None:
        if len(told) != layers or not {"sparse", "dense"}.issuperset(told):
            problem = f"does not say of each of {layers} layers whether it is sparse or dense"
            raise config.problem("mlp_layer_types", problem, _REMEDY)
        return told.count("sparse")
    if architecture == "llama4":
        return _interleaved(config, layers)
    if architecture == "minimax_m3":
        return _flagged(config, layers)
    dense = config.number("first_k_dense_replace", default=None if architecture in _DENSE_FIRST else 0, least=0)
    if dense > layers:
        raise config.problem("first_k_dense_replace", f"is more than the {layers} layers there are", "correct it")
    step = config.number("decoder_sparse_step", default=1)
    each = config.number("moe_layer_freq", default=1)
    dense_ones = set(config.numbers("mlp_only_layers") or ())
    sparse = (layer for layer in range(dense, layers) if (layer + 1) % step == 0 and layer % each == 0)
    return sum(layer not in dense_ones for layer in sparse)


def _flagged(config: ConfigFields, layers: int) -> int:
    """MiniMax-M3 says of each layer whether it is a mixture."""
    flags = config.numbers("moe_layer_freq")
    if flags is None:
        raise config.missing("moe_layer_freq")
    if len(flags) != layers:
        problem = f"names {len(flags)} layers, num_hidden_layers is {layers}"
        raise config.problem("moe_layer_freq", problem, _REMEDY)
    return sum(map(bool, flags))


def _interleaved(config: ConfigFields, layers: int) -> int:
    """Llama 4 names its mixture layers, or tells each how many-th one is."""
    named = config.numbers("moe_layers")
    if named is None:
        return layers // config.assumed_number("interleave_moe_layer_step", 1)
    if len(set(named)) < len(named) or not set(range(layers)).issuperset(named):
        raise config.problem("moe_layers", f"names layers twice or outside 0 to {layers - 1}", _REMEDY)
    return len(named)
