"""Stored elements of a model by role, from its shape: tensor by tensor, as the architecture's code has them.

The widths stand in the shape. What an architecture has beside them (biases, norms, an MLP without a gate) is fixed by
its code, read in the model files of huggingface/transformers and checked against published totals: of the catalogue's
models the sum is the published count to the last element, or the tests name the difference and its cause.
An architecture that is not in `TENSORS` is counted like Llama.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from controller.sizing.facts import (
    CrossAttention,
    FullAttention,
    GatedDeltaNet,
    Keeps,
    LatentAttention,
    Mamba2,
    ParameterCounts,
    RecurrentState,
    Shape,
    WindowAttention,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensors:
    """What an architecture has beside the widths of its shape.

    ``norms`` are vectors as wide as the model in each layer, each with a bias where ``norm_bias``. ``query_key_norm``:
    norms on queries and keys, as wide as one head or as all of them. ``expert_bias``: routers and experts have biases,
    ``router_correction``: one more element an expert in each router. ``head_bias``: one element a word of the output.
    ``position_offset``: a learned table of positions with so many rows more than there are positions, None without.
    ``prediction_embeddings``: a multi-token-prediction layer is stored with an embedding and a head of its own.
    ``layer_scalar``: one factor a layer, ``mixture_norms``: more vectors as wide as the model in each mixture layer.
    """

    norms: int = 2
    norm_bias: bool = False
    query_key_norm: Literal["none", "head", "all"] = "none"
    qkv_bias: bool = False
    output_bias: bool = False
    gated_queries: bool = False
    sinks: bool = False
    gated_mlp: bool = True
    mlp_bias: bool = False
    expert_bias: bool = False
    router_correction: bool = False
    shared_gate: bool = False
    head_bias: bool = False
    extra_embedding_rows: int = 0
    position_offset: int | None = None
    prediction_embeddings: bool = True
    layer_scalar: bool = False
    mixture_norms: int = 0


UNKNOWN_ARCHITECTURE: Final = "unknown"
"""The architecture of facts that were read from tensors alone: they are an estimate."""

LLAMA = Tensors()
"""Two norms, attention and gated MLP without biases."""

_QWEN2 = Tensors(qkv_bias=True)
_QWEN3 = Tensors(query_key_norm="head")
_QWEN3_NEXT = Tensors(query_key_norm="head", gated_queries=True, shared_gate=True)
_GEMMA3 = Tensors(norms=4, query_key_norm="head")
_QWEN35 = Tensors(query_key_norm="head", gated_queries=True)
_DEEPSEEK3 = Tensors(router_correction=True)
_COHERE = Tensors(norms=1)
_OLMO = Tensors(query_key_norm="all")

TENSORS: Mapping[str, Tensors] = MappingProxyType(
    {
        "cohere": _COHERE,
        "cohere2": _COHERE,
        "deepseek_v2": LLAMA,
        "deepseek_v3": _DEEPSEEK3,
        "deepseek_v32": _DEEPSEEK3,
        "exaone4": _QWEN3,
        # the layers of 7b; 40b has a second norm, which its configuration tells
        "falcon": Tensors(norms=1, norm_bias=True, gated_mlp=False),
        "gemma": LLAMA,
        "gemma2": Tensors(norms=4),
        "gemma3": _GEMMA3,
        "gemma3_text": _GEMMA3,
        # its router has a factor an expert and one a dimension; three norms more around the experts
        "gemma4": Tensors(norms=4, query_key_norm="head", layer_scalar=True, router_correction=True, mixture_norms=4),
        "glm": _QWEN2,
        "glm4": Tensors(norms=4, qkv_bias=True),
        "glm4_moe_lite": _DEEPSEEK3,
        "glm4_moe": Tensors(qkv_bias=True, query_key_norm="head", router_correction=True),
        "glm_moe_dsa": Tensors(router_correction=True, prediction_embeddings=False),
        "gpt_oss": Tensors(qkv_bias=True, output_bias=True, sinks=True, expert_bias=True),
        "granite": LLAMA,
        "granitemoehybrid": LLAMA,
        "kimi_k2": _DEEPSEEK3,
        "kimi_k25": _DEEPSEEK3,
        "kimi_k3": Tensors(gated_queries=True, router_correction=True),
        "kimi_linear": _DEEPSEEK3,
        "llama": LLAMA,
        "llama4": LLAMA,
        "llava_next": LLAMA,
        "minimax_m3": Tensors(query_key_norm="head", router_correction=True),
        "minimax_m2": Tensors(query_key_norm="all", router_correction=True),
        "mistral": LLAMA,
        "mistral3": LLAMA,
        "mistral4": LLAMA,
        "mistral_large_3": LLAMA,
        "mixtral": LLAMA,
        "mllama": Tensors(extra_embedding_rows=8),
        # every layer is one thing, attention, state space, MLP or mixture, behind one norm
        "nemotron_h": Tensors(norms=1, gated_mlp=False),
        "olmo2": _OLMO,
        "olmo3": _OLMO,
        "opt": Tensors(
            norm_bias=True, qkv_bias=True, output_bias=True, gated_mlp=False, mlp_bias=True, position_offset=2
        ),
        "phi": Tensors(
            norms=1, norm_bias=True, qkv_bias=True, output_bias=True, gated_mlp=False, mlp_bias=True, head_bias=True
        ),
        "phi3": LLAMA,
        "phimoe": Tensors(norm_bias=True, qkv_bias=True, output_bias=True, head_bias=True),
        "qwen2": _QWEN2,
        "qwen2_5_vl": _QWEN2,
        "qwen2_moe": Tensors(qkv_bias=True, shared_gate=True),
        "qwen2_vl": _QWEN2,
        "qwen3": _QWEN3,
        "qwen3_5": _QWEN35,
        "qwen3_5_moe": _QWEN3_NEXT,
        "qwen3_moe": _QWEN3,
        "qwen3_next": _QWEN3_NEXT,
        "qwen3_vl": _QWEN3,
        "qwen3_vl_moe": _QWEN3,
        "seed_oss": _QWEN2,
        "smollm3": LLAMA,
    }
)
"""By ``model_type``, that of the wrapper for models with images."""


def count_parameters(shape: Shape, tensors: Tensors | None = None) -> ParameterCounts:
    """The elements of each role, by the tensors of the architecture unless a configuration said otherwise."""
    tensors = tensors or tensors_of(shape.architecture)
    experts = shape.experts
    mixture = experts.layers if experts else 0
    return ParameterCounts(
        embedding=_embedding(shape, tensors),
        head=_head(shape, tensors),
        layer_embeddings=(shape.layer_embedding_rows or shape.vocab_size) * _layer_embedding_widths(shape),
        norms=_norms(shape, tensors),
        attention=sum(group.count * _attention(shape, tensors, group.keeps) for group in shape.layers),
        kv_projections=sum(group.count * _kv_projections(shape, tensors, group.keeps) for group in shape.layers),
        latent_projections=sum(group.count * _latent_projections(shape, group.keeps) for group in shape.layers)
        + 3 * shape.hidden_size * _layer_embedding_widths(shape),
        recurrent=sum(group.count * _recurrent(shape, group.keeps) for group in shape.layers),
        dense_mlp=dense_layers(shape) * _dense_mlp(shape, tensors),
        routed_experts=mixture * _routed_experts(shape, tensors),
        shared_experts=mixture * _shared_experts(shape, tensors),
        routers=mixture * _router(shape, tensors),
        vision=shape.vision_params,
        mtp=shape.mtp_params,
    )


def tensors_of(architecture: str) -> Tensors:
    """What an architecture's code has, Llama's for one that is not known."""
    return TENSORS.get(architecture, LLAMA)


def dense_layers(shape: Shape) -> int:
    """Layers with an MLP that is no mixture."""
    if shape.dense_layers is not None:
        return shape.dense_layers
    return shape.num_hidden_layers - (shape.experts.layers if shape.experts else 0)


def prediction_layer_parameters(shape: Shape, tensors: Tensors | None = None) -> int:
    """Elements of one multi-token-prediction layer as DeepSeek-V3 and GLM-4 store it.

    That is a layer like the last one, the projection that joins the two hidden states, three norms, and mostly an
    embedding and a head of its own.
    """
    tensors = tensors or tensors_of(shape.architecture)
    keeps = _attention_of_prediction(shape)
    attention = _attention(shape, tensors, keeps) + _kv_projections(shape, tensors, keeps)
    attention += _latent_projections(shape, keeps) + _attention_norms(shape, tensors, keeps)
    attention += tensors.norms * shape.hidden_size
    mlp = _dense_mlp(shape, tensors)
    if shape.experts:
        mlp = _routed_experts(shape, tensors) + _shared_experts(shape, tensors) + _router(shape, tensors)
    joined = 2 * shape.hidden_size**2 + 3 * shape.hidden_size
    own = 2 * shape.vocab_size * shape.hidden_size * tensors.prediction_embeddings
    return attention + mlp + joined + own


def _attention_of_prediction(shape: Shape) -> Keeps:
    """That of the layer's kind which sees the whole context by itself: with an indexer of its own, where there are."""
    kinds = [group.keeps for group in shape.layers]
    latent = [keeps for keeps in kinds if isinstance(keeps, LatentAttention)]
    if latent:
        return max(latent, key=lambda keeps: keeps.indexer_dim)
    return next((keeps for keeps in kinds if isinstance(keeps, FullAttention)), kinds[-1])


