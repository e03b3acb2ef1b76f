"""From the tensors of a checkpoint to the facts of a model: exact beside its config.json, else an estimate.

With a configuration that is understood, the shape is its, the bytes are the tensors', and the two must agree. Without
one, or with one of an unknown architecture, the tensors alone tell what is stored to the byte, and how wide the keys
and values of a layer are; what their names and shapes do not tell is taken on the safe side, and the facts say so.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Final, Literal

import msgspec

from controller.sizing.facts import (
    Checkpoint,
    Experts,
    FullAttention,
    Keeps,
    LatentAttention,
    LayerGroup,
    Method,
    ModelFacts,
    ParameterCounts,
    Quantization,
    Shape,
    Source,
)
from controller.sizing.model_file_errors import ModelFileError
from controller.sizing.parameters import UNKNOWN_ARCHITECTURE
from controller.sizing.tensor_roles import Role, TensorKind, TensorTally

_TOLERANCE: Final = 0.01
"""Share by which stored elements may differ from the configuration's: a second copy of a tied head is told apart."""

_REMEDY: Final = "take config.json and tensors of the same model"

_DTYPES: Final[Mapping[str, Literal["bfloat16", "float16", "float32"]]] = {
    "BF16": "bfloat16",
    "F16": "float16",
    "F32": "float32",
}

_EXPERTS_A_TOKEN: Final = 8
"""Experts of a token where nothing tells: most mixtures choose 1 to 8. It moves the activation peak only."""

_HEAD_DIM: Final = 128
"""Elements of a head where no norm tells: it divides query heads among ranks, no bytes depend on it."""


def with_tensors(facts: ModelFacts, tally: TensorTally, directory: str) -> ModelFacts:
    """Facts of a configuration, with the bytes of its tensors. Raises ModelFileError where the two contradict."""
    _refuse_contradiction(facts, tally, directory)
    checkpoint = msgspec.structs.replace(facts.checkpoint, bytes=tally.bytes)
    source = Source("checkpoint", f"the safetensors headers in {directory}", "read")
    return replace(facts, checkpoint=checkpoint, sources=(*facts.sources, source))


def estimated_facts(tally: TensorTally, directory: str, model_id: str) -> ModelFacts:
    """Facts of a model of an unknown architecture. Raises ModelFileError for tensors that tell too little."""
    kinds = list(tally.items())
    embedding = _embedding(kinds, directory)
    layers = _layer_groups(kinds, directory)
    counts = _counts(kinds)
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
    return ModelFacts(model_id, shape, counts, _checkpoint(kinds, tally), sources)


_Kinds = list[tuple[TensorKind, int]]


def _embedding(kinds: _Kinds, directory: str) -> TensorKind:
    found = [kind for kind, _ in kinds if kind.role is Role.EMBEDDING and len(kind.shape) == 2]
    if not found:
        problem = "holds no embedding among its tensors"
        raise ModelFileError(directory, "", None, problem, "name the directory of a whole language model")
    return max(found, key=lambda kind: kind.bytes)


def _of_layers(kinds: _Kinds) -> dict[int, list[TensorKind]]:
    """The tensors of each decoder layer."""
    layers: dict[int, list[TensorKind]] = defaultdict(list)
    for kind, _ in kinds:
        if kind.layer >= 0 and kind.role not in (Role.VISION, Role.MTP):
            layers[kind.layer].append(kind)
    return layers


def _layer_groups(kinds: _Kinds, directory: str) -> tuple[LayerGroup, ...]:
    counted = Counter[Keeps]()
    for layer, tensors in _of_layers(kinds).items():
        kept = _keeps(tensors)
        if kept is None:
            problem = "keeps something that its tensors do not tell (no keys and values of attention)"
            remedy = "describe the model in a ModelProfile, with what each layer keeps"
            raise ModelFileError(directory, f"layer {layer}", None, problem, remedy)
        counted[kept] += 1
    if not counted:
        raise ModelFileError(directory, "", None, "holds no layers", "name the directory of a whole language model")
    return tuple(LayerGroup(count, kept) for kept, count in counted.items())


