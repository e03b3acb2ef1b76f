"""Bytes the weights take in GPU memory, by precision.

What is loaded is every stored parameter, all experts of a mixture included, a tied head once, without
multi-token-prediction layers. Quantizing touches the linear layers only; kept in 16 bit are the embedding, the output
head, norms, the experts' routers and an image encoder, as published fp8, w8a8 and 4-bit checkpoints do (llm-compressor,
AutoGPTQ and AutoRound recipes ignore ``lm_head`` by default). Bytes per quantized element:

=====  =======  =====================================================================================
fp8    1        scales, one per output channel or tensor, are below 0.1 %
int8   1        as fp8
int4   0.51953  4 bits, and a 16-bit scale and a 4-bit zero point per group of 128 (GPTQ's and AWQ's default)
=====  =======  =====================================================================================

Checked against what engines printed when loading: see the tests. Every result is per model, not per GPU of several.
"""

from controller.sizing.catalog import ModelFacts
from controller.sizing.precision import SIXTEEN_BIT, Precision, native_precision

_SIXTEEN = 2

_INT4_GROUP = 128
_INT4_BITS_PER_GROUP = 4 * _INT4_GROUP + 16 + 4

_MXFP4_BYTES_PER_BLOCK = 17
_MXFP4_BLOCK = 32
"""32 elements of 4 bits and one scale byte: 17 bytes."""

_MXFP4_TILE = 256
"""Elements to which the mxfp4 expert kernels pad the experts' inner width. The padded width explains 5 of the 6 % by
which gpt-oss-20b is larger in memory (13.47 to 13.72 GiB printed) than in its file (12.82)."""


def weights_bytes(facts: ModelFacts, precision: Precision) -> int:
    """Bytes of the loaded weights in a resolved precision (not ``auto``)."""
    if precision is native_precision(facts) and facts.native_quantization:
        return _native_quantized_bytes(facts)
    loaded = facts.total_params - facts.mtp_params
    if precision in SIXTEEN_BIT:
        return loaded * _SIXTEEN
    kept = _kept_in_16_bit(facts)
    return kept * _SIXTEEN + _quantized_bytes(loaded - kept, precision)


def _quantized_bytes(elements: int, precision: Precision) -> int:
    if precision is Precision.INT4:
        return -(-elements * _INT4_BITS_PER_GROUP // (8 * _INT4_GROUP))
    if precision in (Precision.FP8, Precision.INT8):
        return elements
    raise ValueError(f"precision {precision} has no rule for converted weights: resolve it for the model first")


def _kept_in_16_bit(facts: ModelFacts) -> int:
    """Elements that quantizing leaves alone."""
    embedding = facts.vocab_size * facts.hidden_size * (1 if facts.tie_word_embeddings else 2)
    norms = (2 * facts.num_hidden_layers + 1) * facts.hidden_size
    routers = (facts.num_hidden_layers - facts.first_dense_layers) * facts.moe_num_experts * facts.hidden_size
    return embedding + norms + routers + facts.vision_params


def _native_quantized_bytes(facts: ModelFacts) -> int:
    """A checkpoint that is published quantized: its own bytes, less what is not loaded, plus what kernels pad."""
    stored = facts.checkpoint_bytes - _mtp_bytes_in_fp8(facts)
    if native_precision(facts) is Precision.MXFP4:
        return stored + _mxfp4_padding(facts)
    return stored


def _mtp_bytes_in_fp8(facts: ModelFacts) -> int:
    """Bytes of a multi-token-prediction layer in an fp8 checkpoint: a byte each, two for what stays 16-bit.

    That is its own embedding and head, and the projection that joins the two hidden states (2 x hidden to hidden).
    """
    if not facts.mtp_params:
        return 0
    return facts.mtp_params + 2 * facts.vocab_size * facts.hidden_size + 2 * facts.hidden_size**2


def _mxfp4_padding(facts: ModelFacts) -> int:
    """Bytes by which the loaded mxfp4 experts exceed the stored ones: their inner width, rounded up to a tile."""
    width = facts.moe_intermediate_size
    added = -width % _MXFP4_TILE
    # three matrices of hidden x width for each expert: gate, up, down
    elements = 3 * facts.hidden_size * added * facts.moe_num_experts * facts.num_hidden_layers
    return elements * _MXFP4_BYTES_PER_BLOCK // _MXFP4_BLOCK
