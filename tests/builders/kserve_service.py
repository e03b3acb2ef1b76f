"""InferenceServices of KServe's as the API server has them."""

from collections.abc import Mapping, Sequence
from typing import Any

OPTED_IN = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": "Qwen/Qwen3-8B"}

Object = dict[str, Any]


def condition(type_: str, status: str = "True", **more: Any) -> Object:
    """A condition as KServe writes them."""
    return {"type": type_, "status": status, "lastTransitionTime": "2025-12-31T23:00:00Z"} | more


OF_KSERVE = (condition("PredictorReady"), condition("Ready"), condition("Stopped", "False", severity="Info"))


def kserve_service(
    name: str = "chat",
    *,
    annotations: Mapping[str, str] | None = None,
    conditions: Sequence[Object] | None = OF_KSERVE,
    metadata: Mapping[str, Any] | None = None,
    **predictor: Any,
) -> Object:
    """A service of team-a, opted in; `conditions` None: KServe has not seen it yet. `predictor` adds to the spec."""
    made: Object = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "namespace": "team-a",
            "uid": f"uid-kserve-{name}",
            "resourceVersion": "1",
            "annotations": dict(OPTED_IN if annotations is None else annotations),
        }
        | dict(metadata or {}),
        "spec": {"predictor": {"minReplicas": 1, **predictor}},
    }
    return made if conditions is None else made | {"status": {"conditions": [dict(entry) for entry in conditions]}}
