"""MiniMax-M3's sparse layers: attention of grouped heads that looks at the blocks an indexer chooses.

The fields are those of its ``sparse_attention_config`` (huggingface/transformers ``models/minimax_m3_vl``).
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from controller.sizing.config_fields import ConfigFields
from controller.sizing.facts import FullAttention

_FIELD: Final = "sparse_attention_config"


def sparse_kinds(config: ConfigFields, layers: int) -> Sequence[str]:
    """The kind of each layer. Raises ModelFileError where the configuration does not say it of each."""
    sparse = config.section(_FIELD)
    if sparse is None or not sparse.flag("use_sparse_attention", default=True):
        return ["full_attention"] * layers
    told = sparse.numbers("sparse_attention_freq")
    if told is None:
        raise sparse.missing("sparse_attention_freq")
    if len(told) != layers:
        problem = f"names {len(told)} layers, num_hidden_layers is {layers}"
        raise sparse.problem("sparse_attention_freq", problem, "take the config.json of the model itself")
    return ["sparse_attention" if each else "full_attention" for each in told]


def with_indexer(config: ConfigFields, full: FullAttention) -> FullAttention:
    """A full layer with the indexer of the sparse ones."""
    sparse = config.section(_FIELD)
    if sparse is None:
        raise config.missing(_FIELD)
    return msgspec.structs.replace(
        full,
        indexer_heads=sparse.number("sparse_num_index_heads", most=65_536),
        indexer_dim=sparse.number("sparse_index_dim", most=65_536),
    )
