"""Which checkpoint has a model's weights in a precision.

An engine casts between types of 16 and 32 bit as it loads. It does not quantize here: the quantized weights must be a checkpoint,
as only its own size was counted (an engine that quantizes by itself loads 16 bit first).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from controller.sizing.facts import ModelFacts
from controller.sizing.precision import SIXTEEN_BIT, Precision, native_precision

_FP8_COPIES: Final[Mapping[str, str]] = {
    "Qwen/Qwen3-235B-A22B": "Qwen/Qwen3-235B-A22B-FP8",
    "Qwen/Qwen3-32B": "Qwen/Qwen3-32B-FP8",
    "meta-llama/Llama-3.1-405B-Instruct": "amd/Llama-3.1-405B-Instruct-FP8-KV",
    "meta-llama/Llama-3.1-8B-Instruct": "amd/Llama-3.1-8B-Instruct-FP8-KV",
    "meta-llama/Llama-3.2-3B-Instruct": "amd/Llama-3.2-3B-Instruct-FP8-KV",
    "meta-llama/Llama-3.3-70B-Instruct": "amd/Llama-3.3-70B-Instruct-FP8-KV",
}
"""``model_id`` of AIM's own fp8 profiles of these ids (amd-enterprise-ai/aim-build, ``profiles`` of 0.9 and
``assets/instinct`` of later versions)."""


_UNQUANTIZED: Final = SIXTEEN_BIT | {Precision.FP32}


class Weights(StrEnum):
    """Where the weights of a precision come from."""

    AS_PUBLISHED = "as-published"
    CAST = "cast"
    COPY = "copy"


def weights_of(facts: ModelFacts, precision: Precision) -> Weights:
    """Where a model's weights come from in a resolved precision."""
    native = native_precision(facts)
    if precision is native:
        return Weights.AS_PUBLISHED
    return Weights.CAST if {native, precision} <= _UNQUANTIZED else Weights.COPY


def known_copy(model_id: str, precision: Precision) -> str | None:
    """The checkpoint that AIM itself serves for that id in that precision; None when it has none."""
    return _FP8_COPIES.get(model_id) if precision is Precision.FP8 else None
