"""Kimi's delta attention (Kimi Linear, Kimi K3), from the ``linear_attn_config`` of a configuration.

A layer keeps a matrix a head in float32 and the last inputs of three convolutions in 16 bit. Its tensors are those of
``KimiLinearDeltaAttention`` (huggingface/transformers ``models/kimi_linear``): four square projections, convolutions of
queries, keys and values, a decay and a gate through a narrow middle, and what belongs to a head. K3's gate has no such
middle (``use_full_rank_gate``). The published counts are met so.
"""

from collections.abc import Sequence
from typing import Final

from controller.sizing.config_fields import ConfigFields
from controller.sizing.facts import RecurrentState

_FIELD: Final = "linear_attn_config"
_REMEDY: Final = "take the config.json of the model itself"
_STATE_BYTES: Final = 4
_CONV_BYTES: Final = 2
_CONVOLUTIONS: Final = 3


def delta_kinds(config: ConfigFields, layers: int) -> Sequence[str]:
    """The kind of each layer: latent, or delta attention. Raises ModelFileError where they are not told of each."""
    linear = _section(config)
    # they are counted from 1
    latent, delta = linear.numbers("full_attn_layers"), linear.numbers("kda_layers")
    for name, told in (("full_attn_layers", latent), ("kda_layers", delta)):
        if told is None:
            raise linear.missing(name)
    numbers = [*(latent or ()), *(delta or ())]
    if sorted(numbers) != list(range(1, layers + 1)):
        problem = f"and full_attn_layers do not name each of {layers} layers once, from 1 on"
        raise linear.problem("kda_layers", problem, _REMEDY)
    latent_ones = set(latent or ())
    return ["latent" if layer in latent_ones else "delta_attention" for layer in range(1, layers + 1)]


def delta_attention(config: ConfigFields) -> RecurrentState:
    """What a layer of delta attention keeps, and its weights."""
    linear, hidden = _section(config), config.number("hidden_size")
    heads, width = linear.number("num_heads", most=65_536), linear.number("head_dim", most=65_536)
    kernel = linear.number("short_conv_kernel_size", most=1024)
    inner = heads * width
    through_middle = hidden * width + width * inner
    gate = hidden * inner if linear.flag("use_full_rank_gate") else through_middle
    of_heads = hidden * heads + heads + inner + width  # step, decay, its bias, a norm
    state = heads * width * width * _STATE_BYTES + _CONVOLUTIONS * inner * (kernel - 1) * _CONV_BYTES
    parameters = 4 * hidden * inner + _CONVOLUTIONS * inner * kernel + through_middle + gate + of_heads
    return RecurrentState(state, parameters)


def _section(config: ConfigFields) -> ConfigFields:
    linear = config.section(_FIELD)
    if linear is None:
        raise config.missing(_FIELD)
    return linear
