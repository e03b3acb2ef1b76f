"""Where users say what sizing calls ``model_id``, ``precision`` and so on; ``profile`` names a ModelProfile."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from api.group import MAX_CONCURRENCY, MAX_MODEL_LEN, MODEL_ID, MODEL_PROFILE, PARTITION_COUNT, PRECISION
from controller.sizing.errors import SizingError
from controller.translate.request import Problem

ANNOTATION_OF: Final[Mapping[str, str]] = MappingProxyType(
    {
        "model_id": MODEL_ID,
        "profile": MODEL_PROFILE,
        "precision": PRECISION,
        "max_model_len": MAX_MODEL_LEN,
        "max_concurrency": MAX_CONCURRENCY,
        "tensor_parallel": PARTITION_COUNT,
    }
)
"""On a pod or an InferenceService of KServe."""

FIELD_OF: Final[Mapping[str, str]] = MappingProxyType(
    {
        "model_id": "spec.model.id",
        "profile": "spec.model.profileRef",
        "precision": "spec.model.precision",
        "max_model_len": "spec.model.maxModelLen",
        "max_concurrency": "spec.model.maxConcurrency",
        "tensor_parallel": "spec.gpuSharing.partition.count",
    }
)
"""In an InferenceService of ours."""


def sizing_problem(error: SizingError, places: Mapping[str, str]) -> Problem:
    """What is wrong, with the field named as in `places`; one that users have no place for by its own name."""
    return Problem(places.get(error.field, error.field), str(error.value), f"{error.problem}: {error.remedy}")
