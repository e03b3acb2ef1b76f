"""Which events reconcile which InferenceService of KServe's."""

from collections.abc import Callable, Iterable
from typing import Any

from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest, labels_of
from controller.runtime.reconcile import Request
from controller.state.cluster import Cluster
from controller.state.kserve import POD_LABEL


def kserve_service_of_pod(event: StoreEvent[Any]) -> Iterable[Request]:
    """The service that KServe made the pod for."""
    name = labels_of(event.object).get(POD_LABEL)
    return (Request(Request.of(event.key).namespace, name),) if name else ()


def kserve_service_of_claim(cluster: Cluster) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """The service of the pod that a claim belongs to."""

    def mapping(event: StoreEvent[Manifest]) -> Iterable[Request]:
        claim = event.object
        pod = (claim.get("spec", {}).get("podRef") or {}).get("name")
        view = cluster.pod_table.view(f"{claim['metadata']['namespace']}/{pod}") if pod else None
        name = view.labels.get(POD_LABEL) if view else None
        return (Request(claim["metadata"]["namespace"], name),) if name else ()

    return mapping
