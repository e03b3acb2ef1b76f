"""From the fields of a config.json to its mixture layers: how many there are, and how wide their experts."""

from collections.abc import Mapping
from types import MappingProxyType

from controller.sizing.config_fields import ConfigFields
from controller.sizing.facts import Experts

_COUNT = ("n_routed_experts", "num_experts", "num_local_experts")
_CHOSEN = ("num_experts_per_tok", "experts_per_token", "top_k_experts")

_WIDTH: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("mixtral", "gpt_oss", "llama4", "minimax_m2"), "intermediate_size")
)
"""The field with an expert's width where it is not ``moe_intermediate_size``."""


def experts_of(config: ConfigFields, architecture: str, layers: int) -> Experts | None:
    """The mixture, None for a dense model. Raises ModelFileError."""
    count = config.optional(*_COUNT)
    if not count or (architecture == "gemma4" and not config.flag("enable_moe_block")):
        return None
    mixture = _mixture_layers(config, architecture, layers)
    if not mixture:
        return None
    per_token = config.number(*_CHOSEN)
    if per_token > count:
        raise config.problem(_CHOSEN[0], f"is more than the {count} experts there are", "correct one of them")
    width = config.number(_WIDTH.get(architecture, "moe_intermediate_size"))
    return Experts(mixture, count, per_token, width, _shared_width(config, architecture, width))


def dense_width(config: ConfigFields, architecture: str, default: int | None = None) -> int:
    """The width of an MLP that is no mixture."""
    if architecture == "llama4":
        return config.number("intermediate_size_mlp", default=config.number("intermediate_size"))
    if architecture == "falcon":
        return config.number("ffn_hidden_size", default=4 * config.number("hidden_size"))
    if architecture == "opt":
        return config.number("ffn_dim")
    return config.number("intermediate_size", default=default)


def _shared_width(config: ConfigFields, architecture: str, width: int) -> int:
    if architecture == "llama4":
        return width  # one, beside the routed ones
    own = config.optional("shared_expert_intermediate_size", "shared_intermediate_size")
    if own is not None:
        return own
    return width * config.number("n_shared_experts", default=0, least=0, most=1024)


def _mixture_layers(config: ConfigFields, architecture: str, layers: int) -> int:
    told = config.texts("mlp_layer_types")
    if told is not None:
        return sum(kind == "sparse" for kind in told)
    if architecture == "llama4":
        named = config.numbers("moe_layers")
        return len(named) if named is not None else layers // config.number("interleave_moe_layer_step", default=1)
    dense = config.number("first_k_dense_replace", default=0, least=0)
    if dense > layers:
        raise config.problem("first_k_dense_replace", f"is more than the {layers} layers there are", "correct it")
    step = config.number("decoder_sparse_step", default=1)
    each = config.number("moe_layer_freq", default=1)
    dense_ones = set(config.numbers("mlp_only_layers") or ())
    sparse = (layer for layer in range(dense, layers) if (layer + 1) % step == 0 and layer % each == 0)
    return sum(layer not in dense_ones for layer in sparse)
