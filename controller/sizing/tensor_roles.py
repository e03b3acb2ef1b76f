"""What a tensor of a checkpoint is for, by its name, and tensors of many layers and experts counted together.

Names are those of transformers' model files and of the tools that quantize them; whatever fits no rule is `OTHER`.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cached_property
from typing import Final

from controller.sizing.facts import ParameterCounts
from controller.sizing.safetensors import StoredTensor


class Role(StrEnum):
    """The roles of `facts.ParameterCounts`, and scales, which quantizing adds to the elements."""

    SCALES = "scales"
    VISION = "vision"
    MTP = "mtp"
    EMBEDDING = "embedding"
    HEAD = "head"
    ROUTERS = "routers"
    SHARED_EXPERTS = "shared_experts"
    ROUTED_EXPERTS = "routed_experts"
    NORMS = "norms"
    LATENT_PROJECTIONS = "latent_projections"
    KV_PROJECTIONS = "kv_projections"
    RECURRENT = "recurrent"
    ATTENTION = "attention"
    DENSE_MLP = "dense_mlp"
    OTHER = "other"


_RULES: Final = tuple(
    (role, re.compile(pattern))
    for role, pattern in (
        (Role.VISION, r"vision|visual|image|mm_projector|multi_modal_projector|patch_merger|audio"),
        (Role.MTP, r"(^|\.)mtp\.|\.(eh_proj|enorm|hnorm|shared_head)\."),
        (
            Role.SCALES,
            r"(_scale|_scale_2|_scale_inv|_scales|scales|qzeros|g_idx|zero_point|weight_shape|absmax|quant_map)$",
        ),
        (Role.SCALES, r"quant_state|nested_|\.SCB$|weight_format$"),
        (Role.EMBEDDING, r"embed_tokens|(^|\.)(wte|wpe|embed_in|tok_embeddings|word_embeddings|embed_positions)\."),
        (Role.HEAD, r"^(language_model\.)?(lm_head|embed_out|output)\."),
        (Role.ROUTERS, r"(^|\.)(router|gate)\.(weight|bias|proj|e_score)|e_score_correction_bias|router\."),
        (Role.SHARED_EXPERTS, r"shared_expert"),
        (Role.ROUTED_EXPERTS, r"experts"),
        (Role.RECURRENT, r"linear_attn|mamba|conv1d|\.A_log|dt_bias|\.ssm"),
        (Role.NORMS, r"norm|(^|\.)ln_|sinks|layer_scalar"),
        (Role.LATENT_PROJECTIONS, r"q_a_proj|kv_a_proj|indexer"),
        (Role.KV_PROJECTIONS, r"\.(k_proj|v_proj)\."),
        (Role.ATTENTION, r"attn|attention"),
        (Role.DENSE_MLP, r"mlp|feed_forward|ffn"),
    )
)
"""The first rule that fits tells the role."""

FOUR_BITS: Final = 4

_LAYER: Final = re.compile(r"(?:^|\.)(?:layers|h|blocks|block)\.(\d{1,5})\.")
_NUMBER: Final = re.compile(r"(?<=\.)\d{1,6}(?=\.)")
_LAST_NUMBER: Final = re.compile(r"(.*\.)(\d{1,6})(\..*)", re.DOTALL)
_NUMBERS_A_LAYER: Final = re.compile(r"(?:^|\.)(?:layers|h|blocks|block)\.$")


def role_of(name: str) -> Role:
    """What the tensor of that name is for."""
    return next((role for role, pattern in _RULES if pattern.search(name)), Role.OTHER)


@dataclass(frozen=True, slots=True)
class TensorKind:
    """Tensors that differ in their expert's number only. ``name`` has ``*`` for numbers, ``layer`` is -1 outside."""

    name: str
    layer: int
    dtype: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def role(self) -> Role:
        """What they are for."""
        return role_of(self.name)

    def elements(self, packed_bits: int = FOUR_BITS) -> int:
        """Weights that one stands for: so many bits each in wide integers, four in bytes (mxfp4, bitsandbytes)."""
        if self.dtype in ("I32", "U32"):
            return self.bytes * 8 // packed_bits
        if self.dtype == "U8" and self.name.endswith(("_blocks", "weight", "packed")):
            return self.bytes * 2
        return math.prod(self.shape)


