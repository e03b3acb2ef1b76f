"""Bytes the KV cache takes on one rank: what attention keeps of each token.

For one token one layer keeps

- ``kv heads x (key width + value width)`` elements, whatever the number of query heads: GQA and MQA have fewer KV
  heads, plain multi-head as many as query heads. Under tensor parallelism a rank has its share of the heads, and one
  at least: with more ranks than heads they are copied;
- ``latent rank + rope width`` elements with latent attention (MLA): one vector for all heads, on every rank.

Layers with a sliding window or attention chunks keep no more than that many tokens of a sequence; linear attention
and state space layers keep a state of fixed size instead, divided by ranks.
"""

from dataclasses import dataclass

from controller.sizing.facts import (
    CrossAttention,
    FullAttention,
    GatedDeltaNet,
    Keeps,
    LatentAttention,
    Mamba2,
    ModelFacts,
    RecurrentState,
    WindowAttention,
)

_STATE_BYTES = 4
"""Recurrent states are float32."""

_CONV_BYTES = 2
"""The last inputs of a convolution are 16 bit."""

_INDEX_SCALE_BYTES = 4
"""An indexer's key is stored as 8 bit with one float32 scale a token."""


@dataclass(frozen=True, slots=True)
class KvStorage:
    """How keys and values are kept: bytes of an element (2, or 1 for fp8), and ranks of tensor parallelism."""

    element_bytes: int = 2
    tensor_parallel: int = 1


PLAIN = KvStorage()
"""16 bit on one rank."""


def token_bytes(keeps: Keeps, storage: KvStorage = PLAIN) -> int:
    """Bytes one layer keeps of one token of the text, while its window has room; 0 where nothing grows."""
    if isinstance(keeps, FullAttention | WindowAttention):
        width = keeps.head_dim + (keeps.value_dim or keeps.head_dim)
        return _heads(keeps.kv_heads, storage) * width * storage.element_bytes
    if isinstance(keeps, LatentAttention):
        indexer = keeps.indexer_dim + _INDEX_SCALE_BYTES if keeps.indexer_dim else 0
        return (keeps.rank + keeps.rope_dim) * storage.element_bytes + indexer
    return 0


def fixed_bytes(keeps: Keeps, storage: KvStorage = PLAIN) -> int:
    """Bytes one layer keeps of one sequence whatever its length."""
    if isinstance(keeps, CrossAttention):
        return keeps.tokens * _heads(keeps.kv_heads, storage) * 2 * keeps.head_dim * storage.element_bytes
    return -(-_state_bytes(keeps) // storage.tensor_parallel)


def kept_tokens(keeps: Keeps, length: int) -> int:
    """Of how many tokens of a sequence of ``length`` a layer keeps keys and values."""
    return min(length, keeps.window) if isinstance(keeps, WindowAttention) else length


def kv_bytes_per_token(facts: ModelFacts, storage: KvStorage = PLAIN) -> int:
    """Bytes one more token takes on a rank while every window still has room: all layers that keep keys and values."""
    return sum(group.count * token_bytes(group.keeps, storage) for group in facts.layers)


def kv_sequence_bytes(facts: ModelFacts, length: int, storage: KvStorage = PLAIN) -> int:
    """Bytes one sequence of ``length`` tokens keeps on a rank, windows applied, states and images included."""
    return sum(
        group.count
        * (kept_tokens(group.keeps, length) * token_bytes(group.keeps, storage) + fixed_bytes(group.keeps, storage))
        for group in facts.layers
    )


def kv_cache_bytes(facts: ModelFacts, length: int, concurrency: int, storage: KvStorage = PLAIN) -> int:
    """Bytes for ``concurrency`` sequences of ``length`` tokens at once, on a rank."""
    return concurrency * kv_sequence_bytes(facts, length, storage)


def _heads(kv_heads: int, storage: KvStorage) -> int:
    return -(-kv_heads // storage.tensor_parallel)


def _state_bytes(keeps: Keeps) -> int:
    if isinstance(keeps, GatedDeltaNet):
        convolved = 2 * keeps.key_heads * keeps.key_dim + keeps.value_heads * keeps.value_dim
        state = keeps.value_heads * keeps.key_dim * keeps.value_dim * _STATE_BYTES
        return state + convolved * (keeps.conv_kernel - 1) * _CONV_BYTES
    if isinstance(keeps, Mamba2):
        convolved = keeps.heads * keeps.head_dim + 2 * keeps.groups * keeps.state_dim
        state = keeps.heads * keeps.head_dim * keeps.state_dim * _STATE_BYTES
        return state + convolved * (keeps.conv_kernel - 1) * _CONV_BYTES
    return keeps.bytes if isinstance(keeps, RecurrentState) else 0