def _keeps(tensors: Iterable[TensorKind]) -> Keeps | None:
    """What a layer keeps of a sequence, from the rows of its projections of keys and values."""
    rows = {}
    for tensor in tensors:
        part = _projection(tensor)
        if part and tensor.shape:
            rows[part] = tensor.shape
    if "latent" in rows and "latent_norm" in rows:
        rank = rows["latent_norm"][0]
        rope = rows["latent"][0] - rank
        if rope > 0:
            return LatentAttention(rank=rank, rope_dim=rope, nope_dim=_HEAD_DIM, value_dim=_HEAD_DIM)
    if "key" in rows and "value" in rows:
        key, value = rows["key"][0], rows["value"][0]
        # the heads are not told: one is the safe side, as no rank holds less than a head
        head = rows["head_norm"][0] if "head_norm" in rows else key
        heads = key // head if head and key % head == 0 and value % (key // head or 1) == 0 else 1
        width = value // heads
        return FullAttention(heads, key // heads, None if width == key // heads else width)
    if "joined" in rows:
        # at most a third each is keys and values: with fewer KV heads than query heads it is less
        return FullAttention(1, -(-rows["joined"][0] // 3))
    return None


_PROJECTIONS: Final = tuple(
    (part, re.compile(pattern))
    for part, pattern in (
        ("latent", r"kv_a_proj_with_mqa\.weight$"),
        ("latent_norm", r"kv_a_layernorm\.weight$"),
        ("head_norm", r"(k_norm|k_layernorm)\.weight$"),
        ("key", r"\.(k_proj|key)\.(weight|qweight|weight_packed)$"),
        ("value", r"\.(v_proj|value)\.(weight|qweight|weight_packed)$"),
        ("joined", r"\.(qkv_proj|query_key_value|c_attn|Wqkv|qkv)\.(weight|qweight|weight_packed)$"),
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


def _counts(kinds: _Kinds) -> ParameterCounts:
    """Elements by role, packed ones unpacked, scales left out."""
    found = Counter[str]()
    for kind, count in kinds:
        if kind.role is not Role.SCALES:
            found[kind.role.value] += _elements(kind) * count
    names = {field.name for field in fields(ParameterCounts)}
    return ParameterCounts(**{name: amount for name, amount in found.items() if name in names})


def _elements(kind: TensorKind) -> int:
    """Weights that a tensor stands for: four bits each in packed integers and in blocks of mxfp4."""
    if kind.dtype in ("I32", "U32") or (kind.dtype == "U8" and kind.name.endswith(("_blocks", "weight", "packed"))):
        return kind.bytes * 2
    elements = 1
    for side in kind.shape:
        elements *= side
    return elements


def _checkpoint(kinds: _Kinds, tally: TensorTally) -> Checkpoint:
    plain = Counter[str]()
    for kind, count in kinds:
        if kind.dtype in _DTYPES and kind.role is not Role.SCALES:
            plain[kind.dtype] += kind.bytes * count
    dtype = _DTYPES[plain.most_common(1)[0][0]] if plain else "bfloat16"
    return Checkpoint(dtype, _quantization(kinds), tally.bytes)


def _quantization(kinds: _Kinds) -> Quantization | None:
    """The quantization that the types of the linear layers show, None for plain ones."""
    found = Counter[Method]()
    plain = 0
    for kind, count in kinds:
        if kind.role in (Role.SCALES, Role.EMBEDDING, Role.HEAD, Role.NORMS, Role.ROUTERS, Role.VISION):
            continue
        method = _method(kind)
        if method:
            found[method] += _elements(kind) * count
        else:
            plain += _elements(kind) * count
    if not found or found.total() < plain / 10:
        return None
    attention = any(_method(kind) for kind, _ in kinds if kind.role in (Role.ATTENTION, Role.KV_PROJECTIONS))
    return Quantization(method=found.most_common(1)[0][0], covers="linear" if attention else "experts")


def _method(kind: TensorKind) -> Method | None:
    if kind.dtype.startswith("F8_E"):
        return "fp8"
    if kind.dtype == "I8":
        return "int8"
    if kind.dtype in ("I32", "U32"):
        return "int4"
    return "mxfp4" if kind.dtype == "U8" else None


def _refuse_contradiction(facts: ModelFacts, tally: TensorTally, directory: str) -> None:
    """Raises ModelFileError where the stored tensors cannot be those of the configuration."""
    kinds = list(tally.items())
    embedding, shape = _embedding(kinds, directory), facts.shape
    if embedding.shape[1] != shape.hidden_size:
        problem = f"contradicts {embedding.name}, which is {embedding.shape[1]} wide"
        raise ModelFileError(directory, "config.json: hidden_size", shape.hidden_size, problem, _REMEDY)
    if embedding.shape[0] < shape.vocab_size:
        problem = f"contradicts {embedding.name}, which has {embedding.shape[0]} rows"
        raise ModelFileError(directory, "config.json: vocab_size", shape.vocab_size, problem, _REMEDY)
    layers = len(_of_layers(kinds))
    if layers < shape.num_hidden_layers:
        problem = f"contradicts the tensors, which are of {layers} layers"
        raise ModelFileError(directory, "config.json: num_hidden_layers", shape.num_hidden_layers, problem, _REMEDY)
    stored, told = _counts(kinds).total, facts.total_params
    copied = facts.parameters.embedding if shape.tie_word_embeddings else 0
    if not told * (1 - _TOLERANCE) - shape.mtp_params <= stored <= told * (1 + _TOLERANCE) + copied:
        problem = f"has tensors of {stored} elements, its config.json makes {told}"
        raise ModelFileError(directory, "", None, problem, _REMEDY)
