"""Places kept on nodes for the successors of pods that leave broken partitions."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from api.group import GROUP_CLAIM_PREFIX
from api.v1beta1.repartition_plan import Reservation
from controller.runtime.manifest import key_of
from controller.state.cluster import Cluster

#: How long a place is kept for a successor that does not come, seconds.
KEPT_SECONDS = 600.0


def kept_places(cluster: Cluster) -> Iterator[Reservation]:
    """All of them, over all nodes."""
    for node in cluster.gpu_node_table.values():
        yield from node.spec.reservations


def kept_for(cluster: Cluster, namespace: str, claim: str) -> list[Reservation]:
    """The places of one claim's successor, one for each partition."""
    return [kept for kept in kept_places(cluster) if (kept.namespace, kept.claim) == (namespace, claim)]


def pods_of(cluster: Cluster, reservations: Iterable[Reservation]) -> int:
    """How many pods these places were left or are to be left for; of a share group, as many as it has."""
    return sum(_size(cluster, *left) for left in {(kept.namespace, kept.claim) for kept in reservations})


def _size(cluster: Cluster, namespace: str, claim: str) -> int:
    if not claim.startswith(GROUP_CLAIM_PREFIX):
        return 1
    stored = cluster.pods.store.by_index("claim", f"{namespace}/{claim}")
    views = (cluster.pod_table.view(key_of(each)) for each in stored)
    return max(1, sum(view is not None and not view.terminal and not view.deleting for view in views))


def behind(cluster: Cluster, kept: Reservation) -> int:
    """How many pods with a place that were not asked to leave yet are not before this one, itself included."""
    waiting = [other for other in kept_places(cluster) if other.evicted_time is None]
    own = kept.namespace, kept.claim
    return pods_of(cluster, [other for other in waiting if (other.namespace, other.claim) >= own])


def overdue(kept: Reservation, now: datetime) -> bool:
    """Whether the successor had its time."""
    return kept.evicted_time is not None and (now - kept.evicted_time).total_seconds() > KEPT_SECONDS
