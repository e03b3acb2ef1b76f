"""Bytes the KV cache takes: what attention keeps of each token.

For one token one layer keeps

- ``2 x kv heads x head width`` elements (a key and a value a head), whatever the number of query heads: GQA and MQA
  have fewer KV heads, plain multi-head as many as query heads;
- ``latent rank + rope width`` elements with latent attention (MLA): one vector for all heads, and not divided by
  tensor parallelism.

An element is 2 bytes: engines keep the cache in the model's 16-bit type unless told otherwise, also under quantized
weights. Layers with a sliding window or attention chunks keep no more than that many tokens of a sequence; linear
attention keeps a state of fixed size instead. An engine may hold a little more (a window plus the prompt piece being
read, blocks of 16 tokens, layers padded to equal groups): the sizing's margin covers it.
"""

from controller.sizing.catalog import ModelFacts

_ELEMENT_BYTES = 2


def kv_bytes_per_token(facts: ModelFacts) -> int:
    """Bytes one more token takes while every window still has room: all layers that keep keys and values.

    That is the figure engines print KV bytes by: their token counts treat windowed layers as full ones.
    """
    return _full_layers(facts) * _full_layer_bytes(facts) + _windowed_layers(facts) * _layer_bytes(facts)


def kv_sequence_bytes(facts: ModelFacts, length: int) -> int:
    """Bytes one sequence of ``length`` tokens keeps, windows applied, the recurrent state included."""
    full = _full_layers(facts) * _full_layer_bytes(facts) * length
    windowed = _windowed_layers(facts) * _layer_bytes(facts) * min(length, facts.sliding_window or length)
    return full + windowed + facts.recurrent_state_bytes


def kv_cache_bytes(facts: ModelFacts, length: int, concurrency: int) -> int:
    """Bytes for ``concurrency`` sequences of ``length`` tokens at once."""
    return concurrency * kv_sequence_bytes(facts, length)


def _full_layers(facts: ModelFacts) -> int:
    """Layers that keep the whole context: all of them, the safe side, where the table leaves it open."""
    if facts.full_attention_layers is None:
        return facts.num_hidden_layers
    return facts.full_attention_layers


def _windowed_layers(facts: ModelFacts) -> int:
    if facts.local_attention not in ("sliding", "chunked"):
        return 0
    return facts.num_hidden_layers - _full_layers(facts)


def _layer_bytes(facts: ModelFacts) -> int:
    if facts.kv_lora_rank is not None:
        return (facts.kv_lora_rank + (facts.qk_rope_head_dim or 0)) * _ELEMENT_BYTES
    return 2 * facts.num_key_value_heads * facts.head_dim * _ELEMENT_BYTES


def _full_layer_bytes(facts: ModelFacts) -> int:
    if facts.global_kv_heads is None or facts.global_head_dim is None:
        return _layer_bytes(facts)
    return 2 * facts.global_kv_heads * facts.global_head_dim * _ELEMENT_BYTES
