"""Which events reconcile which InferenceService."""

from collections.abc import Callable, Iterable
from typing import Any

from api.group import SERVICE_LABEL
from controller.reconcilers.profile_map.triggers import when_products_differ
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest, labels_of
from controller.runtime.reconcile import Request
from controller.state.cluster import Cluster
from controller.state.model_names import names_of
from controller.state.models import models_told_of
from controller.state.promises import groups_of
from controller.state.share_groups import pods_of_claim
from controller.translate.guarantees import promised


def service_of_owned(event: StoreEvent[Any]) -> Iterable[Request]:
    """The service that a labelled object was made for, be it decoded into a dict or a struct."""
    name = labels_of(event.object).get(SERVICE_LABEL)
    return (Request(Request.of(event.key).namespace, name),) if name else ()


#: Pods carry the same label as the Deployment.
service_of_pod = service_of_owned


def services_of_profile(cluster: Cluster) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """The services that a ModelProfile sizes or may have sized, and those that could not be sized."""

    def mapping(event: StoreEvent[Manifest]) -> Iterable[Request]:
        models = models_told_of(event)
        for key, service in cluster.service_table.items() if models else ():
            model = service.spec.model
            if model.id in models or model.profile_ref == event.key or service.status.sizing is None:
                yield Request.of(key)

    return mapping


def services_of_products(cluster: Cluster) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """Every service, when other products are here: profiles are for what is here."""
    return when_products_differ(cluster, lambda: map(Request.of, cluster.service_table.keys()))


def service_of_claim(cluster: Cluster) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """The service of the pod that a claim belongs to, of a share group's those of its members."""

    def mapping(event: StoreEvent[Manifest]) -> Iterable[Request]:
        for pod in pods_of_claim(cluster, event):
            if SERVICE_LABEL in pod.labels:
                yield Request(pod.namespace, pod.labels[SERVICE_LABEL])

    return mapping


def services_of_name(cluster: Cluster) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """The other services that go by a name of a service which came or went, or goes by others now."""

    def mapping(event: StoreEvent[Manifest]) -> Iterable[Request]:
        changed = set(names_of(event.old)) ^ set(names_of(event.new))
        namespace = Request.of(event.key).namespace or ""
        for key in sorted(cluster.model_names.known_by(namespace, changed) - {event.key}):
            yield Request.of(key)

    return mapping


def services_beside(cluster: Cluster) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """The other services of its share groups, when a service is promised another number of requests in flight."""

    def mapping(event: StoreEvent[Manifest]) -> Iterable[Request]:
        if _guarantees(event.old) == _guarantees(event.new):
            return
        beside = {key for _, promises in groups_of(cluster, event.key) for key in promises.services}
        for key in sorted(beside - {event.key}):
            yield Request.of(key)

    return mapping


def services_of_bound(cluster: Cluster) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """Those that share partitions and are promised something, when a policy may bound them anew.

    Of policies, and of namespaces, whose labels policies select.
    """

    def mapping(event: StoreEvent[Manifest]) -> Iterable[Request]:
        if _selection(event.old) == _selection(event.new):
            return
        for key, service in cluster.service_table.items():
            if service.spec.gpu_sharing.share_group is not None and promised(service):
                yield Request.of(key)

    return mapping


def _guarantees(service: Manifest | None) -> object:
    return (((service or {}).get("spec") or {}).get("qos") or {}).get("guarantees")


def _selection(obj: Manifest | None) -> object:
    return obj and (obj.get("spec"), labels_of(obj))