def _embedding(shape: Shape, tensors: Tensors) -> int:
    rows = shape.vocab_size + tensors.extra_embedding_rows
    if tensors.position_offset is not None:
        rows += (shape.max_position_embeddings or 0) + tensors.position_offset
    return rows * shape.hidden_size


def _head(shape: Shape, tensors: Tensors) -> int:
    if shape.tie_word_embeddings:
        return 0
    return shape.vocab_size * (shape.hidden_size + tensors.head_bias)


def _norms(shape: Shape, tensors: Tensors) -> int:
    vectors = (tensors.norms * shape.num_hidden_layers + 1) * shape.hidden_size * (1 + tensors.norm_bias)
    own = sum(group.count * _attention_norms(shape, tensors, group.keeps) for group in shape.layers)
    mixture = shape.experts.layers if shape.experts else 0
    return (
        vectors
        + own
        + mixture * tensors.mixture_norms * shape.hidden_size
        + shape.num_hidden_layers * tensors.layer_scalar
        + _layer_embedding_norms(shape)
    )


def _layer_embedding_widths(shape: Shape) -> int:
    """Elements of all layers together. A projection of the hidden state gives as many again; each layer has a gate that
    projects down to its part, and a projection up again (transformers ``models/gemma4``)."""
    return shape.num_hidden_layers * shape.layer_embedding_width


