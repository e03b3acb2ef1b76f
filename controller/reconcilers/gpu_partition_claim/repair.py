"""A bound claim that the scheduler does not confirm: another pin on the same node, another pod, or a word to a person.

A pod's nodeSelector cannot change once its gate is open, so the repair stays on the node or starts over with a new
pod, and only where a controller will make one.
"""

from dataclasses import dataclass

from api.v1beta1 import GPUPartitionClaim
from controller.placement.decision import Placed
from controller.placement.demand import Demand, PodConstraints, Requirement, Resources
from controller.placement.filters import refuse_partition
from controller.placement.scores import best_fit
from controller.placement.snapshot import Snapshot
from controller.runtime.objects.pod import Pod
from controller.translate.resource_claim import ResourceClaimView

#: How long the scheduler may take before the pin is looked at, seconds.
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Wait:
    """The scheduler has said nothing against the pin; look again after `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Repin:
    """Another free partition of the same node."""

    placed: Placed


@dataclass(frozen=True, slots=True)
class Replace:
    """None left on the node, and a controller owns the pod: delete it, its successor goes elsewhere."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """None left and nobody would make another pod: only its owner can help."""


Repair = Wait | Repin | Replace | Stuck


def taken_by_other(claims: list[ResourceClaimView], ours: str, pool: str, device: str) -> bool:
    """Whether another ResourceClaim holds the device that ours is pinned to."""
    return any(
        claim.key != ours
        and any(held.pool == pool and held.device == device and not held.admin for held in claim.devices)
        for claim in claims
    )


def unschedulable(pod: Pod | None) -> bool:
    """Whether the scheduler has said that the pod cannot be placed; of a pod that is not there it has said nothing."""
    for condition in pod.status.conditions if pod is not None else ():
        if condition.type == "PodScheduled":
            return condition.status == "False" and condition.reason == "Unschedulable"
    return False


def judge(
    snapshot: Snapshot, claim: GPUPartitionClaim, demand: Demand, *, taken: bool, refused: bool, owned: bool, age: float
) -> Repair:
    """What to do about a claim that was bound `age` seconds ago and is not allocated.

    `taken`: somebody else holds the device; `refused`: the scheduler called the pod unschedulable; `owned`: a
    controller would replace the pod.
    """
    if age < PATIENCE_SECONDS:
        return Wait(PATIENCE_SECONDS - age)
    if not taken and not refused:
        return Wait(PATIENCE_SECONDS)
    if taken:
        placed = _same_node(snapshot, claim, demand)
        if placed is not None:
            return Repin(placed)
    return Replace() if owned else Stuck()


def _same_node(snapshot: Snapshot, claim: GPUPartitionClaim, demand: Demand) -> Placed | None:
    """The best free partition of the claim's node. Node checks are over: the pod is pinned there already."""
    allocation = claim.status.allocation
    node = snapshot.node(allocation.node) if allocation is not None else None
    if node is None or not node.fresh:
        return None
    found = [
        (best_fit(snapshot, demand, node, gpu, partition), Placed.on(node, gpu, partition))
        for gpu in node.gpus
        for partition in gpu.partitions
        if refuse_partition(snapshot, demand, node, gpu, partition) is None
    ]
    return min(found, key=lambda pair: pair[0])[1] if found else None


def pinned_demand(key: str, uid: str, namespace: str, requirement: Requirement) -> Demand:
    """The demand of a pod that is pinned: nothing is left to ask of the node."""
    return Demand(key, uid, namespace, requirement, PodConstraints(resources=Resources()))
