"""What wakes plans: the node they change, and pods, claims and policies that they wait for."""

from collections.abc import Callable

from controller.reconcilers.repartition_plan.closing import is_closing
from controller.repartition.phases import TERMINAL, Phase
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest
from controller.runtime.reconcile import Request
from controller.state.cluster import Cluster

#: A request by a name that no plan can have: look for what deleted plans left on nodes.
LEFTOVERS = Request("", "Leftovers")


def plans_of_node(cluster: Cluster) -> Callable[[StoreEvent[Manifest]], list[Request]]:
    """A GPUNode's unfinished plans; a look for leftovers when it carries an operation and no plan is under way."""

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
        ordered = "operation" in (node.get("spec") or {})
        return plans if plans or not (ordered or event.initial) else [LEFTOVERS]

    return requests
