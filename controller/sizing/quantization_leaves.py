"""Which of a quantized model's linear layers its tool left in 16 bit, from the names that it was told to leave alone.

Tools write module names (``model.layers.7.self_attn.o_proj``), names with a star behind or before, or regular
expressions behind ``re:``. A name with a layer's number counts for that layer, one without for all of them. What is in
16 bit anyway (embedding, head, norms, routers, an image encoder) says nothing.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from controller.sizing.facts import (
    FullAttention,
    GatedDeltaNet,
    Keeps,
    LatentAttention,
    LeftOut,
    LinearRole,
    Mamba2,
    RecurrentState,
    Shape,
    WindowAttention,
)
from controller.sizing.parameters import dense_layers

_NO_LINEAR: Final = re.compile(
    r"vision|visual|image|embed|head\W*$|lm_head|norm|conv1d|router|gate\W*$|e_score|weights_proj|indexers_proj"
    r"|multi_modal|patch_merge|mm_proj"
)
"""Names of what is in 16 bit anyway, or too small to matter. An MLP's gate is a ``gate_proj``, a router a ``gate``."""

_LAYER: Final = re.compile(r"\.layers\.(\d{1,5})(?!\d)")
_WHOLE_LAYER: Final = re.compile(r"\.layers\.\d{1,5}\W*$")
_WHOLE_MLP: Final = re.compile(r"(mlp|ffn|feed_forward)\W*$")

_ROLES: Final[tuple[tuple[LinearRole, re.Pattern[str]], ...]] = (
    ("shared_experts", re.compile(r"shared_expert")),
    ("routed_experts", re.compile(r"experts")),
    ("recurrent", re.compile(r"linear_attn|mamba|mixer\.(in|out)_proj")),
    ("latent_projections", re.compile(r"q_a_proj|kv_a_proj|indexer")),
    ("kv_projections", re.compile(r"k_proj|v_proj")),
    ("attention", re.compile(r"attn|attention|q_proj|o_proj|q_b_proj|kv_b_proj")),
    ("dense_mlp", re.compile(r"mlp|ffn|feed_forward|(up|down)_proj")),
)
"""The first that fits tells the role."""

_ALL_ATTENTION: Final[tuple[LinearRole, ...]] = ("attention", "kv_projections", "latent_projections")
_PARTS: Final = ("q_a_proj", "kv_a_proj", "indexer", "q_b_proj", "kv_b_proj", "q_proj", "o_proj", "k_proj", "v_proj")
_WHOLE: Final = ""


def left_out(names: Iterable[str], shape: Shape) -> tuple[LeftOut, ...]:
    """The share of each role that these names leave in 16 bit; roles of which nothing is left are not among them."""
    found: dict[tuple[LinearRole, str], set[int]] = defaultdict(set)
    everywhere: set[tuple[LinearRole, str]] = set()
    for name in names:
        layer = _LAYER.search(name)
        for key in _keys(name, int(layer[1]) if layer else -1, shape):
            if layer:
                found[key].add(int(layer[1]))
            else:
                everywhere.add(key)
    of = _layers_by_role(shape)
    shares: dict[LinearRole, float] = defaultdict(float)
    for role, part in {*found, *everywhere}:
        named = of[role] if (role, part) in everywhere else len(found[role, part])
        if of[role]:
            shares[role] += _part_share(shape, part) * min(1.0, named / of[role])
    return tuple(LeftOut(role, min(1.0, round(share, 6))) for role, share in sorted(shares.items()) if share)


def present_roles(shape: Shape) -> frozenset[LinearRole]:
    """The roles that a model of that shape has."""
    return frozenset(role for role, layers in _layers_by_role(shape).items() if layers)


