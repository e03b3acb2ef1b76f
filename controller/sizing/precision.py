"""The precisions weights come in, and which of them a model has."""

from enum import StrEnum

from controller.sizing.errors import UnsupportedPrecision
from controller.sizing.facts import ModelFacts


class Precision(StrEnum):
    """The precision of a model's linear layers; ``auto`` is the one an engine takes when it is told none."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"
    INT8 = "int8"
    INT4 = "int4"
    MXFP4 = "mxfp4"
    NVFP4 = "nvfp4"


SIXTEEN_BIT = frozenset({Precision.BF16, Precision.FP16})

_CONVERTIBLE = (Precision.BF16, Precision.FP16, Precision.FP8, Precision.INT8, Precision.INT4, Precision.FP32)

_OF_DTYPE = {"bfloat16": Precision.BF16, "float16": Precision.FP16, "float32": Precision.FP32}


def native_precision(facts: ModelFacts) -> Precision:
    """The precision of the published checkpoint: its quantization where it has one, else its type."""
    quantization = facts.checkpoint.quantization
    return Precision(quantization.method) if quantization else _OF_DTYPE[facts.checkpoint.dtype]


def automatic_precision(facts: ModelFacts) -> Precision:
    """What ``auto`` means: the published precision, bf16 for a checkpoint published in float32.

    vLLM loads float32 weights in the first type of 16 bit that its platform computes in, bfloat16 on Instinct, unless
    it is told a type (``vllm/config``, ``_resolve_auto_dtype``: downcast for float32 models).
    """
    native = native_precision(facts)
    return Precision.BF16 if native is Precision.FP32 else native


def available_precisions(facts: ModelFacts) -> tuple[Precision, ...]:
    """The precisions a model can be served in, the native one first.

    A checkpoint in 16 or 32 bit or 8 is cast or quantized, by the engine or in a published copy. One in 4 bit is
    served as it is: engines do not unpack it, and one that was trained so has no other original.
    """
    native = native_precision(facts)
    if native in (Precision.MXFP4, Precision.NVFP4, Precision.INT4):
        return (native,)
    return (native, *(precision for precision in _CONVERTIBLE if precision is not native))


def resolve_precision(facts: ModelFacts, asked: Precision) -> Precision:
    """What ``asked`` means for this model: never ``auto``. Raises UnsupportedPrecision naming the available ones."""
    if asked is Precision.AUTO:
        return automatic_precision(facts)
    available = available_precisions(facts)
    if asked not in available:
        raise UnsupportedPrecision(facts.model_id, asked.value, tuple(p.value for p in available))
    return asked
