"""Claims that have a place, as preemption and quotas see them: joined from claims and their pods, when it is asked."""

from collections.abc import Callable, Collection, Iterator

from api.group import GANG
from api.v1beta1 import GPUPartitionClaim
from controller.placement.occupant import Occupant
from controller.runtime.manifest import Manifest
from controller.state.claimed import claimed_bytes
from controller.state.occupancy import HOLDING
from controller.state.pods import PodTable
from controller.state.table import Table
from controller.translate.pod import PodView
from controller.translate.request import gang_request


def occupants(
    claims: Table[Manifest, GPUPartitionClaim],
    pods: PodTable,
    policy_of: Callable[[str], str],
    refused: Collection[str] = (),
) -> Iterator[Occupant]:
    """Every claim with a place. `policy_of` names the policy of a node, `refused` the uids of pods whose eviction was.

    One whose pod is gone, or has ended, is about to give its place back, so it counts as leaving.
    """
    for key, claim in claims.items():
        allocation = claim.status.allocation
        if allocation is not None and claim.status.phase in HOLDING:
            yield occupant(key, claim, pods, policy_of(allocation.node), refused)


def occupant(
    key: str, claim: GPUPartitionClaim, pods: PodTable, policy: str, refused: Collection[str] = ()
) -> Occupant:
    """One of them. Raises ValueError for a claim without a place."""
    allocation = claim.status.allocation
    if allocation is None:
        raise ValueError(f"claim {key} has no place: it occupies nothing")
    view = pods.of_claim(claim)
    uid = claim.spec.pod_ref.uid if claim.spec.pod_ref is not None else ""
    return Occupant(
        key=key,
        uid=uid,
        pod=view.name if view is not None else "",
        namespace=claim.metadata.namespace or "",
        node=allocation.node,
        policy=policy,
        priority=view.priority if view is not None else 0,
        bytes=claimed_bytes(claim),
        created_seconds=view.created_seconds if view is not None else 0.0,
        ready=view.ready if view is not None else False,
        owned=view is not None and view.owner is not None,
        movable=view is not None and not view.terminal,
        # a share group's claim has no pod of its own, and lives as long as its members
        leaving=bool(uid) and (view is None or view.deleting or view.terminal),
        refused=uid in refused,
        gang=_gang(view),
    )


def _gang(pod: PodView | None) -> str:
    wanted = gang_request(pod.annotations) if pod is not None and GANG in pod.annotations else None
    return wanted.name if wanted is not None else ""
