"""Places kept for successors: as the status has them, whether they are still good, and how many wait for theirs."""

from collections.abc import Iterable
from datetime import datetime

from api.v1beta1 import RepartitionPlan
from api.v1beta1.repartition_plan import Reservation
from controller.placement.snapshot import Snapshot
from controller.reconcilers.repartition_plan.successors import all_places, has_left, unsettled
from controller.reconcilers.unhealthy.kept import pods_of
from controller.repartition.move import Move
from controller.state.cluster import Cluster
from controller.translate.pod import PodView


def reservation(move: Move) -> Reservation:
    """The record of a move that was decided."""
    victim = move.victim
    return Reservation(
        namespace=victim.namespace,
        pod=victim.pod,
        claim=victim.claim,
        owner=victim.owner,
        template_hash=victim.template_hash,
        node=move.node,
        bdf=move.partition.bdf,
        partition=move.partition.index,
        mode=str(move.mode),
        bytes=move.bytes,
    )


def still_there(cluster: Cluster, kept: Reservation) -> PodView | None:
    """The pod that is to leave; None once it has gone or is going. A later pod of its name has another claim."""
    view = cluster.pod_table.view(f"{kept.namespace}/{kept.pod}")
    if view is None or view.claim != kept.claim or view.deleting or view.terminal:
        return None
    return view


def evicted(kept: Reservation, now: datetime) -> Reservation:
    """The record once the pod goes."""
    return kept.model_copy(update={"evicted_time": now})


def as_they_left(cluster: Cluster, plan: RepartitionPlan, now: datetime) -> list[Reservation]:
    """The plan's places, with evictions that were never recorded: the operator died, or another wrote the plan."""
    return [
        evicted(kept, now) if kept.evicted_time is None and still_there(cluster, kept) is None else kept
        for kept in plan.status.reservations
    ]


def holds(snapshot: Snapshot, kept: Reservation) -> bool:
    """Whether the place is as it was when it was chosen: there, in that mode, fit for use and nobody's."""
    node = snapshot.node(kept.node)
    return node is not None and any(
        str(gpu.mode) == kept.mode and partition.healthy and not partition.quarantined and partition.holder is None
        for gpu in node.gpus
        if gpu.bdf == kept.bdf
        for partition in gpu.partitions
        if partition.id.index == kept.partition
    )


def unavailable_pods(cluster: Cluster, plans: Iterable[RepartitionPlan], *, but: str = "") -> int:
    """Pods that are down for changes, or will be at once, over all `plans`: their successors do not serve yet.

    Those that leave broken partitions count, too, and those that leave for claims: one budget is for all. `but`: the
    uid of one that leaves for a claim and is not counted.
    """
    return pods_of(cluster, unsettled(cluster, all_places(cluster, plans))) + cluster.leaving.count(but=but)


def down(cluster: Cluster, plans: Iterable[RepartitionPlan]) -> int:
    """Those of them that have left already, or leave for claims."""

    def left(kept: Reservation) -> bool:
        return has_left(kept) or still_there(cluster, kept) is None

    return pods_of(cluster, unsettled(cluster, all_places(cluster, plans), only_if=left)) + cluster.leaving.count()
