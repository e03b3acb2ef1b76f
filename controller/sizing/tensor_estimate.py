"""The facts of a model of an unknown architecture, estimated from the tensors of its checkpoint alone.

They tell what is stored to the byte, and how wide the keys and values of a layer are. What their names and shapes do
not tell is taken on the safe side; the facts say so by their architecture, `parameters.UNKNOWN_ARCHITECTURE`.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal

from controller.sizing.facts import (
    Checkpoint,
    Experts,
    FullAttention,
    Keeps,
    LatentAttention,
    LayerGroup,
    Method,
    ModelFacts,
    Quantization,
    Shape,
    Source,
)
from controller.sizing.model_file_errors import ModelFileError
from controller.sizing.parameters import UNKNOWN_ARCHITECTURE
from controller.sizing.tensor_roles import Role, TensorKind, TensorTally

_DTYPES: Final[Mapping[str, Literal["bfloat16", "float16", "float32"]]] = {
    "BF16": "bfloat16",
    "F16": "float16",
    "F32": "float32",
}

_EXPERTS_A_TOKEN: Final = 8
"""Experts of a token where nothing tells: most mixtures choose 1 to 8. It moves the activation peak only."""

_HEAD_DIM: Final = 128
"""Elements of a head where no norm tells: it divides query heads among ranks, no bytes depend on it."""

_Kinds = list[tuple[TensorKind, int]]


def estimated_facts(tally: TensorTally, directory: str, model_id: str) -> ModelFacts:
    """Facts of a model of an unknown architecture. Raises ModelFileError for tensors that tell too little."""
    kinds = list(tally.items())
    embedding = tally.embedding()
    if embedding is None:
        problem = "holds no embedding among its tensors"
        raise ModelFileError(directory, "", None, problem, "name the directory of a whole language model")
    layers = _layer_groups(tally, directory)
    counts = tally.counts()
    # scales are in memory as well; two bytes each is what stays in 16 bit
    counts = replace(counts, other=counts.other + tally.bytes_of(Role.SCALES) // 2)
    shape = Shape(
        architecture=UNKNOWN_ARCHITECTURE,
        hidden_size=embedding.shape[1],
        intermediate_size=_mlp_width(kinds, Role.DENSE_MLP, embedding.shape[1]),
        num_attention_heads=_query_heads(kinds),
        vocab_size=embedding.shape[0],
        tie_word_embeddings=not counts.head,
        max_position_embeddings=None,
        layers=layers,
        experts=_experts(kinds, embedding.shape[1]),
        vision_params=counts.vision,
        mtp_params=counts.mtp,
        rope_rows=0,
    )
    sources = (
        Source("shape", f"{directory}: names and shapes of its tensors, as the architecture is not known", "derived"),
        Source("checkpoint", f"the safetensors headers in {directory}", "read"),
    )
    return ModelFacts(model_id, shape, counts, _checkpoint(kinds, tally.bytes), sources)


def _layer_groups(tally: TensorTally, directory: str) -> tuple[LayerGroup, ...]:
    counted = Counter[Keeps]()
    for layer, tensors in tally.layers().items():
        state = next((kind.name for kind, _ in tensors if _RECURRENT.search(kind.name)), None)
        kept = None if state else _keeps(tensors)
        if kept is None:
            told = f"a recurrent state, as {state[:100]} tells" if state else "no keys and values of one attention"
            problem = f"keeps something that its tensors do not tell ({told})"
            remedy = "describe the model in a ModelProfile, with what each layer keeps"
            raise ModelFileError(directory, f"layer {layer}", None, problem, remedy)
        counted[kept] += 1
    if not counted:
        raise ModelFileError(directory, "", None, "holds no layers", "name the directory of a whole language model")
    return tuple(LayerGroup(count, kept) for kept, count in counted.items())


def _keeps(tensors: _Kinds) -> Keeps | None:
    """What a layer keeps of a sequence, by its projections of keys and values. None: nothing, or of two attentions."""
    shapes: dict[str, tuple[int, ...]] = {}
    for tensor, count in tensors:
        part = _projection(tensor)
        if part and tensor.shape:
            if part != "head_norm" and (count > 1 or part in shapes):
                return None
            # an indexer's keys may have a norm as well: of two the wider one, which makes fewer heads
            shapes[part] = max(tensor.shape, shapes.get(part, ()))
    if "latent" in shapes and "latent_norm" in shapes:
        rank = shapes["latent_norm"][0]
        rope = shapes["latent"][0] - rank
        if rope > 0:
            return LatentAttention(rank=rank, rope_dim=rope, nope_dim=_HEAD_DIM, value_dim=_HEAD_DIM)
    key, value = _rows(shapes, "key"), _rows(shapes, "value")
    if key and value:
        # the heads are not told: one is the safe side, as no rank holds less than a head
        head = shapes["head_norm"][0] if "head_norm" in shapes else key
        heads = key // head if head and key % head == 0 and value % (key // head or 1) == 0 else 1
        width = value // heads
        return FullAttention(heads, key // heads, None if width == key // heads else width)
    joined = _joined_width(shapes)
    # at most a third each is keys and values: with fewer KV heads than query heads it is less
    return FullAttention(1, -(-joined // 3)) if joined else None


def _joined_width(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """How many elements queries, keys and values are together; 0 where they are not joined.

    A linear layer stores a row for each, GPT-2's ``Conv1D`` a column; the longer side is the safe one.
    """
    return max(shapes["joined"]) if "joined" in shapes else _rows(shapes, "joined")


def _rows(shapes: Mapping[str, tuple[int, ...]], part: str) -> int:
    """How many elements a projection gives; 0 where it is not there.

    GPTQ and AWQ turn and pack its matrix, each another side: their scales are as wide as what it gives.
    """
    if part in shapes:
        return shapes[part][0]
    return shapes.get(f"{part}_scales", (0,))[-1]


_RECURRENT: Final = re.compile(
    r"A_log|conv1d|dt_bias|dt_proj|ssm|mamba|linear_attn|delta_net|rg_lru|recurrent|time_(decay|first|faaaa|mix|maa)"
)
"""Names of tensors that only layers with a state have: of Mamba, gated delta nets, RWKV, Griffin. Whatever else it
has, be it attention beside the state (Falcon-H1): how large the state is, tensors do not tell."""

_PROJECTIONS: Final = tuple(
    (part, re.compile(pattern))
    for part, pattern in (
        ("latent", r"kv_a_proj_with_mqa\.weight$"),
        ("latent_norm", r"kv_a_layernorm\.weight$"),
        ("head_norm", r"(k_norm|k_layernorm)\.weight$"),
        ("key", r"\.(k_proj|key)\.(weight|weight_packed)$"),
        ("key_scales", r"\.(k_proj|key)\.scales$"),
        ("value", r"\.(v_proj|value)\.(weight|weight_packed)$"),
        ("value_scales", r"\.(v_proj|value)\.scales$"),
        ("joined", r"\.(qkv_proj|query_key_value|c_attn|Wqkv|qkv)\.(weight|weight_packed)$"),
        ("joined_scales", r"\.(qkv_proj|query_key_value|c_attn|Wqkv|qkv)\.scales$"),
    )
)


def _projection(tensor: TensorKind) -> str:
    for part, pattern in _PROJECTIONS:
        if pattern.search(tensor.name):
            return part
    return ""


def _query_heads(kinds: _Kinds) -> int:
    rows = [kind.shape[0] for kind, _ in kinds if re.search(r"\.(q_proj|q_b_proj)\.weight$", kind.name) and kind.shape]
    return max(1, max(rows, default=0) // _HEAD_DIM)


def _mlp_width(kinds: _Kinds, role: Role, hidden: int) -> int:
    """The widest side of an MLP's matrices that is not the model's own; the model's where all are."""
    sides = {side for kind, _ in kinds if kind.role is role and len(kind.shape) >= 2 for side in kind.shape[-2:]}
    return max(sides - {hidden}, default=hidden if sides else 0)


