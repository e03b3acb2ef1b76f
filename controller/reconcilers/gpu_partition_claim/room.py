"""Whom to tell that there may be room: every change by which a claim that waits could get its place."""

from collections.abc import Callable
from typing import TypeAlias

from controller.reconcilers.gpu_partition_claim import triggers
from controller.reconcilers.gpu_partition_claim.wakeups import Change
from controller.runtime.cache.object_type import T
from controller.runtime.cache.store import StoreEvent
from controller.state.cluster import Cluster

Changed: TypeAlias = Callable[[Change], None]


def told_of_room(cluster: Cluster, changed: Changed) -> None:
    """Have `changed` called with whatever changed that could give a waiting pod its place."""
    cluster.pods.add_handler(when(triggers.frees_node, changed, Change.POD_LEFT))
    cluster.claims.add_handler(when(triggers.frees_claim, changed, Change.FREED))
    cluster.claims.add_handler(when(triggers.ends_nomination, changed, Change.FREED))
    cluster.resource_claims.add_handler(when(triggers.frees_device, changed, Change.FREED))
    cluster.nodes.add_handler(when(triggers.node_differs, changed, Change.NODE))
    cluster.gpu_nodes.add_handler(when(triggers.inventory_differs, changed, Change.INVENTORY))
    cluster.policies.add_handler(when(triggers.policy_differs, changed, Change.POLICY))
    cluster.plans.add_handler(when(triggers.plan_moves, changed, Change.PLAN))
    cluster.namespaces.add_handler(when(triggers.labels_differ, changed, Change.NAMESPACE))
    cluster.services.add_handler(when(triggers.frees_kept_place, changed, Change.FREED))
    cluster.heartbeats.on_revival(lambda: changed(Change.AGENT))


def when(helps: Callable[[StoreEvent[T]], bool], changed: Changed, change: Change) -> Callable[[StoreEvent[T]], None]:
    """A handler that tells of `change` at each event that `helps`; what was there at first is no change."""

    def take(event: StoreEvent[T]) -> None:
        if not event.initial and helps(event):
            changed(change)

    return take
