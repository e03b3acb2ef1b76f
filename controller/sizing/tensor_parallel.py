"""What tensor parallelism divides among ranks, what every rank has whole, and into how many a model can be divided.

The rules are vLLM's (``model_executor/layers/linear.py``, ``vocab_parallel_embedding.py`` and the model files):

- query heads, MLPs, experts, linear attention, the vocabulary (padded to 64) and an image encoder are divided evenly;
- key and value projections by KV heads, of which a rank has one at least: with more ranks than heads they are copied;
- norms, routers and the down projections of latent attention are whole on every rank.

So a model on several ranks never needs less in all than on one.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import isqrt

from controller.sizing.facts import (
    CrossAttention,
    FullAttention,
    GatedDeltaNet,
    Keeps,
    Mamba2,
    ModelFacts,
    ParameterCounts,
    WindowAttention,
)
from controller.sizing.parameters import dense_layers
from controller.sizing.precision import Precision, native_precision

_VOCABULARY_STEP = 64
"""To a multiple of this the vocabulary is padded before it is divided (``DEFAULT_VOCAB_PADDING_SIZE``)."""

INT4_GROUP = 128
"""Elements that share a scale in 4 bit unless the checkpoint says otherwise: the default of GPTQ and AWQ."""


def rank_elements(facts: ModelFacts, ranks: int) -> ParameterCounts:
    """The elements one rank holds of each role that is loaded."""
    counts = facts.parameters
    rows = facts.shape.vocab_size
    padded = -(-rows // _VOCABULARY_STEP) * _VOCABULARY_STEP
    return replace(
        counts,
        embedding=-(-counts.embedding * padded // (rows * ranks)),
        head=-(-counts.head * padded // (rows * ranks)),
        layer_embeddings=-(-counts.layer_embeddings // ranks),
        attention=-(-counts.attention // ranks),
        kv_projections=_rank_kv_projections(facts, ranks),
        recurrent=-(-counts.recurrent // ranks),
        dense_mlp=-(-counts.dense_mlp // ranks),
        routed_experts=-(-counts.routed_experts // ranks),
        shared_experts=-(-counts.shared_experts // ranks),
        vision=-(-counts.vision // ranks),
        mtp=0,
    )


def undivided(facts: ModelFacts, precision: Precision, ranks: int) -> str | None:
    """What of the model `ranks` cannot divide, as engines check it at start; None when all is well."""
    for what, width in _widths(facts):
        if width % ranks:
            return f"{what} ({width}) cannot be divided by {ranks}"
    for group in facts.layers:
        heads = _kv_heads(group.keeps)
        if heads and heads % ranks and ranks % heads:
            return f"{heads} KV heads can neither be divided by nor copied to {ranks}"
    return _broken_group(facts, precision, ranks) if ranks > 1 else None


def possible_ranks(facts: ModelFacts, precision: Precision, most: int) -> tuple[int, ...]:
    """The numbers of ranks up to ``most`` into which the model can be divided."""
    return tuple(ranks for ranks in range(1, most + 1) if undivided(facts, precision, ranks) is None)


def rank_kv_heads(keeps: Keeps, ranks: int) -> int:
    """KV heads one rank has of a layer."""
    return -(-_kv_heads(keeps) // ranks)


def _rank_kv_projections(facts: ModelFacts, ranks: int) -> int:
    """Weighed by group, as kinds of layers differ in heads."""
    whole = sum(group.count * _kv_heads(group.keeps) * _kv_width(group.keeps) for group in facts.layers)
    held = sum(group.count * rank_kv_heads(group.keeps, ranks) * _kv_width(group.keeps) for group in facts.layers)
    return -(-facts.parameters.kv_projections * held // whole) if whole else facts.parameters.kv_projections


def _kv_heads(keeps: Keeps) -> int:
    return keeps.kv_heads if isinstance(keeps, FullAttention | WindowAttention | CrossAttention) else 0


def _kv_width(keeps: Keeps) -> int:
    return keeps.head_dim if isinstance(keeps, FullAttention | WindowAttention | CrossAttention) else 0


def _widths(facts: ModelFacts) -> Iterator[tuple[str, int]]:
    """What has to be divided evenly, by name."""
    yield "num_attention_heads", facts.shape.num_attention_heads
    yield from _mlp_widths(facts)
    for group in facts.layers:
        if isinstance(group.keeps, GatedDeltaNet):
            yield "key heads of linear attention", group.keeps.key_heads
            yield "value heads of linear attention", group.keeps.value_heads
        if isinstance(group.keeps, Mamba2):
            yield "heads of the state space layers", group.keeps.heads


def _mlp_widths(facts: ModelFacts) -> Iterator[tuple[str, int]]:
    if dense_layers(facts.shape):
        yield "intermediate_size", facts.shape.intermediate_size
    experts = facts.shape.experts
    if experts is not None:
        yield "the experts' intermediate_size", experts.intermediate_size
        if experts.shared_width:
            yield "the shared experts' width", experts.shared_width


def _broken_group(facts: ModelFacts, precision: Precision, ranks: int) -> str | None:
    """Elements that share a scale must stay on one rank."""
    side = _scale_width(facts, precision)
    for what, width in _mlp_widths(facts):
        if side and width // ranks % side:
            return f"{what} ({width}) divided by {ranks} is no multiple of the {side} elements that share a scale"
    return None


def _scale_width(facts: ModelFacts, precision: Precision) -> int | None:
    """Elements along a row that share a scale; None where a whole row or tensor does, or where kernels pad."""
    quantization = facts.checkpoint.quantization
    native = quantization is not None and precision is native_precision(facts)
    if precision is Precision.FP8 and native and quantization is not None and quantization.group:
        # blocks are square
        return isqrt(quantization.group)
    if precision is Precision.INT4:
        return (quantization.group if native and quantization is not None else None) or INT4_GROUP
    return None