def _experts(kinds: _Kinds, hidden: int) -> Experts | None:
    found = [(kind, count) for kind, count in kinds if kind.role is Role.ROUTED_EXPERTS and len(kind.shape) >= 2]
    if not found:
        return None
    layers = len({kind.layer for kind, _ in found})
    # either a tensor an expert, or one for all of them with a side for their number
    most = max(kind.shape[0] if len(kind.shape) > 2 else count for kind, count in found)
    width = max(1, _mlp_width(kinds, Role.ROUTED_EXPERTS, hidden))
    return Experts(layers, most, min(most, _EXPERTS_A_TOKEN), width, _mlp_width(kinds, Role.SHARED_EXPERTS, hidden))


def _checkpoint(kinds: _Kinds, stored: int) -> Checkpoint:
    plain = Counter[str]()
    for kind, count in kinds:
        if kind.dtype in _DTYPES and kind.role is not Role.SCALES:
            plain[kind.dtype] += kind.bytes * count
    dtype = _DTYPES[plain.most_common(1)[0][0]] if plain else "bfloat16"
    return Checkpoint(dtype, _quantization(kinds), stored)


def _quantization(kinds: _Kinds) -> Quantization | None:
    """The quantization that the types of the linear layers show, None for plain ones."""
    found = Counter[Method]()
    plain = 0
    # in bytes with two elements each are mxfp4 and nvfp4; only the latter has a scale of the whole tensor besides
    whole = any(_OF_WHOLE_TENSOR.search(kind.name) for kind, _ in kinds)
    for kind, count in kinds:
        if kind.role in (Role.SCALES, Role.EMBEDDING, Role.HEAD, Role.NORMS, Role.ROUTERS, Role.VISION):
            continue
        method = _method(kind)
        if method:
            found["nvfp4" if whole and method == "mxfp4" else method] += kind.elements() * count
        else:
            plain += kind.elements() * count
    if not found or found.total() < plain / 10:
        return None
    attention = any(_method(kind) for kind, _ in kinds if kind.role in (Role.ATTENTION, Role.KV_PROJECTIONS))
    return Quantization(method=found.most_common(1)[0][0], covers="linear" if attention else "experts")


_OF_WHOLE_TENSOR: Final = re.compile(r"weight_(scale_2|global_scale)$")
"""Scales of ModelOpt's and llm-compressor's nvfp4."""


def _method(kind: TensorKind) -> Method | None:
    if kind.dtype.startswith("F8_E"):
        return "fp8"
    if kind.dtype == "I8":
        return "int8"
    if kind.dtype in ("I32", "U32"):
        return "int4"
    return "mxfp4" if kind.dtype == "U8" else None
