"""Which events reconcile which ConfigMap of pods."""

from collections.abc import Callable, Iterable

from controller.reconcilers.profile_map.owners import MOST_OWNERS, owner_of
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest
from controller.runtime.objects.metadata import PartialObject
from controller.runtime.objects.pod import Pod
from controller.runtime.reconcile import Request
from controller.state.cluster import Cluster
from controller.state.models import models_told_of
from controller.translate.pod_profiles import is_pods_map, mounted_map


def map_of_pod(cluster: Cluster) -> Callable[[StoreEvent[Pod]], Iterable[Request]]:
    """The ConfigMap that a pod mounts, unless it is there and its owner is known: most pods of a template are no news.

    Nor is a pod that goes: its owner's end is the garbage collector's to see, who then writes the ConfigMap.
    """

    def mapping(event: StoreEvent[Pod]) -> Iterable[Request]:
        pod = event.new
        name = mounted_map(pod.spec) if pod is not None else None
        if pod is None or name is None or not is_pods_map(name):
            return ()
        request = Request(pod.metadata.namespace, name)
        written = cluster.written_maps.standing(request.key)
        if written is not None and (owner_of(pod).uid in written.owners or len(written.owners) >= MOST_OWNERS):
            return ()
        return (request,)

    return mapping


def itself_of_pods(event: StoreEvent[PartialObject]) -> Iterable[Request]:
    """The ConfigMap itself: somebody changed it or took it away, or an owner is gone."""
    request = Request.of(event.key)
    return (request,) if is_pods_map(request.name) else ()


def maps_of_products(cluster: Cluster) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """Every ConfigMap, when other products are here: profiles are for what is here."""
    return when_products_differ(cluster, lambda: _all(cluster))


def when_products_differ(
    cluster: Cluster, requests: Callable[[], Iterable[Request]]
) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """Those requests when the first GPU of a product comes or the last one goes, none at other news of a node."""
    seen = cluster.products.known

    def mapping(_: StoreEvent[Manifest]) -> Iterable[Request]:
        nonlocal seen
        if seen != cluster.products.known:
            seen = cluster.products.known
            yield from requests()

    return mapping


def maps_of_profile(cluster: Cluster) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """Every ConfigMap, when a ModelProfile says something new: who is sized by it is not known from the name."""

    def mapping(event: StoreEvent[Manifest]) -> Iterable[Request]:
        if models_told_of(event):
            yield from _all(cluster)

    return mapping


def _all(cluster: Cluster) -> Iterable[Request]:
    return map(Request.of, filter(_of_pods, cluster.pods.store.index_values("profiles")))


def _of_pods(key: str) -> bool:
    return is_pods_map(key.partition("/")[2])