def _layer_embedding_norms(shape: Shape) -> int:
    """One behind the projection up in each layer, and one of a layer's width for all."""
    if not shape.layer_embedding_width:
        return 0
    return shape.num_hidden_layers * shape.hidden_size + shape.layer_embedding_width


def _attention_norms(shape: Shape, tensors: Tensors, keeps: Keeps) -> int:
    """Norms and other small vectors inside one layer's attention."""
    match keeps:
        case LatentAttention():
            # an indexer's norm on its keys has a bias
            return keeps.rank + (keeps.query_rank or 0) + 2 * keeps.indexer_dim
        case CrossAttention():
            # a norm on queries and one on keys, a gate behind the attention and one behind the MLP
            return 2 * keeps.head_dim + 2
        case GatedDeltaNet():
            # decay and step bias a head, a norm as wide as a head's value
            return 2 * keeps.value_heads + keeps.value_dim
        case FullAttention() | WindowAttention():
            heads = shape.num_attention_heads
            width = {"none": 0, "head": 2, "all": heads + keeps.kv_heads}[tensors.query_key_norm] * keeps.head_dim
            # an indexer has a norm on its queries and one on its keys
            indexer = 2 * keeps.indexer_dim if isinstance(keeps, FullAttention) else 0
            return width + indexer + heads * tensors.sinks
        case Mamba2():
            # decay, step bias and skip a head, a norm over all of them
            return 3 * keeps.heads + keeps.heads * keeps.head_dim
        case RecurrentState():
            return 0


