"""From the ``quantization_config`` of a config.json, in the dialect of the tool that wrote it, to what it means.

Read are fp8 (DeepSeek's and Transformers' own, FBGEMM's), compressed-tensors (llm-compressor), GPTQ, AWQ, AutoRound,
bitsandbytes, ModelOpt, Quark and mxfp4 (gpt-oss). Field names are those of the tools' published checkpoints. ModelOpt's
stand in a file of their own as well, ``hf_quant_config.json``, or there alone.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from controller.sizing.config_fields import ConfigFields
from controller.sizing.facts import LinearRole, Method, Quantization, Shape
from controller.sizing.quantization_leaves import left_out, present_roles

_OFFERED = "use a checkpoint in fp8, int8, int4 or mxfp4, or one that is not quantized"

_MXFP4_BLOCK = 32
"""Elements that share one scale byte in the OCP microscaling formats."""

_BITSANDBYTES_BLOCK = 64
"""Elements that share one scale in bitsandbytes' 4-bit types: its default."""

_SCALE_BITS = 16
"""Of a group of four-bit elements that has no zero point."""

_WIDE_SCALE_BITS = 32
_DOUBLY_QUANTIZED_BITS = 9
"""Of a block of bitsandbytes: a float32, or 8 bits and a float32 for 256 blocks."""

_NVFP4_BLOCK = 16
"""Elements that share one scale byte in NVIDIA's format; a tensor has a float32 besides (NVIDIA/Model-Optimizer)."""

_MODEL_OPT: Final[Mapping[str, Method]] = MappingProxyType(
    {"fp8": "fp8", "fp8_pb_wo": "fp8", "nvfp4": "nvfp4", "nvfp4_awq": "nvfp4", "w4a16_nvfp4": "nvfp4"}
)
"""ModelOpt's names of algorithms that have one method for all layers that they quantize."""


def quantization_of(found: ConfigFields, shape: Shape) -> Quantization:
    """How the weights of that shape are quantized. Raises ModelFileError for what is not known here."""
    quantization = _read(found)
    names = found.texts("ignore") or found.texts("modules_to_not_convert") or found.texts("exclude")
    names = names or found.texts("exclude_modules") or []
    return quantization if quantization.covers == "experts" else _without(quantization, names, shape)


def _read(found: ConfigFields) -> Quantization:
    method = found.text("quant_method").casefold() or ("modelopt" if "quant_algo" in found else "")
    if method == "mxfp4":
        return Quantization(method="mxfp4", covers="experts", group=_MXFP4_BLOCK)
    reader = _READERS.get(method)
    if reader is None:
        raise found.problem("quant_method", "is a quantization that is not known here", _OFFERED)
    return reader(found)


def _fp8(found: ConfigFields) -> Quantization:
    block = found.numbers("weight_block_size")
    if block is not None and (len(block) != 2 or min(block) <= 0):
        raise found.problem("weight_block_size", "is not two sides of a block", "give rows and columns, as [128, 128]")
    group = block[0] * block[1] if block else None
    return Quantization(method="fp8", group=group)


def _bits(found: ConfigFields) -> Quantization:
    """GPTQ, AWQ and AutoRound: so many bits, in groups; -1 is a whole channel."""
    bits = found.number("bits", "w_bit", most=64)
    group = found.optional("group_size", "q_group_size", least=-1)
    if bits not in (4, 8):
        raise found.problem("bits", "is a width that engines have no kernels for", _OFFERED)
    return Quantization(
        method="int4" if bits == 4 else "int8",
        group=_group(group),
        # GPTQ and AutoRound store zero points even where all are the same; AWQ leaves them out when told so
        scale_bits=_SCALE_BITS if bits == 4 and not found.flag("zero_point", default=True) else None,
    )


def _bitsandbytes(found: ConfigFields) -> Quantization:
    if found.flag("load_in_4bit"):
        scale = _DOUBLY_QUANTIZED_BITS if found.flag("bnb_4bit_use_double_quant") else _WIDE_SCALE_BITS
        return Quantization(method="int4", group=_BITSANDBYTES_BLOCK, scale_bits=scale)
    if found.flag("load_in_8bit"):
        return Quantization(method="int8")
    raise found.problem("load_in_4bit", "and load_in_8bit are both not set", "set the one the checkpoint was saved in")


