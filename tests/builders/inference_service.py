"""InferenceServices as the API server has them."""

from typing import Any

from api.v1beta1 import InferenceService


def inference_service(
    name: str = "chat", *, status: dict[str, Any] | None = None, model: dict[str, Any] | None = None, **spec: Any
) -> InferenceService:
    """A service of team-a for a small model; `model` adds to its fields, `spec` to the spec's, in their own spelling."""
    return InferenceService.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": "team-a",
                "uid": f"uid-{name}",
                "resourceVersion": "1",
                "generation": 2,
            },
            "spec": {"model": {"id": "Qwen/Qwen3-4B"} | (model or {}), **spec},
            "status": status or {},
        }
    )
