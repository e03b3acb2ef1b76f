"""Which checkpoint has a model's weights in a precision.

An engine casts between types of 16 and 32 bit as it loads. It does not quantize here: the quantized weights must be a
checkpoint, as only its own size was counted (an engine that quantizes by itself loads 16 bit first).

``data/copies.json`` lists such checkpoints, each of the catalogue with the shape of the model it is a copy of, or named
by AIM: ``by`` says whether AIM's own profiles load it (amd-enterprise-ai/aim-build, ``profiles`` of 0.9 and
``assets/instinct`` of later versions), the model's publisher made it, or else who did.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from controller.sizing.facts import ModelFacts
from controller.sizing.precision import SIXTEEN_BIT, Precision, native_precision

_UNQUANTIZED: Final = SIXTEEN_BIT | {Precision.FP32}
_AS_GOOD_AS_THE_MODEL: Final = frozenset({"AIM", "publisher"})


class Weights(StrEnum):
    """Where the weights of a precision come from."""

    AS_PUBLISHED = "as-published"
    CAST = "cast"
    COPY = "copy"


class Copy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A quantized checkpoint of a model."""

    model: str
    precision: Precision
    copy: str
    by: str

    @property
    def trusted(self) -> bool:
        """Whether who trusts the model or AIM trusts the copy: nobody else's is loaded unasked."""
        return self.by in _AS_GOOD_AS_THE_MODEL


def weights_of(facts: ModelFacts, precision: Precision) -> Weights:
    """Where a model's weights come from in a resolved precision."""
    native = native_precision(facts)
    if precision is native:
        return Weights.AS_PUBLISHED
    return Weights.CAST if {native, precision} <= _UNQUANTIZED else Weights.COPY


def known_copy(model_id: str, precision: Precision) -> Copy | None:
    """The checkpoint that is known to have that id's weights in that precision."""
    return copies().get((model_id, precision))


@cache
def copies() -> Mapping[tuple[str, Precision], Copy]:
    """Every known copy, by model and precision."""
    text = files("controller.profiles").joinpath("data/copies.json").read_bytes()
    return {(copy.model, copy.precision): copy for copy in msgspec.json.decode(text, type=list[Copy])}
