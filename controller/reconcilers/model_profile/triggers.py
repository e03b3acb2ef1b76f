"""Which events reconcile which ModelProfile."""

from collections.abc import Callable, Iterable

from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest
from controller.runtime.reconcile import Request
from controller.state.cluster import Cluster
from controller.state.models import models_told_of


def profiles_of_profile(cluster: Cluster) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """The profiles for the same model as one that came, went or says something else: the oldest sizes it."""

    def mapping(event: StoreEvent[Manifest]) -> Iterable[Request]:
        models = models_told_of(event)
        for profile in cluster.model_profiles.store.values() if models else ():
            if profile["spec"].get("modelId") in models:
                yield Request("", profile["metadata"]["name"])

    return mapping
