"""Layers that use the keys and values of an earlier one: the last ``num_kv_shared_layers`` of Gemma 4 E2B and E4B.

They keep nothing. Their files have projections of keys and values all the same, and E2B's have an MLP twice as wide
(``use_double_wide_mlp``): huggingface/transformers ``models/gemma4``, and the published counts.
"""

from controller.sizing.config_fields import ConfigFields
from controller.sizing.facts import FullAttention, Keeps, RecurrentState, WindowAttention


def shared_layers(config: ConfigFields, layers: int) -> int:
    """How many of the last layers keep nothing. Raises ModelFileError when that is all of them."""
    shared = config.number("num_kv_shared_layers", default=0, least=0)
    if shared and shared >= layers:
        problem = f"leaves none of {layers} layers with keys and values"
        raise config.problem("num_kv_shared_layers", problem, "take the config.json of the model itself")
    return shared


def without_own_keys(config: ConfigFields, keeps: Keeps) -> RecurrentState:
    """Such a layer, of the kind that would keep ``keeps``: its attention, and what its MLP is wider than others."""
    if not isinstance(keeps, FullAttention | WindowAttention):
        raise TypeError(f"only layers with keys and values can share them, not {keeps}")
    hidden, heads = config.number("hidden_size"), config.number("num_attention_heads")
    single = isinstance(keeps, FullAttention) and keeps.keys_are_values
    projections = hidden * keeps.head_dim * (2 * heads + keeps.kv_heads * (1 if single else 2))
    wider = 3 * hidden * config.number("intermediate_size") if config.flag("use_double_wide_mlp") else 0
    return RecurrentState(0, projections + 2 * keeps.head_dim + wider)