def _compressed_tensors(found: ConfigFields) -> Quantization:
    groups = [weights for group in found.sections("config_groups") if (weights := group.section("weights"))]
    if not groups:
        raise found.missing("config_groups")
    if len(groups) > 1:
        # widths that differ from layer to layer: the widest is the safe side
        groups.sort(key=lambda weights: weights.number("num_bits", most=64), reverse=True)
    weights = groups[0]
    group = _group(weights.optional("group_size", least=-1))
    method = _compressed_method(found, weights)
    if method in _BLOCKS:
        group = _BLOCKS[method]
    scale = _SCALE_BITS if method == "int4" and weights.flag("symmetric", default=True) else None
    return Quantization(method=method, group=group, scale_bits=scale)


def _compressed_method(found: ConfigFields, weights: ConfigFields) -> Method:
    bits, kind = weights.number("num_bits", most=64), weights.text("type") or "int"
    if found.text("format").startswith("mxfp4"):
        return "mxfp4"
    if found.text("format").startswith("nvfp4"):
        return "nvfp4"
    methods: Mapping[tuple[int, str], Method] = {(8, "float"): "fp8", (8, "int"): "int8", (4, "int"): "int4"}
    method = methods.get((bits, kind))
    if method is None:
        raise weights.problem("num_bits", f"of type {kind!r} is not known here", _OFFERED)
    return method


def _quark(found: ConfigFields) -> Quantization:
    everything = found.section("global_quant_config")
    weight = everything.section("weight") if everything else None
    if everything is None or weight is None:
        raise found.missing("global_quant_config.weight")
    kind = weight.text("dtype")
    methods: Mapping[str, Method] = {"fp8_e4m3": "fp8", "int8": "int8", "int4": "int4", "uint4": "int4", "fp4": "mxfp4"}
    if kind not in methods:
        raise weight.problem("dtype", "is not known here", _OFFERED)
    group = _group(weight.optional("group_size", least=-1))
    scale = _SCALE_BITS if kind == "int4" else None
    return Quantization(method=methods[kind], group=group, scale_bits=scale)


def _model_opt(found: ConfigFields) -> Quantization:
    algorithm = found.text("quant_algo").casefold()
    if algorithm == "mixed_precision":
        raise found.problem("quant_algo", "has another precision in each layer, which is not sized", _OFFERED)
    method = _MODEL_OPT.get(algorithm)
    if method is None:
        raise found.problem("quant_algo", "is not known here", _OFFERED)
    return Quantization(method=method, group=_BLOCKS.get(method))


_BLOCKS: Final[Mapping[Method, int]] = MappingProxyType({"mxfp4": _MXFP4_BLOCK, "nvfp4": _NVFP4_BLOCK})


def _group(size: int | None) -> int | None:
    return size if size and size > 0 else None


def _without(quantization: Quantization, names: list[str], shape: Shape) -> Quantization:
    """Less what these names leave in 16 bit; in the words of ``covers`` where they leave all but experts or MLPs."""
    left = left_out(names, shape)
    whole = {each.role for each in left if each.share == 1}
    if all(each.share == 1 for each in left):
        quantized = present_roles(shape) - whole
        if quantized == {"routed_experts"}:
            return msgspec.structs.replace(quantization, covers="experts")
        if quantized == present_roles(shape) & _MLP:
            return msgspec.structs.replace(quantization, covers="mlp")
    return msgspec.structs.replace(quantization, left_out=left)


_MLP: Final[frozenset[LinearRole]] = frozenset({"dense_mlp", "routed_experts", "shared_experts"})

_READERS: Mapping[str, Callable[[ConfigFields], Quantization]] = MappingProxyType(
    {
        "auto-round": _bits,
        "auto_round": _bits,
        "awq": _bits,
        "bitsandbytes": _bitsandbytes,
        "compressed-tensors": _compressed_tensors,
        "fbgemm_fp8": _fp8,
        "fp8": _fp8,
        "gptq": _bits,
        "gptq_marlin": _bits,
        "intel/auto-round": _bits,
        "modelopt": _model_opt,
        "quark": _quark,
    }
)
