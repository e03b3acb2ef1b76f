"""Bytes the weights take in the memory of one rank, by precision.

What is loaded is every stored parameter, all experts of a mixture included, a tied head once, without
multi-token-prediction layers. Quantizing touches the linear layers only; kept in 16 bit are the embedding, the output
head, norms, the experts' routers and an image encoder, as published fp8, w8a8 and 4-bit checkpoints do (llm-compressor,
AutoGPTQ and AutoRound recipes ignore ``lm_head`` by default). Bytes of an element:

=========  =======  ===================================================================================
fp32       4        everything
bf16 fp16  2        everything
fp8        1        of linear layers; scales of a channel or tensor are below 0.1 %, of a block of 128 x 128 a float32
int8       1        as fp8
int4       0.51953  4 bits, and a 16-bit scale and a 4-bit zero point per group of 128 (GPTQ's and AWQ's default)
mxfp4      0.53125  4 bits, and an 8-bit scale per 32; of the routed experts in the models published so
nvfp4      0.5625   4 bits, and an 8-bit scale per 16; two float32 a tensor are nothing beside it
=========  =======  ===================================================================================

Beside parameters a rank holds tables of rotary positions (``rope_table``), what kernels pad (``rocm_padding``, and
mxfp4 experts), and with latent attention a 16-bit copy of the key and value up projections. Checked against what
engines printed when loading: see the tests.
"""

from dataclasses import dataclass, replace

from controller.sizing.engine import Platform
from controller.sizing.facts import LatentAttention, LeftOut, ModelFacts, ParameterCounts, Quantization
from controller.sizing.precision import Precision, native_precision
from controller.sizing.rocm_padding import padding_bytes
from controller.sizing.rope_table import rope_table_bytes
from controller.sizing.tensor_parallel import INT4_GROUP, rank_elements

_BITS = {
    Precision.FP32: 32,
    Precision.BF16: 16,
    Precision.FP16: 16,
    Precision.FP8: 8,
    Precision.INT8: 8,
    Precision.INT4: 4,
    Precision.MXFP4: 4,
    Precision.NVFP4: 4,
}

_SCALE_BITS = {Precision.FP8: 32, Precision.INT8: 16, Precision.INT4: 16 + 4, Precision.MXFP4: 8, Precision.NVFP4: 8}
"""What belongs to a group unless the checkpoint says otherwise."""

_EXPERTS = ("routed_experts",)
_MLP = (*_EXPERTS, "dense_mlp", "shared_experts")
_LINEAR = (*_MLP, "attention", "kv_projections", "latent_projections", "recurrent", "mtp")

_COVERED = {"experts": _EXPERTS, "mlp": _MLP, "linear": _LINEAR}
"""Roles that quantizing touches."""

_MXFP4_TILE = 256
_MXFP4_TILE_CUDA = 128
"""Elements to which the mxfp4 expert kernels pad a rank's part of the experts' inner width; what goes in and out is
padded to 256 everywhere (vLLM ``quantization/mxfp4.py``). gpt-oss-20b prints so 14.31 GiB on ROCm and 13.64 to 13.72
on CUDA, with 12.82 in its file."""


def weights_bytes(
    facts: ModelFacts, precision: Precision, tensor_parallel: int = 1, platform: Platform = "rocm"
) -> int:
    """What one rank prints as loaded, in a resolved precision (not ``auto``)."""
    elements = rank_elements(facts, tensor_parallel)
    if precision is Precision.MXFP4:
        elements = _with_padded_experts(facts, elements, tensor_parallel, platform)
    loaded = _bytes(facts, precision, elements)
    if platform == "rocm":
        loaded += padding_bytes(facts, precision, tensor_parallel)
    wide = 4 if precision is Precision.FP32 else 2
    return loaded + rope_table_bytes(facts, wide) + _absorbed_bytes(facts, tensor_parallel, wide)


def stored_bytes(facts: ModelFacts, precision: Precision) -> int:
    """Bytes of all tensors of a checkpoint in that precision, multi-token-prediction layers included."""
    return _bytes(facts, precision, facts.parameters)


def quantized_elements(facts: ModelFacts, precision: Precision, tensor_parallel: int = 1) -> int:
    """Elements of one rank that are quantized in that precision."""
    scheme, elements = _scheme(facts, precision), rank_elements(facts, tensor_parallel)
    return sum(scheme.quantized(role, getattr(elements, role)) for role in scheme.roles)


def _bytes(facts: ModelFacts, precision: Precision, elements: ParameterCounts) -> int:
    if precision not in _BITS:
        raise ValueError(f"precision {precision} has no bytes: resolve it for the model first")
    if precision not in _SCALE_BITS:
        return elements.total * _BITS[precision] // 8
    scheme = _scheme(facts, precision)
    quantized = sum(scheme.quantized(role, getattr(elements, role)) for role in scheme.roles)
    return (elements.total - quantized) * 2 + -(-quantized * scheme.bits // (8 * scheme.group))


@dataclass(frozen=True, slots=True)
class _Scheme:
    """How elements are quantized: those of ``roles``, ``bits`` for a group of so many with what belongs to it.

    ``left_out``: the share of a role that is not.
    """

    roles: tuple[str, ...]
    group: int
    bits: int
    left_out: tuple[LeftOut, ...] = ()

    def quantized(self, role: str, elements: int) -> int:
        """Of so many elements of a role those that are."""
        return elements - int(elements * sum(left.share for left in self.left_out if left.role == role))


def _scheme(facts: ModelFacts, precision: Precision) -> _Scheme:
    """The checkpoint's own where it is published so, else how such copies are made."""
    published = facts.checkpoint.quantization if precision is native_precision(facts) else None
    quantization = published or Quantization(method="int8", group=INT4_GROUP if precision is Precision.INT4 else None)
    roles = _COVERED[quantization.covers]
    if not quantization.group:
        return _Scheme(roles, 1, _BITS[precision], quantization.left_out)
    scale = quantization.scale_bits or _SCALE_BITS[precision]
    bits = quantization.group * _BITS[precision] + scale
    return _Scheme(roles, quantization.group, bits, quantization.left_out)


def _with_padded_experts(
    facts: ModelFacts, elements: ParameterCounts, ranks: int, platform: Platform
) -> ParameterCounts:
    experts = facts.shape.experts
    if experts is None:
        return elements
    inputs, width = experts.input_size or facts.shape.hidden_size, -(-experts.intermediate_size // ranks)
    tile = _MXFP4_TILE if platform == "rocm" else _MXFP4_TILE_CUDA
    padded = _up_to(inputs, _MXFP4_TILE) * _up_to(width, tile)
    return replace(elements, routed_experts=-(-elements.routed_experts * padded // (inputs * width)))


def _up_to(width: int, step: int) -> int:
    return -(-width // step) * step


def _absorbed_bytes(facts: ModelFacts, ranks: int, element_bytes: int) -> int:
    """Latent attention's up projections once more, by head and unquantized: decoding multiplies by them directly.

    vLLM ``model_executor/layers/attention/mla_attention.py``, ``process_weights_after_loading``: ``W_UK_T``, ``W_UV``.
    """
    heads = -(-facts.shape.num_attention_heads // ranks)
    return sum(
        group.count * heads * group.keeps.rank * (group.keeps.nope_dim + group.keeps.value_dim) * element_bytes
        for group in facts.layers
        if isinstance(group.keeps, LatentAttention)
    )
