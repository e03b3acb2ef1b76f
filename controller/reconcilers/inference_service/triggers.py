"""Which events reconcile which InferenceService."""

from collections.abc import Callable, Iterable
from typing import Any

from api.group import SERVICE_LABEL
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest, labels_of
from controller.runtime.reconcile import Request
from controller.state.cluster import Cluster


def service_of_owned(event: StoreEvent[Any]) -> Iterable[Request]:
    """The service that a labelled object was made for, be it decoded into a dict or a struct."""
    name = labels_of(event.object).get(SERVICE_LABEL)
    return (Request(Request.of(event.key).namespace, name),) if name else ()


#: Pods carry the same label as the Deployment.
service_of_pod = service_of_owned


def service_of_claim(cluster: Cluster) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """The service of the pod that a claim belongs to."""

    def mapping(event: StoreEvent[Manifest]) -> Iterable[Request]:
        claim = event.object
        pod = (claim.get("spec", {}).get("podRef") or {}).get("name")
        view = cluster.pod_table.view(f"{claim['metadata']['namespace']}/{pod}") if pod else None
        name = view.labels.get(SERVICE_LABEL) if view else None
        return (Request(claim["metadata"]["namespace"], name),) if name else ()

    return mapping
