"""What a tensor of a checkpoint is for, by its name, and tensors of many layers and experts counted together.

Names are those of transformers' model files and of the tools that quantize them; whatever fits no rule is `OTHER`.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

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
        (Role.SCALES, r"(_scale|_scale_inv|_scales|scales|qzeros|g_idx|zero_point|weight_shape|_absmax|quant_map)$"),
        (Role.SCALES, r"quant_state|nested_"),
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