def _keys(name: str, layer: int, shape: Shape) -> Iterator[tuple[LinearRole, str]]:
    """The roles that a name speaks of, and which part of attention."""
    if "mtp" in name or layer >= shape.num_hidden_layers:
        if "mtp" in name or _WHOLE_LAYER.search(name):
            yield "mtp", _WHOLE
    elif _WHOLE_LAYER.search(name):
        yield from ((role, _WHOLE) for role in _of_layer(layer, shape))
    elif not _NO_LINEAR.search(name):
        yield from _of_module(name, shape)


def _of_layer(layer: int, shape: Shape) -> Iterator[LinearRole]:
    """The roles in a whole layer. Where some are a mixture and some are not, the latter come first."""
    mixed = shape.experts is not None and 0 < dense_layers(shape) < shape.num_hidden_layers
    absent: set[LinearRole] = {"mtp"}
    if mixed:
        absent |= {"shared_experts", "routed_experts"} if layer < dense_layers(shape) else {"dense_mlp"}
    yield from (role for role, _ in _ROLES if role not in absent)


def _of_module(name: str, shape: Shape) -> Iterator[tuple[LinearRole, str]]:
    role = next((role for role, pattern in _ROLES if pattern.search(name)), None)
    if role is None:
        return
    part = next((part for part in _PARTS if part in name), _WHOLE) if role in _ALL_ATTENTION else _WHOLE
    if role == "attention" and part == _WHOLE:
        yield from ((each, _WHOLE) for each in _ALL_ATTENTION)
        if _count(shape, RecurrentState):
            yield "recurrent", _WHOLE  # Kimi's delta attention and Gemma's shared layers are called attention
    else:
        yield role, part
    # in Gemma 4 the experts stand beside the MLP, else within it
    if role == "dense_mlp" and shape.architecture != "gemma4" and _WHOLE_MLP.search(name):
        yield "shared_experts", _WHOLE
        yield "routed_experts", _WHOLE


def _layers_by_role(shape: Shape) -> Mapping[LinearRole, int]:
    """How many layers have something of each role."""
    mixture = shape.experts.layers if shape.experts else 0
    return {
        "mtp": 1 if shape.mtp_params else 0,
        "shared_experts": mixture if shape.experts and shape.experts.shared_width else 0,
        "routed_experts": mixture,
        "recurrent": _count(shape, GatedDeltaNet, Mamba2, RecurrentState),
        "latent_projections": _count(shape, LatentAttention),
        "kv_projections": _count(shape, FullAttention, WindowAttention),
        "attention": _count(shape, FullAttention, WindowAttention, LatentAttention),
        "dense_mlp": dense_layers(shape),
    }


def _count(shape: Shape, *kinds: type[Keeps]) -> int:
    return sum(
        group.count
        for group in shape.layers
        if isinstance(group.keeps, kinds)
        and not (isinstance(group.keeps, RecurrentState) and not group.keeps.parameters)
    )


def _part_share(shape: Shape, part: str) -> float:
    """The share a projection has of its role."""
    if part == _WHOLE:
        return 1.0
    latent = next((group.keeps for group in shape.layers if isinstance(group.keeps, LatentAttention)), None)
    if latent is None:
        return 0.5  # queries in, values out; keys, values: mostly equally wide
    heads, hidden, queries = shape.num_attention_heads, shape.hidden_size, latent.query_rank or shape.hidden_size
    of_heads = {
        "q": queries * heads * (latent.nope_dim + latent.rope_dim),
        "kv_b_proj": latent.rank * heads * (latent.nope_dim + latent.value_dim),
        "o_proj": latent.value_dim * heads * hidden,
    }
    down = {
        "q_a_proj": hidden * (latent.query_rank or 0),
        "kv_a_proj": hidden * (latent.rank + latent.rope_dim),
        "indexer": latent.indexer_dim * (queries * latent.indexer_heads + hidden),
    }
    name = "q" if part in ("q_proj", "q_b_proj") else part
    return next((widths[name] / sum(widths.values()) for widths in (of_heads, down) if name in widths), 1.0)
