"""From the ``quantization_config`` of a config.json, in the dialect of the tool that wrote it, to what it means.

Read are fp8 (DeepSeek's and Transformers' own, FBGEMM's, ModelOpt's), compressed-tensors (llm-compressor), GPTQ, AWQ,
AutoRound, bitsandbytes, Quark and mxfp4 (gpt-oss). Field names are those of the tools' published checkpoints.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

from controller.sizing.config_fields import ConfigFields
from controller.sizing.facts import Method, Quantization

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


def quantization_of(config: ConfigFields) -> Quantization | None:
    """How the weights are quantized, None where they are not. Raises ModelFileError for what is not known here."""
    found = config.section("quantization_config", "compression_config")
    if found is None:
        return None
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
    return Quantization(method="fp8", covers=_covers(found, "modules_to_not_convert"), group=group)


def _bits(found: ConfigFields) -> Quantization:
    """GPTQ, AWQ and AutoRound: so many bits, in groups; -1 is a whole channel."""
    bits = found.number("bits", "w_bit", most=64)
    group = found.optional("group_size", "q_group_size", least=-1)
    if bits not in (4, 8):
        raise found.problem("bits", "is a width that engines have no kernels for", _OFFERED)
    return Quantization(
        method="int4" if bits == 4 else "int8",
        covers=_covers(found, "modules_to_not_convert"),
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
    covers = _covers(found, "ignore")
    group = _group(weights.optional("group_size", least=-1))
    method = _compressed_method(found, weights)
    if method == "mxfp4":
        group = _MXFP4_BLOCK
    scale = _SCALE_BITS if method == "int4" and weights.flag("symmetric", default=True) else None
    return Quantization(method=method, covers=covers, group=group, scale_bits=scale)


def _compressed_method(found: ConfigFields, weights: ConfigFields) -> Method:
    bits, kind = weights.number("num_bits", most=64), weights.text("type") or "int"
    if found.text("format").startswith("mxfp4"):
        return "mxfp4"
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
    return Quantization(method=methods[kind], covers=_covers(found, "exclude"), group=group, scale_bits=scale)


def _model_opt(found: ConfigFields) -> Quantization:
    algorithm = found.text("quant_algo").casefold()
    if algorithm not in ("fp8", "fp8_pb_wo"):
        raise found.problem("quant_algo", "is not known here", _OFFERED)
    return Quantization(method="fp8")


def _group(size: int | None) -> int | None:
    return size if size and size > 0 else None


def _covers(found: ConfigFields, left_out: str) -> Literal["linear", "experts"]:
    """Whether attention is among what was left in 16 bit: then only experts are quantized."""
    names = found.texts(left_out) or []
    # a single layer's attention left out is no rule: either a pattern, or layer by layer from the first on
    attention = [name for name in names if "self_attn" in name or "attention" in name]
    of_text = [name for name in attention if "vision" not in name and "visual" not in name]
    every_layer = any("re:" in name or "*" in name or ".layers." not in name for name in of_text)
    return "experts" if every_layer else "linear"


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
