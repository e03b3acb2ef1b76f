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

from controller.sizing.facts import ModelFacts
from controller.sizing.precision import SIXTEEN_BIT, Precision, native_precision

_SIXTEEN = 2
_THIRTY_TWO = 4

_INT4_GROUP = 128
_INT4_BITS_PER_GROUP = 4 * _INT4_GROUP + 16 + 4

_MXFP4_BYTES_PER_BLOCK = 17
_MXFP4_BLOCK = 32
"""32 elements of 4 bits and one scale byte: 17 bytes."""

_MXFP4_TILE = 256
"""Elements to which the mxfp4 expert kernels pad the experts' inner width. The padded width explains 5 of the 6 % by
which gpt-oss-20b is larger in memory (13.47 to 13.72 GiB printed) than in its file (12.82)."""


def weights_bytes(facts: ModelFacts, precision: Precision, tensor_parallel: int = 1) -> int:
    """Bytes of the loaded weights on one rank, in a resolved precision (not ``auto``)."""
    return -(-_all_ranks(facts, precision) // tensor_parallel)


def _all_ranks(facts: ModelFacts, precision: Precision) -> int:
    if precision is native_precision(facts) and facts.checkpoint.quantization and facts.checkpoint.bytes is not None:
        return _native_quantized_bytes(facts, facts.checkpoint.bytes)
    loaded = facts.parameters.loaded
    if precision is Precision.FP32:
        return loaded * _THIRTY_TWO
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
    counts = facts.parameters
    return counts.embedding + counts.head + counts.norms + counts.routers + counts.vision + counts.other


def _native_quantized_bytes(facts: ModelFacts, stored: int) -> int:
    """A checkpoint that is published quantized: its own bytes, less what is not loaded, plus what kernels pad."""
    loaded = stored - _mtp_bytes_in_fp8(facts)
    return loaded + _mxfp4_padding(facts) if native_precision(facts) is Precision.MXFP4 else loaded


def _mtp_bytes_in_fp8(facts: ModelFacts) -> int:
    """Bytes of a multi-token-prediction layer in an fp8 checkpoint: a byte each, two for what stays 16-bit.

    That is its own embedding and head, and the projection that joins the two hidden states (2 x hidden to hidden).
    """
    counts, hidden = facts.parameters, facts.shape.hidden_size
    return counts.mtp + 2 * counts.embedding + 2 * hidden**2 if counts.mtp else 0


def _mxfp4_padding(facts: ModelFacts) -> int:
    """Bytes by which the loaded mxfp4 experts exceed the stored ones: their inner width, rounded up to a tile."""
    experts = facts.shape.experts
    if experts is None:
        return 0
    # three matrices of hidden x width for each expert: gate, up, down
    elements = 3 * facts.shape.hidden_size * (-experts.intermediate_size % _MXFP4_TILE) * experts.count * experts.layers
    return elements * _MXFP4_BYTES_PER_BLOCK // _MXFP4_BLOCK
