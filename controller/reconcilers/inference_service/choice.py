"""Which backend runs an InferenceService: chosen once, at its first reconcile, and kept in its status. Pure."""

from collections.abc import Mapping
from typing import Any

from api.v1beta1 import InferenceService
from api.v1beta1.inference_service import Backend

Made = Mapping[str, Any] | None


def backend_of(service: InferenceService, deployment: Made, kserve: Made, *, served: bool | None) -> Backend | None:
    """The backend; None while it is not known whether KServe is there.

    What was chosen stays, whatever comes or goes later. A status that was lost (a restored backup has none) is made up
    for by what runs already: `deployment` and `kserve` are the objects of the service's name, None where there is none.
    """
    if service.status.backend is not None:
        return service.status.backend
    if is_of(service, deployment):
        return Backend.DEPLOYMENT
    if is_of(service, kserve):
        return Backend.KSERVE
    if served is None:
        return None
    return Backend.KSERVE if served else Backend.DEPLOYMENT


def is_of(service: InferenceService, made: Made) -> bool:
    """Whether an object was made for the service, by its uid: one of the same name may be another's."""
    references = ((made or {}).get("metadata") or {}).get("ownerReferences") or ()
    return any(reference["uid"] == service.metadata.uid for reference in references)
