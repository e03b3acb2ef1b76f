"""Which events reconcile which InferenceService of KServe's."""

from collections.abc import Callable, Iterable
from typing import Any

from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest, labels_of
from controller.runtime.reconcile import Request
from controller.state.cluster import Cluster
from controller.state.kserve import POD_LABEL
from controller.state.share_groups import pods_of_claim


def kserve_service_of_pod(event: StoreEvent[Any]) -> Iterable[Request]:
    """The service that KServe made the pod for."""
    name = labels_of(event.object).get(POD_LABEL)
    return (Request(Request.of(event.key).namespace, name),) if name else ()


def kserve_service_of_claim(cluster: Cluster) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """The service of the pod that a claim belongs to, of a share group's those of its members."""

    def mapping(event: StoreEvent[Manifest]) -> Iterable[Request]:
        for pod in pods_of_claim(cluster, event):
            if POD_LABEL in pod.labels:
                yield Request(pod.namespace, pod.labels[POD_LABEL])

    return mapping
