"""A precision of which no checkpoint is known: the engine would load other weights than were counted.

AIM's container of a model loads the published weights, unless its profile or AIM_MODEL_ID names others; fp8 it makes of
them where its arguments say so. Of containers that somebody brings himself nothing is known: nothing is said of a
checkpoint, and of fp8 what is assumed.
"""

from typing import Final

from api.v1beta1 import InferenceService
from controller.profiles.checkpoints import Checkpoint, Weights
from controller.sizing.requirement import Sizing
from controller.translate.predictor import brings_engine
from controller.translate.request import Problem
from controller.translate.sizing_fields import FIELD_OF

CHECKPOINT_UNKNOWN: Final = "CheckpointUnknown"

QUANTIZED_AT_LOAD: Final = "QuantizedAtLoad"


def checkpoint_problem(service: InferenceService, sizing: Sizing, checkpoint: Checkpoint | None) -> Problem | None:
    """Why the weights that were counted would not be loaded; None where nothing is known against it.

    `checkpoint`: what has the weights of that precision, None where a ModelProfile vouches for them.
    """
    if checkpoint is None or checkpoint.weights is not Weights.NEEDS_COPY or brings_engine(service):
        return None
    precision = sizing.precision
    return Problem(
        FIELD_OF["precision"],
        service.spec.model.precision.value,
        f"is in no known checkpoint of {sizing.model_id}: the published weights are loaded. Set "
        f"{FIELD_OF['model_id']} to one in {precision} (with a ModelProfile if need be), or AIM_MODEL_ID in "
        "spec.predictor",
    )


def loading_assumed(field: str, asked: str, sizing: Sizing) -> Problem | None:
    """What is assumed of an engine that is not ours, named by where the precision stands; None where nothing is.

    Profile and arguments tell an AIM container to quantize; whether the container reads them is not known.
    """
    if not sizing.engine.quantization:
        return None
    return Problem(
        field,
        asked,
        "assumes that 16-bit weights are quantized as they are loaded: AIM is told to (not beside AIM_MODEL_ID); "
        "another engine needs vLLM's --quantization fp8, 0.16 or later, or a copy in fp8",
    )
