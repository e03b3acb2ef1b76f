"""Which old-revision pod gives up its partition to a newest-revision pod that found none. Decisions only; no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.placement.decision import Placed
from controller.placement.demand import Demand
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Node, Snapshot


@dataclass(frozen=True, slots=True)
class OldPod:
    """A pod of an older revision that holds partitions: the key of its claim, the node, and whether it serves."""

    claim: str
    name: str
    uid: str
    node: str
    ready: bool


@dataclass(frozen=True, slots=True)
class Family:
    """The pods of one Deployment beside the one that waits.

    `starting`: newest-revision pods that have their partition and are not ready. `leaving`: pods on their way out.
    `down` pods are unavailable for changes of all kinds already.
    """

    old: Sequence[OldPod]
    starting: int
    leaving: int
    down: int


@dataclass(frozen=True, slots=True)
class Hand:
    """This pod is to go; the place is then the waiting pod's."""

    pod: OldPod
    placed: Placed


@dataclass(frozen=True, slots=True)
class Hold:
    """Nobody goes now, and why. `soon`: what it waits for is under way."""

    reason: str
    soon: bool = False


def decide_handover(scheduler: ModelScheduler, snapshot: Snapshot, demand: Demand, family: Family) -> Hand | Hold:
    """The pod that hands over, those that do not serve first; one at a time, each after the last one's heir serves."""
    willing = [pod for pod in family.old if _hands_over(snapshot.node(pod.node))]
    if not demand.newest or not willing:
        return Hold("no old pod is on a node whose policy lets it hand over")
    if family.leaving or family.starting:
        return Hold("the pod of the last handover does not serve yet", soon=True)
    for pod in sorted(willing, key=lambda pod: (pod.ready, pod.name)):
        limit = _budget(snapshot.node(pod.node))
        if family.down >= limit:
            return Hold(f"{family.down} of repartition.maxUnavailablePods {limit} pods are down")
        with snapshot.without([pod.claim]):
            decision = scheduler.schedule(snapshot, demand)
        if isinstance(decision, Placed):
            return Hand(pod, decision)
    return Hold("no old pod holds what the new one needs")


def _hands_over(node: Node | None) -> bool:
    return node is not None and node.policy is not None and node.policy.handover and not node.policy.paused


def _budget(node: Node | None) -> int:
    return node.policy.max_unavailable_pods if node is not None and node.policy is not None else 0