MAX_KINDS: Final = 50_000
"""Kinds of a whole checkpoint: the largest published ones have some thousand, a few dozen in each layer."""


class _Numbers:
    """Takes numbers out of tensors' names: all but the last one are those of many tensors, and looked at once."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[str, int | None]] = {}

    def without(self, name: str) -> tuple[str, int]:
        """The name with ``*`` for the numbers within it, and the number of its layer, -1 outside."""
        last = _LAST_NUMBER.fullmatch(name)
        if last is None:
            return name, -1
        before, number, behind = last.groups()
        known = self._before.get(before)
        if known is None:
            known = self._before[before] = _NUMBER.sub("*", before), _layer_before(before)
        return f"{known[0]}*{behind}", int(number) if known[1] is None else known[1]


def _layer_before(start: str) -> int | None:
    """The layer that the start of a name says, -1 for none; None: the number that comes next is it."""
    layer = _LAYER.search(start)
    if layer:
        return int(layer[1])
    return None if _NUMBERS_A_LAYER.search(start) else -1


class TensorTally:
    """The tensors of a checkpoint, counted by kind: so a trillion parameters take no more memory than a billion."""

    def __init__(self) -> None:
        # as tuples, which cost a quarter: a checkpoint has hundreds of thousands of tensors of some thousand kinds
        self._counted: dict[tuple[str, int, str, tuple[int, ...], int], int] = {}

    def add(self, tensors: Iterable[StoredTensor]) -> None:
        """Count the tensors of one more file."""
        counted, without = self._counted, _Numbers().without
        for tensor in tensors:
            name, layer = without(tensor.name)
            key = (name, layer, tensor.dtype, tensor.shape, tensor.bytes)
            counted[key] = counted.get(key, 0) + 1
        self.__dict__.pop("_kinds", None)

    @cached_property
    def _kinds(self) -> Counter[TensorKind]:
        return Counter({TensorKind(*key): count for key, count in self._counted.items()})

    def items(self) -> Iterable[tuple[TensorKind, int]]:
        """Each kind and how many tensors are of it."""
        return self._kinds.items()

    @property
    def tensors(self) -> int:
        """How many tensors there are."""
        return sum(self._counted.values())

    @property
    def kinds(self) -> int:
        """How many kinds of them there are."""
        return len(self._counted)

    @property
    def bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(kind.bytes * count for kind, count in self._kinds.items())

    def layers(self) -> Mapping[int, list[tuple[TensorKind, int]]]:
        """The kinds of each decoder layer, and how many of each, image encoders and predicting layers left out."""
        found: dict[int, list[tuple[TensorKind, int]]] = defaultdict(list)
        for kind, count in self._kinds.items():
            if kind.layer >= 0 and kind.role not in (Role.VISION, Role.MTP):
                found[kind.layer].append((kind, count))
        return found

    def embedding(self) -> TensorKind | None:
        """The largest matrix that is an input embedding: a row a word. None: there is none."""
        found = [kind for kind in self._kinds if kind.role is Role.EMBEDDING and len(kind.shape) == 2]
        return max(found, key=lambda kind: kind.bytes, default=None)

    def counts(self, packed_bits: int = FOUR_BITS) -> ParameterCounts:
        """Elements by role, those packed into integers unpacked, scales left out."""
        found = Counter[str]()
        for kind, count in self._kinds.items():
            if kind.role is not Role.SCALES:
                found[kind.role.value] += kind.elements(packed_bits) * count
        names = {field.name for field in fields(ParameterCounts)}
        return ParameterCounts(**{name: amount for name, amount in found.items() if name in names})

    def bytes_of(self, role: Role) -> int:
        """Bytes of all tensors of that role."""
        return sum(kind.bytes * count for kind, count in self._kinds.items() if kind.role is role)
