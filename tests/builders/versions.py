"""Objects with two versions, as the API server sends them to be converted."""

import json
from typing import Any

from api.conversion import convert
from api.group import ONLY_IN_HUB

HUB = "aim.amd.com/v1beta1"
SPOKE = "aim.amd.com/v1alpha1"


def hub_service(**spec: Any) -> dict[str, Any]:
    """A service in the hub version; `spec` in its own spelling, beside the model."""
    return _object(HUB, "InferenceService", {"model": {"id": "Qwen/Qwen3-4B"}, **spec})


def flat_service(stash: Any = None, **spec: Any) -> dict[str, Any]:
    """A service in the flat version; `stash`: what its annotation says, as text or as JSON."""
    return _stashed(_object(SPOKE, "InferenceService", {"modelId": "Qwen/Qwen3-4B", **spec}), stash)


def hub_policy(**spec: Any) -> dict[str, Any]:
    """A policy in the hub version."""
    return _object(HUB, "GPUSharingPolicy", spec)


def flat_policy(stash: Any = None, **spec: Any) -> dict[str, Any]:
    """A policy in the flat version."""
    return _stashed(_object(SPOKE, "GPUSharingPolicy", spec), stash)


def to_spoke(obj: dict[str, Any]) -> dict[str, Any]:
    """The object in the flat version."""
    (converted,) = convert(SPOKE, [obj])
    return converted


def to_hub(obj: dict[str, Any]) -> dict[str, Any]:
    """The object in the hub version."""
    (converted,) = convert(HUB, [obj])
    return converted


def stash_of(obj: dict[str, Any]) -> Any:
    """What the stash annotation says, or None."""
    text = obj["metadata"].get("annotations", {}).get(ONLY_IN_HUB)
    return None if text is None else json.loads(text)


def _object(version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "chat", "namespace": "team-a"}, "spec": spec}


def _stashed(obj: dict[str, Any], stash: Any) -> dict[str, Any]:
    if stash is None:
        return obj
    text = stash if isinstance(stash, str) else json.dumps(stash)
    return obj | {"metadata": {**obj["metadata"], "annotations": {ONLY_IN_HUB: text}}}
