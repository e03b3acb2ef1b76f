"""What wakes plans, besides their own changes: the node they change, and the claim that they are for."""

from collections.abc import Callable

from controller.reconcilers.repartition_plan.closing import is_closing
from controller.reconcilers.repartition_plan.operation import owns
from controller.repartition.phases import TERMINAL, Phase
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest
from controller.runtime.reconcile import Request
from controller.state.cluster import Cluster

#: A request by a name that no plan can have: look for what deleted plans left on nodes.
LEFTOVERS = Request("", "Leftovers")


def plans_of_node(cluster: Cluster) -> Callable[[StoreEvent[Manifest]], list[Request]]:
    """A GPUNode's unfinished plans; a look for leftovers when it carries an operation of no plan."""

    def requests(event: StoreEvent[Manifest]) -> list[Request]:
        node = event.object
        name = node["metadata"]["name"]
        plans = [
            Request("", plan.metadata.name)
            for plan in cluster.plan_table.values()
            if plan.spec.node == name
            and plan.metadata.uid
            and (Phase(plan.status.phase) not in TERMINAL or is_closing(plan))
        ]
        operation = (node.get("spec") or {}).get("operation")
        owners = (plan.metadata.uid or "" for plan in cluster.plan_table.values())
        orphan = operation is not None and not any(owns(owner, operation["id"]) for owner in owners)
        return [*plans, LEFTOVERS] if orphan or (event.initial and not plans) else plans

    return requests


def plan_of_claim(cluster: Cluster) -> Callable[[StoreEvent[Manifest]], list[Request]]:
    """The unfinished plan of a claim that has gone, or has a place: it need not begin any more."""

    def requests(event: StoreEvent[Manifest]) -> list[Request]:
        placed = _placed(event.new) and not _placed(event.old)
        if event.initial or (event.new is not None and not placed):
            return []  # at the start every plan is looked at anyway
        plan = cluster.plan_table.for_claim(event.object["metadata"]["uid"])
        return [Request("", plan.metadata.name)] if plan is not None and plan.metadata.uid else []

    return requests


def _placed(claim: Manifest | None) -> bool:
    return bool(((claim or {}).get("status") or {}).get("allocation"))
