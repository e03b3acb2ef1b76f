"""Places kept on nodes for the successors of pods that leave broken partitions."""

from collections.abc import Iterator
from datetime import datetime

from api.v1beta1.repartition_plan import Reservation
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


def behind(cluster: Cluster, kept: Reservation) -> int:
    """How many pods with a place that were not asked to leave yet are not before this one, itself included."""
    waiting = {(other.namespace, other.claim) for other in kept_places(cluster) if other.evicted_time is None}
    return sum(other >= (kept.namespace, kept.claim) for other in waiting)


def overdue(kept: Reservation, now: datetime) -> bool:
    """Whether the successor had its time."""
    return kept.evicted_time is not None and (now - kept.evicted_time).total_seconds() > KEPT_SECONDS
