"""What a share group has given to whom, what is left, and why members wait: worked out by the operator's own steps."""

from collections.abc import Iterator
from typing import Any

from api.v1beta1 import GPUPartitionClaim
from controller.binding.shares import left
from controller.cli.live_cluster import Live
from controller.placement.scheduler import ModelScheduler
from controller.reconcilers.share_group.demands import whole_of
from controller.reconcilers.share_group.joining import decide_joining, group_place
from controller.reconcilers.share_group.members import Group, gather
from controller.translate.share_group import shares_of

Document = dict[str, Any]


def group_document(live: Live, key: str, claim: GPUPartitionClaim, scheduler: ModelScheduler) -> Document:
    """The group's members for programs. `left` is null while it has no partition that the inventory knows.

    Members are pods of the claim's own namespace, which whoever may read the claim is told of there, too.
    """
    group = gather(live, key, claim)
    return {
        "group": {
            "name": claim.spec.share_group,
            "members": [
                {
                    "pod": held.share.pod.name,
                    "bytes": int(held.share.bytes),
                    "computeUnits": held.share.compute_units,
                    "ready": held.pod is not None and held.pod.ready,
                }
                for held in group.held
            ],
            "left": _left(live, claim),
            "waiting": list(_waiting(live, key, claim, group, scheduler)),
        }
    }


def _left(live: Live, claim: GPUPartitionClaim) -> Document | None:
    place = group_place(live.cluster.snapshot(), claim) if claim.status.allocation is not None else None
    if place is None:
        return None
    rest = left(whole_of(place.partition), shares_of(claim))
    return {"bytes": rest.bytes, "computeUnits": rest.units}


def _waiting(
    live: Live, key: str, claim: GPUPartitionClaim, group: Group, scheduler: ModelScheduler
) -> Iterator[Document]:
    """Those without a share. While the group has no partition its own explanation tells why they wait."""
    for pod in group.hindered:
        yield {"pod": pod.pod.name, "reason": pod.reason, "message": pod.message}
    if claim.status.allocation is None:
        yield from ({"pod": each.pod.name, "reason": None, "message": None} for each in group.waiting)
        return
    _, refused = decide_joining(live.cluster, scheduler, key, claim, group)
    told = {each.member.pod.name: each for each in refused}
    for member in group.waiting:
        why = told.get(member.pod.name)
        yield {
            "pod": member.pod.name,
            "reason": why.reason if why is not None else None,
            "message": why.message if why is not None else "a share is free for it; the operator gives it next",
        }