def _attention(shape: Shape, tensors: Tensors, keeps: Keeps) -> int:
    heads, hidden = shape.num_attention_heads, shape.hidden_size
    match keeps:
        case FullAttention() | WindowAttention():
            queries, values = heads * keeps.head_dim, heads * (keeps.value_dim or keeps.head_dim)
            weights = hidden * (queries * (1 + tensors.gated_queries) + values)
            return weights + queries * tensors.qkv_bias + hidden * tensors.output_bias
        case CrossAttention():
            return 2 * hidden * heads * keeps.head_dim
        case LatentAttention():
            queries = (keeps.query_rank or hidden) * heads * (keeps.nope_dim + keeps.rope_dim)
            queries += hidden * heads * keeps.value_dim * tensors.gated_queries
            return queries + heads * (keeps.rank * (keeps.nope_dim + keeps.value_dim) + keeps.value_dim * hidden)
        case _:
            return 0


def _kv_projections(shape: Shape, tensors: Tensors, keeps: Keeps) -> int:
    inputs = shape.hidden_size + tensors.qkv_bias
    match keeps:
        case FullAttention(keys_are_values=True):
            return inputs * keeps.kv_heads * keeps.head_dim
        case FullAttention() | WindowAttention():
            return inputs * keeps.kv_heads * (keeps.head_dim + (keeps.value_dim or keeps.head_dim))
        case CrossAttention():
            return 2 * shape.hidden_size * keeps.kv_heads * keeps.head_dim
        case _:
            return 0


def _latent_projections(shape: Shape, keeps: Keeps) -> int:
    if isinstance(keeps, FullAttention):
        # an indexer: keys and queries
        return shape.hidden_size * keeps.indexer_dim * (1 + keeps.indexer_heads)
    if not isinstance(keeps, LatentAttention):
        return 0
    down = shape.hidden_size * (keeps.rank + keeps.rope_dim + (keeps.query_rank or 0))
    # an indexer: queries, keys for all its heads together, and a weight a head
    queries = (keeps.query_rank or shape.hidden_size) * keeps.indexer_heads * keeps.indexer_dim
    return down + queries + shape.hidden_size * (keeps.indexer_dim + keeps.indexer_heads)


def _recurrent(shape: Shape, keeps: Keeps) -> int:
    match keeps:
        case RecurrentState():
            return keeps.parameters
        case GatedDeltaNet():
            keys, values = keeps.key_heads * keeps.key_dim, keeps.value_heads * keeps.value_dim
            # queries, keys, values and the gate in; two scalars a value head; the convolution; the way out
            projected = shape.hidden_size * (2 * keys + 2 * values + 2 * keeps.value_heads)
            return projected + (2 * keys + values) * keeps.conv_kernel + values * shape.hidden_size
        case Mamba2():
            inner, states = keeps.heads * keeps.head_dim, 2 * keeps.groups * keeps.state_dim
            projected = shape.hidden_size * (2 * inner + states + keeps.heads + inner)
            # the convolution has a bias
            return projected + (inner + states) * (keeps.conv_kernel + 1)
        case _:
            return 0


def _matrices(tensors: Tensors) -> int:
    """An MLP's way up, its gate, its way down."""
    return 3 if tensors.gated_mlp else 2


def _dense_mlp(shape: Shape, tensors: Tensors) -> int:
    matrices = _matrices(tensors)
    biases = (matrices - 1) * shape.intermediate_size + shape.hidden_size
    return matrices * shape.hidden_size * shape.intermediate_size + biases * tensors.mlp_bias


def _routed_experts(shape: Shape, tensors: Tensors) -> int:
    if shape.experts is None:
        return 0
    width, inputs = shape.experts.intermediate_size, shape.experts.input_size or shape.hidden_size
    biases = (2 * width + inputs) * tensors.expert_bias
    return shape.experts.count * (_matrices(tensors) * inputs * width + biases)


def _shared_experts(shape: Shape, tensors: Tensors) -> int:
    if shape.experts is None:
        return 0
    # every token goes through the projections of a latent mixture, down and up
    projected = 2 * (shape.experts.input_size or 0)
    if not shape.experts.shared_width:
        return shape.hidden_size * projected
    return shape.hidden_size * (_matrices(tensors) * shape.experts.shared_width + tensors.shared_gate + projected)


def _router(shape: Shape, tensors: Tensors) -> int:
    if shape.experts is None:
        return 0
    return shape.experts.count * (shape.hidden_size + tensors.expert_bias + tensors.router_correction)
