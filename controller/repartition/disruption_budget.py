"""May a mode change run now? Checks in order, each a CamelCase reason and a sentence, or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.placement.demand import Demand
from controller.placement.snapshot import Node


@dataclass(frozen=True, slots=True)
class Refused:
    """Why no change may run on a node now."""

    reason: str
    message: str


def refuse_change(demand: Demand, node: Node, active_nodes: Sequence[str]) -> Refused | None:
    """The first rule that forbids a change on `node` for `demand`.

    `active_nodes` are the nodes with a plan under way; budgets count them across the cluster.
    """
    policy = node.policy
    if policy is None or not policy.repartition:
        return Refused("RepartitionDisabled", f"no policy with repartition.enabled selects node {node.name}")
    if policy.paused or node.paused:
        return Refused("Paused", f"node {node.name} or its policy {policy.name} is paused")
    if not policy.admits(demand.namespace):
        return Refused("PolicyMismatch", f"policy {policy.name} does not select namespace {demand.namespace}")
    if node.name in active_nodes:
        return Refused("RepartitionRunning", f"node {node.name} has a mode change under way")
    if len(active_nodes) >= policy.max_parallel_nodes:
        return Refused(
            "RepartitionBudget",
            f"{len(active_nodes)} of repartition.maxParallelNodes {policy.max_parallel_nodes} nodes are changing",
        )
    if policy.cooldown_left > 0:
        return Refused("Cooldown", f"node {node.name} changed lately; next change in {policy.cooldown_left:.0f} s")
    return None
