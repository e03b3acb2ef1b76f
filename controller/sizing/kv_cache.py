"""Bytes the KV cache takes on one rank: what attention keeps of a sequence, layer by layer.

For one token one layer keeps

- ``kv heads x (key width + value width)`` elements, whatever the number of query heads: GQA and MQA have fewer KV
  heads, plain multi-head as many as query heads. Under tensor parallelism a rank has its share of the heads, and one
  at least: with more ranks than heads they are copied;
- ``latent rank + rope width`` elements with latent attention (MLA): one vector for all heads, on every rank. A sparse
  indexer keeps a key besides.

Layers with a sliding window or attention chunks keep no more than that many tokens of a sequence; linear attention
and state space layers keep a state of fixed size instead, divided by ranks. How an engine stores it, in blocks of
tokens and groups of layers, is ``kv_pool``.
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

_CONV_BYTES = 2
"""The last inputs of a convolution are kept in the model's 16-bit type."""

_INDEX_SCALE_BYTES = 4
"""An indexer's key is kept in 8 bit with one float32 scale: 132 bytes for a width of 128. DeepSeek-V3.2 printed 48,072
bytes a token in fp8: 61 layers of 656 + 132."""

_SPARSE_GROUP = 128
_SPARSE_SCALE_BYTES = 4
_SPARSE_ROPE_BYTES = 2
"""In fp8 a sparse latent layer keeps 8 bit of the rank with a float32 scale per 128, and the rope part in 16 bit."""


@dataclass(frozen=True, slots=True)
class KvStorage:
    """How keys and values are kept: bytes of an element (2, or 1 for fp8), and ranks of tensor parallelism."""

    element_bytes: int = 2
    tensor_parallel: int = 1


PLAIN = KvStorage()
"""16 bit on one rank."""


def token_bytes(keeps: Keeps, storage: KvStorage = PLAIN) -> int:
    """Bytes one layer keeps of one token, of the text or of what it crosses to; 0 where nothing grows with tokens."""
    if isinstance(keeps, FullAttention | WindowAttention):
        width = keeps.head_dim + (keeps.value_dim or keeps.head_dim)
        # an indexer's keys are for all heads, on every rank
        indexer = keeps.indexer_dim if isinstance(keeps, FullAttention) else 0
        return (_heads(keeps.kv_heads, storage) * width + indexer) * storage.element_bytes
    if isinstance(keeps, CrossAttention):
        return _heads(keeps.kv_heads, storage) * 2 * keeps.head_dim * storage.element_bytes
    return _latent_bytes(keeps, storage) if isinstance(keeps, LatentAttention) else 0


def state_bytes(keeps: Keeps, storage: KvStorage = PLAIN) -> int:
    """Bytes of a recurrent layer's state of one sequence, whatever its length; 0 for attention."""
    return -(-_whole_state_bytes(keeps) // storage.tensor_parallel)


def kept_tokens(keeps: Keeps, length: int) -> int:
    """Of how many tokens a layer keeps keys and values, when the sequence has ``length``."""
    if isinstance(keeps, CrossAttention):
        return keeps.tokens
    return min(length, keeps.window) if isinstance(keeps, WindowAttention) else length


def kv_bytes_per_token(facts: ModelFacts, storage: KvStorage = PLAIN) -> int:
    """Bytes one more token of a sequence takes on a rank while every window still has room."""
    grows = (group for group in facts.layers if not isinstance(group.keeps, CrossAttention))
    return sum(group.count * token_bytes(group.keeps, storage) for group in grows)


def kv_sequence_bytes(facts: ModelFacts, length: int, storage: KvStorage = PLAIN) -> int:
    """Bytes one sequence of ``length`` tokens keeps on a rank, windows applied, states and images included."""
    return sum(
        group.count
        * (kept_tokens(group.keeps, length) * token_bytes(group.keeps, storage) + state_bytes(group.keeps, storage))
        for group in facts.layers
    )


def _heads(kv_heads: int, storage: KvStorage) -> int:
    return -(-kv_heads // storage.tensor_parallel)


def _latent_bytes(keeps: LatentAttention, storage: KvStorage) -> int:
    if not keeps.indexer_dim:
        return (keeps.rank + keeps.rope_dim) * storage.element_bytes
    index = keeps.indexer_dim + _INDEX_SCALE_BYTES
    if storage.element_bytes > 1:
        return (keeps.rank + keeps.rope_dim) * storage.element_bytes + index
    scales = -(-keeps.rank // _SPARSE_GROUP) * _SPARSE_SCALE_BYTES
    return keeps.rank + scales + keeps.rope_dim * _SPARSE_ROPE_BYTES + index


def _whole_state_bytes(keeps: Keeps) -> int:
    if isinstance(keeps, GatedDeltaNet):
        convolved = 2 * keeps.key_heads * keeps.key_dim + keeps.value_heads * keeps.value_dim
        matrix = keeps.value_heads * keeps.key_dim * keeps.value_dim
        return matrix * keeps.state_element_bytes + convolved * (keeps.conv_kernel - 1) * _CONV_BYTES
    if isinstance(keeps, Mamba2):
        convolved = keeps.heads * keeps.head_dim + 2 * keeps.groups * keeps.state_dim
        matrix = keeps.heads * keeps.head_dim * keeps.state_dim
        return matrix * keeps.state_element_bytes + convolved * (keeps.conv_kernel - 1) * _CONV_BYTES
    return keeps.bytes if isinstance(keeps, RecurrentState) else 0
