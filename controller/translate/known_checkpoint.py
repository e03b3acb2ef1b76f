"""A service in a precision of which no checkpoint is known: its engine would load other weights than were counted.

AIM's container of a model loads the published weights, unless its profile or AIM_MODEL_ID names others. Of containers
that a service brings itself nothing is known, and nothing is said.
"""

from typing import Final

from api.v1beta1 import InferenceService
from controller.profiles.checkpoints import Checkpoint, Weights
from controller.sizing.requirement import Sizing
from controller.translate.predictor import brings_engine
from controller.translate.request import Problem
from controller.translate.sizing_fields import FIELD_OF

CHECKPOINT_UNKNOWN: Final = "CheckpointUnknown"

#: Of a service's profiles none quantizes: they are general, and a container's own checkpoint may be quantized already.
_NOT_LOADED: Final = frozenset({Weights.NEEDS_COPY, Weights.AT_LOAD})


def checkpoint_problem(service: InferenceService, sizing: Sizing, checkpoint: Checkpoint | None) -> Problem | None:
    """Why the weights that were counted would not be loaded; None where nothing is known against it.

    `checkpoint`: what has the weights of that precision, None where a ModelProfile vouches for them.
    """
    if checkpoint is None or checkpoint.weights not in _NOT_LOADED or brings_engine(service):
        return None
    precision = sizing.precision
    return Problem(
        FIELD_OF["precision"],
        service.spec.model.precision.value,
        f"is in no known checkpoint of {sizing.model_id}: the published weights are loaded. Set "
        f"{FIELD_OF['model_id']} to one in {precision} (with a ModelProfile if need be), or AIM_MODEL_ID in "
        "spec.predictor",
    )
