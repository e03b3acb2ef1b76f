"""Bytes by which vLLM lengthens weights on ROCm, so that rows do not fall on the same memory channels.

Rows whose bytes are a multiple of 512 get 256 more (``_maybe_pad_weight`` in ``quantization/fp8.py``,
``compressed_tensors/schemes/compressed_tensors_w8a8_fp8.py`` and ``fused_moe``, on by default through
``VLLM_ROCM_FP8_PADDING`` and ``VLLM_ROCM_MOE_PADDING``): linear layers in fp8, and experts in 16 bit. With rows of
4096 bytes that is 6 %. Projections of latent and linear attention are left out, as they are few.

A Qwen3-14B in fp8 on two Radeon cards printed 7.86 GiB a rank: 7.61 without these bytes, 7.91 with them.
"""

from collections.abc import Iterator

from controller.sizing.facts import FullAttention, ModelFacts, WindowAttention
from controller.sizing.parameters import dense_layers
from controller.sizing.precision import SIXTEEN_BIT, Precision
from controller.sizing.tensor_parallel import rank_kv_heads

_ALIGNED_BYTES = 512
_ROW_BYTES = 256

_UP_AND_GATE = 2


def padding_bytes(facts: ModelFacts, precision: Precision, ranks: int) -> int:
    """What is added to the weights of one rank.

    At least its share of what is added on one rank alone: divided rows can stop being a multiple of 512, and whether
    a later kernel pads them to it is not known. So dividing a model never seems to save memory in all.
    """
    here, alone = _padding(facts, precision, ranks), _padding(facts, precision, 1)
    return max(here, -(-alone // ranks))


def _padding(facts: ModelFacts, precision: Precision, ranks: int) -> int:
    if precision is Precision.FP8:
        return sum(_added(rows, columns) for rows, columns in _linear_layers(facts, ranks))
    if precision in SIXTEEN_BIT:
        return sum(_added(rows, 2 * columns) for rows, columns in _experts(facts, ranks))
    return 0


def _added(rows: int, row_bytes: int) -> int:
    return 0 if row_bytes % _ALIGNED_BYTES else rows * _ROW_BYTES


def _linear_layers(facts: ModelFacts, ranks: int) -> Iterator[tuple[int, int]]:
    """Rows and columns of one rank's linear layers outside the experts."""
    shape = facts.shape
    heads = -(-shape.num_attention_heads // ranks)
    for group in shape.layers:
        keeps = group.keeps
        if isinstance(keeps, FullAttention | WindowAttention):
            value = keeps.value_dim or keeps.head_dim
            keys_and_values = rank_kv_heads(keeps, ranks) * (keeps.head_dim + value)
            yield group.count * (heads * keeps.head_dim + keys_and_values), shape.hidden_size
            yield group.count * shape.hidden_size, heads * value
    yield from _mlp(dense_layers(shape), shape.intermediate_size, shape.hidden_size, ranks)
    if shape.experts is not None:
        yield from _mlp(shape.experts.layers, shape.experts.shared_width, shape.hidden_size, ranks)


def _experts(facts: ModelFacts, ranks: int) -> Iterator[tuple[int, int]]:
    experts = facts.shape.experts
    if experts is None:
        return
    inputs = experts.input_size or facts.shape.hidden_size
    yield from _mlp(experts.layers * experts.count, experts.intermediate_size, inputs, ranks)


def _mlp(layers: int, width: int, inputs: int, ranks: int) -> Iterator[tuple[int, int]]:
    held = -(-width // ranks)
    yield layers * _UP_AND_GATE * held, inputs
    yield layers * inputs, held
