"""What a pod serves, as AIM profiles see it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from api.v1beta1 import InferenceService
from api.v1beta1.gpu_partition_claim import Isolation
from controller.profiles.selection import Service
from controller.sizing.requirement import SizingRequest

#: The variable by which a container decides itself which checkpoint AIM loads.
MODEL_VARIABLE: Final = "AIM_MODEL_ID"


def served(request: SizingRequest, service: InferenceService | None, *, cooperative: bool = False) -> Service:
    """What a pod of `service` serves that asks for `request`; of an annotated pod's own where it is of none.

    `cooperative`: the pod is a member of a share group.
    """
    if service is None:
        return Service(request, cooperative=cooperative, count=1)
    sharing = service.spec.gpu_sharing
    shares = cooperative or sharing.isolation is Isolation.COOPERATIVE
    return Service(request, names_model(service), shares, sharing.partition.count)


def names_model(service: InferenceService) -> bool:
    """Whether a container of the predictor says which checkpoint to load."""
    return any(
        isinstance(variable, Mapping) and variable.get("name") == MODEL_VARIABLE
        for container in _containers(service.spec.predictor or {})
        for variable in container.get("env") or ()
    )


def _containers(predictor: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for found in (*(predictor.get("containers") or ()), predictor.get("model")):
        if isinstance(found, Mapping):
            yield found


def profiles_name(service: str) -> str:
    """The name of the ConfigMap with a service's AIM profiles."""
    return f"{service}-aim-profiles"
