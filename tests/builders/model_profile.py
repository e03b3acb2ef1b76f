"""ModelProfiles as the API server has them: Qwen/Qwen3-8B's shape under another id, unless said otherwise."""

from collections.abc import Mapping
from typing import Any

from api.v1beta1 import ModelProfile

ARCHITECTURE: Mapping[str, Any] = {
    "architecture": "qwen3",
    "totalParams": 8_190_735_360,
    "layers": 36,
    "hiddenSize": 4096,
    "intermediateSize": 12288,
    "attentionHeads": 32,
    "kvHeads": 8,
    "headDim": 128,
    "vocabSize": 151_936,
    "maxPositionEmbeddings": 40_960,
}
"""Of Qwen/Qwen3-8B's config.json; the total is that of its checkpoint."""

MODEL = "acme/chat-8b"


def model_profile(
    name: str = "chat-8b",
    model_id: str = MODEL,
    *,
    architecture: Mapping[str, Any] | None = None,
    created: str = "2026-01-01T00:00:00Z",
    **spec: Any,
) -> dict[str, Any]:
    """A ModelProfile; `architecture` adds to its facts (None takes one away), `spec` to the spec's fields."""
    facts = {**ARCHITECTURE, **(architecture or {})}
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "ModelProfile",
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "resourceVersion": "1",
            "generation": 1,
            "creationTimestamp": created,
        },
        "spec": {
            "modelId": model_id,
            "architecture": {key: value for key, value in facts.items() if value is not None},
            **spec,
        },
    }


def profile_object(name: str = "chat-8b", model_id: str = MODEL, **fields: Any) -> ModelProfile:
    """The object of `model_profile`, read."""
    return ModelProfile.model_validate(model_profile(name, model_id, **fields))
