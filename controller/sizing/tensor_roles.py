"""What a tensor of a checkpoint is for, by its name, and tensors of many layers and experts counted together.

Names are those of transformers' model files and of the tools that quantize them; whatever fits no rule is `OTHER`.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
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


class TensorTally:
    """The tensors of a checkpoint, counted by kind: so a trillion parameters take no more memory than a billion."""

    def __init__(self) -> None:
        self._kinds: Counter[TensorKind] = Counter()

    def add(self, tensors: Iterable[StoredTensor]) -> None:
        """Count the tensors of one more file."""
        for tensor in tensors:
            layer = _LAYER.search(tensor.name)
            name = _NUMBER.sub("*", tensor.name)
            number = int(layer[1]) if layer else -1
            self._kinds[TensorKind(name, number, tensor.dtype, tensor.shape, tensor.bytes)] += 1

    def items(self) -> Iterable[tuple[TensorKind, int]]:
        """Each kind and how many tensors are of it."""
        return self._kinds.items()

    @property
    def tensors(self) -> int:
        """How many tensors there are."""
        return self._kinds.total()

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
