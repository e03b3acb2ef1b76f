"""Whether a move is over where the controller's pods can be counted: it lacks none of the pods that it wants.

Nobody is taken for anybody's successor, and no date of the operator's clock is compared. So neither clocks that differ,
nor a pod that came for another reason, nor an eviction whose record was lost can make a move look over.
"""

from collections.abc import Container, Iterable, Iterator

from api.v1beta1.repartition_plan import Reservation
from controller.state.cluster import Cluster
from controller.state.wanted import Wanted
from controller.translate.pod import PodView


def wanted(cluster: Cluster, kept: Reservation) -> Wanted | None:
    """What the controller of a moved pod wants; None where that is not known, as of all but ReplicaSets.

    Not known either: of an old revision's pod that hands its partition over, for its place is another controller's, and
    for those who did not list the ReplicaSets.
    """
    return cluster.wanted_pods.of(kept.owner, kept.pod, kept.template_hash) if cluster.replica_sets.synced else None


def lacking(cluster: Cluster, moved: Iterable[Reservation]) -> set[tuple[str, str]]:
    """Of `moved` pods whose controllers' wishes are known those that are down, as (namespace, claim).

    A controller's moves are open as far as fewer of its pods serve, without the moved ones, than it wants: as many
    moves as it lacks pods, and none once it is gone. A pod that does not serve and is older than the plan is not
    lacked for the plan's sake.
    """
    moves: dict[tuple[str, str, Wanted], dict[str, None]] = {}
    for kept in moved:
        wish = wanted(cluster, kept)
        if wish is not None:
            moves.setdefault((kept.namespace, kept.owner, wish), {})[kept.claim] = None
    since = _planned(cluster) if moves else {}
    found: set[tuple[str, str]] = set()
    for (namespace, owner, wish), claims in moves.items():
        planned = min(since.get((namespace, claim), 0.0) for claim in claims)
        there = _others(cluster, namespace, owner, wish, claims)
        lacks = wish.pods - sum(pod.serves or pod.created_seconds < planned for pod in there)
        found |= {(namespace, claim) for claim in [*claims][: max(0, lacks)]}
    return found


def _planned(cluster: Cluster) -> dict[tuple[str, str], float]:
    """When the plans were made that move pods, by namespace and claim: by the API server's clock, as pods are."""
    return {
        (kept.namespace, kept.claim): plan.metadata.creation_timestamp.timestamp()
        for plan in cluster.plan_table.values()
        if plan.metadata.creation_timestamp is not None
        for kept in plan.status.reservations
    }


def _others(cluster: Cluster, namespace: str, owner: str, wish: Wanted, moved: Container[str]) -> Iterator[PodView]:
    """The controller's pods that stay, without those that were moved: a watch may show them as they were."""
    for pod in cluster.pods_by("set", f"{namespace}/{wish.name}") if wish.name else ():
        if pod.owner is not None and pod.owner[2] == owner and pod.stays and pod.claim not in moved:
            yield pod
