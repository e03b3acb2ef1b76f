"""Bytes of the tables of rotary positions, which engines hold beside the weights and count with them.

vLLM computes cosine and sine of every position at load (``model_executor/layers/rotary_embedding``, the
``cos_sin_cache`` buffer): rows x rotary width elements of the model's type, one table for all layers that rotate alike,
whole on every rank. It is what a 16-bit Llama-3.1-8B is larger in memory (14.989 GiB printed) than its checkpoint
(14.957): 131,072 x 128 x 2 bytes. Positions that are scaled linearly have as many times more rows: 0.56 GiB in Gemma 3.
"""

from controller.sizing.facts import FullAttention, LatentAttention, ModelFacts, WindowAttention


def rope_table_bytes(facts: ModelFacts, element_bytes: int = 2) -> int:
    """Bytes of all tables on one rank; 0 where no layer has attention or the positions are not established."""
    rows = facts.shape.rope_rows
    if rows is None:
        rows = facts.shape.max_position_embeddings or 0
    return rows * _width(facts) * element_bytes


def _width(facts: ModelFacts) -> int:
    """Elements of a row: the widest head that is rotated."""
    widths = [
        keeps.rope_dim if isinstance(keeps, LatentAttention) else keeps.head_dim
        for keeps in (group.keeps for group in facts.layers)
        if isinstance(keeps, FullAttention | WindowAttention | LatentAttention)
    ]
    return max(widths, default=0)
