"""What a plan would do to pods, as a person who approves it wants to see: who moves, from where, to where."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from api.v1beta1 import RepartitionPlan
from api.v1beta1.references import NamespacedName
from api.v1beta1.repartition_plan import Approval, PlanCost
from controller.placement.snapshot import Node
from controller.reconcilers.repartition_plan.cost import cost_of
from controller.reconcilers.repartition_plan.holders import touched
from controller.reconcilers.repartition_plan.victims import movable, victims_of
from controller.repartition.disruption_budget import Refused
from controller.repartition.drain import Drain, decide_drain
from controller.repartition.move import Move
from controller.repartition.victims import Victim
from controller.state.cluster import Cluster

_LINE, _LINES = 256, 512


@dataclass(frozen=True, slots=True)
class Impact:
    """The pods that have to move, a line for each before and after, and the cost; `message` says it in short."""

    affected_pods: list[NamespacedName]
    before: list[str]
    after: list[str]
    message: str
    cost: PlanCost

    @property
    def changes(self) -> dict[str, Any]:
        """As fields of the status."""
        return {"affected_pods": self.affected_pods, "before": self.before, "after": self.after, "cost": self.cost}


def impact(cluster: Cluster, plan: RepartitionPlan) -> Impact:
    """The impact if the plan began now with the approval that it asks for; nothing is reserved."""
    snapshot = cluster.snapshot()
    node = snapshot.node(plan.spec.node)
    victims = victims_of(cluster, node, plan) if node is not None else []
    if node is None or not victims:
        return Impact([], [], [], "no pod has to move", cost_of(cluster, plan, ()))
    approved = plan.spec.approved or plan.spec.approval is Approval.MANUAL
    allowed = movable(cluster, plan, approved=approved)
    decided = decide_drain(snapshot, node.name, touched(plan, node), victims, budget_left=len(victims), allowed=allowed)
    return Impact(
        [NamespacedName(namespace=victim.namespace, name=victim.pod) for victim in victims][:_LINES],
        [_line(victim, node) for victim in victims][:_LINES],
        _after(victims, decided)[:_LINES],
        _message(len(victims), decided),
        cost_of(cluster, plan, victims),
    )


def line(pod: str, node: str, partition: object, mode: object) -> str:
    """A pod and its place."""
    return f"{pod}: {node} {partition} {mode}"[:_LINE]


def lines(moves: Iterable[Move]) -> dict[str, str]:
    """By pod, the line with its place, or with all of them."""
    places: dict[str, list[Move]] = {}
    for move in moves:
        places.setdefault(move.victim.name, []).append(move)
    return {
        pod: line(pod, found[0].node, ",".join(str(move.partition) for move in found), found[0].mode)
        for pod, found in places.items()
    }


def _line(victim: Victim, node: Node) -> str:
    mode = next(gpu.mode for gpu in node.gpus if gpu.bdf == victim.partition.bdf)
    return line(victim.name, node.name, victim.partition, mode)


def _after(victims: list[Victim], decided: Drain | Refused) -> list[str]:
    moved = lines(decided.moves) if isinstance(decided, Drain) else {}
    return [moved.get(victim.name) or f"{victim.name}: no place"[:_LINE] for victim in victims]


def _message(count: int, decided: Drain | Refused) -> str:
    pods = "1 pod has" if count == 1 else f"{count} pods have"
    held_up = decided.message if isinstance(decided, Refused) else decided.waiting
    return f"{pods} to move" + (f", and cannot yet: {held_up}" if held_up else "")
