"""What a service's predictor says of what runs in its pods."""

from typing import Final

from api.v1beta1 import InferenceService

IMPLEMENTATIONS: Final = frozenset(
    {
        "model",
        "sklearn",
        "xgboost",
        "tensorflow",
        "pytorch",
        "triton",
        "onnx",
        "huggingface",
        "pmml",
        "lightgbm",
        "paddle",
    }
)
"""What KServe adds to a pod spec that says what runs: any of them is enough for KServe, none for a Deployment."""


def brings_engine(service: InferenceService) -> bool:
    """Whether the predictor says itself what runs, so that which checkpoint is loaded is its own to say, too."""
    predictor = service.spec.predictor or {}
    return bool(predictor.get("containers")) or not IMPLEMENTATIONS.isdisjoint(predictor)
