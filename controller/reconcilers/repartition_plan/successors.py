"""Who serves in place of the pods that were moved: a move is over once as many successors serve as were moved.

Where the controller's pods can be counted, by what it wants (`successors_wanted`). The rest of this is for other
controllers' pods, share groups, and old revisions' pods that hand their partitions over.

A pod of several partitions has a place for each: they are its one successor's, and count as one pod.
A successor need not serve from the place that was kept for it: the kubelet chooses devices of AMD's device plugin, and
a place may be lost. So successors are counted, those of one controller and one revision of its template together.
A sibling that is to leave as well, and was there before the eviction, takes nobody's place.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from math import floor

from api.v1beta1 import GPUPartitionClaim, RepartitionPlan
from api.v1beta1.references import PodReference
from api.v1beta1.repartition_plan import Reservation
from controller.reconcilers.repartition_plan.successors_wanted import lacking, wanted
from controller.reconcilers.unhealthy.kept import kept_places
from controller.state.cluster import Cluster
from controller.state.occupancy import HOLDING
from controller.translate.pod import PodView

#: A successor may be made this long before its predecessor's eviction stands recorded, and clocks differ, seconds. No
#: server of a model is ready that soon, so the successors of earlier moves are older.
EARLIER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Serving:
    """A pod of ours that serves, or a share group whose members do, and the partitions it has as (node, bdf, number).

    `owner` is the uid of the pod's controller, the name of the group's claim; `claim` "" for a group, whose claim keeps
    its name when it is founded anew. `leaves`: a place is kept for a successor of its own.
    """

    namespace: str
    owner: str
    template_hash: str
    claim: str
    created_seconds: float
    places: frozenset[tuple[str, str, int]]
    leaves: bool

    def succeeds(self, kept: Reservation) -> bool:
        """Whether it may be the successor: of the same controller and template, and not the pod that has to move."""
        same = (self.namespace, self.owner) == (kept.namespace, kept.owner) and self.claim != kept.claim
        return same and kept.template_hash in ("", self.template_hash)

    def holds(self, kept: Reservation) -> bool:
        """Whether it serves from the very place."""
        return (kept.node, kept.bdf, kept.partition) in self.places

    def came_after(self, kept: Reservation) -> bool:
        """Whether it was made when, or after, the pod was evicted.

        One that leaves itself is given nothing for clocks that differ: it would be gone at once, two pods for one. Made
        afterwards it is a successor nevertheless, or it and the budget would wait for each other.
        """
        if kept.evicted_time is None:
            return False
        # stored dates are cut to whole seconds
        evicted = (
            floor(kept.evicted_time.timestamp()) if self.leaves else kept.evicted_time.timestamp() - EARLIER_SECONDS
        )
        return self.created_seconds >= evicted


def all_places(cluster: Cluster, plans: Iterable[RepartitionPlan]) -> list[Reservation]:
    """Every place kept for a successor: by all `plans`, and for pods that leave broken partitions."""
    return [*chain.from_iterable(plan.status.reservations for plan in plans), *kept_places(cluster)]


def unsettled(
    cluster: Cluster, everything: Iterable[Reservation], *, only_if: Callable[[Reservation], bool] = lambda _: True
) -> list[Reservation]:
    """Those whose moves are not over: for whose pods no successor serves. Hand in all that there are.

    `only_if`: whose pods are asked about. The others' are known to leave.
    """
    known = list(everything)
    asked = [kept for kept in known if only_if(kept)]
    waiting = lacking(cluster, asked) | _unsucceeded(
        cluster, known, [kept for kept in asked if wanted(cluster, kept) is None]
    )
    return [kept for kept in asked if (kept.namespace, kept.claim) in waiting]


def _unsucceeded(cluster: Cluster, known: list[Reservation], asked: list[Reservation]) -> set[tuple[str, str]]:
    """Those of `asked` for whom no successor is found, as (namespace, claim)."""
    places = list({(kept.namespace, kept.claim): kept for kept in reversed(asked)}.values())[::-1]
    serving = list(_serving(cluster, known, {(kept.namespace, kept.owner) for kept in places})) if places else []
    # Who serves from the very place is its successor, whatever clocks say.
    left = [kept for kept in places if not _take(serving, kept, _Serving.holds)]
    # Who may succeed one that was evicted lately may succeed an earlier one, too, but not the other way round.
    settled = {id(kept) for kept in sorted(left, key=_latest_first) if _take(serving, kept, _Serving.came_after)}
    return {(kept.namespace, kept.claim) for kept in left if id(kept) not in settled}


def has_left(kept: Reservation) -> bool:
    """Whether the pod was evicted, as the record says."""
    return kept.evicted_time is not None


def still_needed(cluster: Cluster, everything: Iterable[Reservation], mine: Iterable[Reservation]) -> list[Reservation]:
    """Those of `mine` that are to stay recorded: of evicted pods of whose controller not all have a successor yet.

    They go together: if one went alone, its successor would be counted for another.
    """
    waiting = {_group(kept) for kept in unsettled(cluster, everything, only_if=has_left)}
    return [kept for kept in mine if has_left(kept) and _group(kept) in waiting]


def _serving(cluster: Cluster, everything: Iterable[Reservation], owners: set[tuple[str, str]]) -> Iterator[_Serving]:
    leaving = {(kept.namespace, kept.claim) for kept in everything}
    for claim in cluster.claim_table.values():
        if claim.status.phase not in HOLDING:
            continue
        namespace = claim.metadata.namespace or ""
        if claim.spec.share_group is None:
            found = _pod_serving(cluster, claim, owners, leaving)
        else:
            found = _group_serving(cluster, claim) if (namespace, claim.metadata.name) in owners else None
        if found is not None:
            yield found


def _pod_serving(
    cluster: Cluster, claim: GPUPartitionClaim, owners: set[tuple[str, str]], leaving: set[tuple[str, str]]
) -> _Serving | None:
    wanted = claim.spec.pod_ref
    view = _ready(cluster, claim, wanted) if wanted is not None else None
    if view is None or view.owner is None or (view.namespace, view.owner[2]) not in owners:
        return None
    own = view.namespace, view.owner[2], view.template_hash, view.claim or ""
    leaves = (view.namespace, view.claim or "") in leaving
    return _Serving(*own, view.created_seconds, _places(claim), leaves=leaves)


def _group_serving(cluster: Cluster, claim: GPUPartitionClaim) -> _Serving | None:
    """The group, once every member with a share serves."""
    made = claim.metadata.creation_timestamp
    shares = claim.status.shares
    if not shares or any(_ready(cluster, claim, share.pod) is None for share in shares):
        return None
    own = claim.metadata.namespace or "", claim.metadata.name, "", ""
    created_seconds = made.timestamp() if made is not None else 0.0
    return _Serving(*own, created_seconds, _places(claim), leaves=False)


def _places(claim: GPUPartitionClaim) -> frozenset[tuple[str, str, int]]:
    allocation = claim.status.allocation
    devices = allocation.devices if allocation is not None else []
    node = allocation.node if allocation is not None else ""
    return frozenset((node, device.bdf, device.partition) for device in devices)


def _ready(cluster: Cluster, claim: GPUPartitionClaim, wanted: PodReference) -> PodView | None:
    """That pod of the claim when it serves."""
    view = cluster.pod_table.view(f"{claim.metadata.namespace}/{wanted.name}")
    if view is None or view.uid != wanted.uid:
        return None
    return view if view.serves else None


def _take(serving: list[_Serving], kept: Reservation, fits: Callable[[_Serving, Reservation], bool]) -> bool:
    """Take the first possible successor that `fits` off the list; whether there was one."""
    found = next((each for each in serving if each.succeeds(kept) and fits(each, kept)), None)
    if found is not None:
        serving.remove(found)
    return found is not None


def _latest_first(kept: Reservation) -> tuple[float, bool]:
    return -(kept.evicted_time.timestamp() if kept.evicted_time is not None else 0.0), not kept.template_hash


def _group(kept: Reservation) -> tuple[str, str, str]:
    return kept.namespace, kept.owner, kept.template_hash
