"""Revisions of a service's pods: what tells two apart, and whether one has been rolled out. Pure."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from api.v1beta1.inference_service import UpdateStrategy
from controller.reconcilers.inference_service.backend import NO_SURGE, Json

#: Characters of a hash: as many as tell the revisions of one service apart.
HASH_CHARACTERS: Final = 16

_STRATEGIES: Final[Mapping[UpdateStrategy | None, Json]] = {
    None: NO_SURGE,
    UpdateStrategy.ONE_BY_ONE: NO_SURGE,
    UpdateStrategy.SURGE: {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
    UpdateStrategy.RECREATE: {"type": "Recreate"},
}
#: What of a container tells one revision from another, as far as an API server gives it back as it came.
_PLAIN: Final = ("image", "command", "args")


def strategy_of(strategy: UpdateStrategy | None) -> Json:
    """The Deployment's strategy; at rest the one that needs no partition beside those that are held."""
    return _STRATEGIES[strategy]


def hash_of(template: Mapping[str, Any]) -> str:
    """A short hash of a pod template, or of what KServe makes one of; the same for equal ones in any order of keys."""
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]


def carries(deployment: Mapping[str, Any] | None, annotations: Mapping[str, str], spec: Mapping[str, Any]) -> bool:
    """Whether the Deployment's template says what ours says of the model and of what runs.

    Others add to a template, and the API server fills in defaults, so what is there beyond ours counts for nothing.
    """
    template = ((deployment or {}).get("spec") or {}).get("template") or {}
    present = (template.get("metadata") or {}).get("annotations") or {}
    if any(present.get(key) != value for key, value in annotations.items()):
        return False
    there = {one.get("name"): one for one in (template.get("spec") or {}).get("containers") or ()}
    return all(_runs(there.get(one.get("name")), one) for one in spec.get("containers") or ())


def _runs(present: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    if present is None or any(key in wanted and present.get(key) != wanted[key] for key in _PLAIN):
        return False
    variables = {one.get("name"): one.get("value") for one in present.get("env") or ()}
    told = {one.get("name"): one["value"] for one in wanted.get("env") or () if one.get("value") is not None}
    return told.items() <= variables.items()


def rolled_out(deployment: Mapping[str, Any] | None, *, generation: int = 0) -> bool:
    """Whether nothing but pods of the last template exists, as many as are wanted.

    `generation`: that of the Deployment as we wrote it; an older one tells of the template before.
    """
    if deployment is None:
        return False
    metadata, spec, status = (deployment.get(part) or {} for part in ("metadata", "spec", "status"))
    current = int(metadata.get("generation") or 0)
    if current < generation or int(status.get("observedGeneration") or 0) < current:
        return False
    wanted = spec.get("replicas", 1)
    return bool(status.get("updatedReplicas", 0) == status.get("replicas", 0) == wanted)
