"""Which checkpoint has a model's weights in a precision.

An engine casts between types of 16 and 32 bit as it loads. vLLM quantizes by itself from 16 bit to fp8
(``quantization: fp8``, docs.vllm.ai ``features/quantization/online``), on ROCm since it serves fp8 there, dense models
and mixtures alike; other quantized weights must be a checkpoint. Newer versions call it ``fp8_per_tensor`` and take the
old name with a warning (``model_loader/weight_utils.py`` of 0.33), which is the only one that all versions know.

``data/copies.json`` lists such checkpoints, each of the catalogue with the shape of the model it is a copy of, or named
by AIM. ``by`` says who vouches for it: *AIM*, whose own profiles load it (amd-enterprise-ai/aim-build, ``profiles`` of
0.9 and ``assets/instinct`` of later versions), the model's *publisher*, or *RedHatAI*, whose copies the documentation
of vLLM recommends (``features/quantization/llm_compressor/fp8.md``, by their former name neuralmagic). Nobody else's
is loaded unasked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Final, Literal

import msgspec

from controller.sizing.facts import ModelFacts
from controller.sizing.precision import SIXTEEN_BIT, Precision, native_precision, resolve_precision
from controller.sizing.requirement import ModelSizingConfig, SizingRequest

_UNQUANTIZED: Final = SIXTEEN_BIT | {Precision.FP32}


class Weights(StrEnum):
    """Where the weights of a precision come from."""

    AS_PUBLISHED = "as-published"
    CAST = "cast"
    COPY = "copy"
    AT_LOAD = "quantized-at-load"
    NEEDS_COPY = "needs-copy"


class Copy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A quantized checkpoint of a model, and who vouches for it."""

    model: str
    precision: Precision
    copy: str
    by: Literal["AIM", "publisher", "RedHatAI"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What an engine loads for a model in a precision. ``model_id`` None: a copy is needed, and none is known."""

    weights: Weights
    model_id: str | None


def checkpoint_of(facts: ModelFacts, precision: Precision) -> Checkpoint:
    """The checkpoint with a model's weights in a resolved precision, or that the engine makes them from."""
    native = native_precision(facts)
    if precision is native:
        return Checkpoint(Weights.AS_PUBLISHED, facts.model_id)
    copy = known_copy(facts.model_id, precision)
    if copy is not None:
        return Checkpoint(Weights.COPY, copy.copy)
    if {native, precision} <= _UNQUANTIZED:
        return Checkpoint(Weights.CAST, facts.model_id)
    if precision is Precision.FP8 and native in SIXTEEN_BIT:
        return Checkpoint(Weights.AT_LOAD, facts.model_id)
    return Checkpoint(Weights.NEEDS_COPY, None)


def as_loaded(sizes: ModelSizingConfig, request: SizingRequest) -> SizingRequest:
    """The request with the engine told to quantize where nothing else brings weights into that precision.

    Not where somebody vouches for them. Raises UnknownModel, UnknownFacts, UnsupportedPrecision.
    """
    return request if sizes.weights_exist else as_loaded_of(sizes.facts(request.model_id), request)


def as_loaded_of(facts: ModelFacts, request: SizingRequest) -> SizingRequest:
    """The same of a model with these facts. Raises UnsupportedPrecision."""
    precision = resolve_precision(facts, request.precision)
    if checkpoint_of(facts, precision).weights is not Weights.AT_LOAD:
        return request
    return replace(request, engine=replace(request.engine, quantization="fp8"))


def known_copy(model_id: str, precision: Precision) -> Copy | None:
    """The checkpoint that is known to have that id's weights in that precision."""
    return copies().get((model_id, precision))


@cache
def copies() -> Mapping[tuple[str, Precision], Copy]:
    """Every known copy, by model and precision."""
    text = files("controller.profiles").joinpath("data/copies.json").read_bytes()
    return {(copy.model, copy.precision): copy for copy in msgspec.json.decode(text, type=list[Copy])}
