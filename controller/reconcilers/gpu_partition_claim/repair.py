"""A bound claim that the scheduler does not confirm: another pin on the same node, another pod, or a word to a person.

A pod's nodeSelector cannot change once its gate is open, so the repair stays on the node or starts over with a new
pod, and only where a controller will make one. A pod that the scheduler refuses for another reason than its device is
made anew where another node would take it, later each time; else it waits where it is, for there it may be taken yet.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from api.v1beta1 import GPUPartitionClaim
from controller.placement.candidates import best_partitions
from controller.placement.decision import Placed
from controller.placement.demand import Demand, PodConstraints, Requirement, Resources
from controller.placement.explanation import within_bytes
from controller.placement.scores import Scorer, best_fit
from controller.placement.snapshot import Snapshot
from controller.runtime.objects.pod import Pod

#: How long the scheduler may take before the pin is looked at, seconds.
PATIENCE_SECONDS = 30.0
#: What is told of the scheduler's words at most, bytes: they may name every node of the cluster.
MOST_WORDS = 400


@dataclass(frozen=True, slots=True)
class Wait:
    """The scheduler has said nothing against the pin; look again after `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Repin:
    """Another place on the same node."""

    placed: Placed


@dataclass(frozen=True, slots=True)
class Replace:
    """Not on that node, and a controller owns the pod: delete it, its successor goes elsewhere.

    `refused`: for what the scheduler says, and not because the node has no partition left.
    """

    refused: bool = False


@dataclass(frozen=True, slots=True)
class Stuck:
    """Nothing is done by itself: only its owner can help, or the scheduler where `refused` may take it yet."""

    refused: bool = False


Repair = Wait | Repin | Replace | Stuck


def unschedulable(pod: Pod | None) -> bool:
    """Whether the scheduler has said that the pod cannot be placed; of a pod that is not there it has said nothing."""
    return refusal(pod) is not None


def refusal(pod: Pod | None) -> str | None:
    """The scheduler's words about a pod that it cannot place; None while it has said nothing against it."""
    for condition in pod.status.conditions if pod is not None else ():
        if condition.type == "PodScheduled":
            refused = condition.status == "False" and condition.reason == "Unschedulable"
            return within_bytes(condition.message or "no reason given", MOST_WORDS) if refused else None
    return None


def judge(
    snapshot: Snapshot,
    claim: GPUPartitionClaim,
    demand: Demand,
    *,
    lost: Collection[tuple[str, str]],
    refused: bool,
    owned: bool,
    age: float,
    patience: float = PATIENCE_SECONDS,
    elsewhere: Callable[[], bool] = lambda: True,
    scorer: Scorer = best_fit,
) -> Repair:
    """What to do about a claim that was bound `age` seconds ago and is not allocated.

    `lost`: its devices, as (pool, name), that somebody else holds; `refused`: the scheduler called the pod
    unschedulable; `owned`: a controller would replace the pod; `scorer`: by which another place is chosen. `patience`:
    how old the claim must be before a pod that was refused is replaced; `elsewhere`: whether another node has a place.
    """
    if age < PATIENCE_SECONDS:
        return Wait(PATIENCE_SECONDS - age)
    if not lost and not refused:
        return Wait(PATIENCE_SECONDS)
    if not lost:
        again = owned and age >= patience and elsewhere()
        return Replace(refused=True) if again else Stuck(refused=True)
    placed = _same_node(snapshot, claim, demand, lost, scorer)
    if placed is not None:
        return Repin(placed)
    return Replace() if owned else Stuck()


def _same_node(
    snapshot: Snapshot, claim: GPUPartitionClaim, demand: Demand, lost: Collection[tuple[str, str]], scorer: Scorer
) -> Placed | None:
    """The best place on the claim's node. Node checks are over: the pod is pinned there already.

    The claim's own partitions are as good as any, but for those that are lost, whether the snapshot knows it or not.
    """
    allocation = claim.status.allocation
    node = snapshot.node(allocation.node) if allocation is not None else None
    if node is None or not node.fresh:
        return None
    with snapshot.without([demand.key]):
        for gpu in node.gpus:
            gone = [one for one in gpu.partitions if (node.pool, one.device) in lost and not snapshot.holder(node, one)]
            snapshot.hold(node, gone, "somebody else's", Resources())
        found = best_partitions(snapshot, demand, node, scorer)
    return found.placed if found is not None else None


def pinned_demand(key: str, uid: str, namespace: str, requirement: Requirement) -> Demand:
    """The demand of a pod that is pinned: nothing is left to ask of the node."""
    return Demand(key, uid, namespace, requirement, PodConstraints(resources=Resources()))
