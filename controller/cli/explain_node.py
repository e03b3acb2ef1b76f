"""What there is to say about one GPU node: whether it takes pods, its GPUs, who holds them, what changes them."""

from typing import Any

from api.v1beta1 import RepartitionPlan
from controller.cli.access import Access
from controller.cli.explain_claim import holders
from controller.cli.live_cluster import Live
from controller.placement.demand import Demand, Requirement
from controller.placement.filters import NODE_FILTERS
from controller.placement.snapshot import Gpu, Node, Snapshot

Document = dict[str, Any]

#: What any pod would ask of the node.
_ANYTHING = Demand(key="", uid="", namespace="", requirement=Requirement(0))
#: Checks that are about the asking pod, and say nothing of the node.
_OF_THE_POD = frozenset({"PolicyMismatch", "BindingMismatch", "TaintNotTolerated", "NodeExcluded"})


async def explain_node(live: Live, name: str, access: Access) -> Document | None:
    """The node as decisions see it; None for one that is not managed or has told nothing yet."""
    snapshot = live.cluster.snapshot()
    node = snapshot.node(name)
    if node is None:
        return None
    policy, plans = node.policy, live.cluster.plan_table
    left = node.allocatable.minus(snapshot.used(node))
    return {
        "policy": policy.name if policy is not None else None,
        "repartition": policy.approval if policy is not None and policy.repartition else None,
        "refusals": [
            {"reason": reason, "message": message}
            for reason, check in NODE_FILTERS
            if reason not in _OF_THE_POD and (message := check(snapshot, _ANYTHING, node)) is not None
        ],
        "taints": [f"{taint.key}={taint.value}:{taint.effect}" for taint in node.taints],
        "left": {"cpuMilli": left.cpu_milli, "memoryBytes": left.memory_bytes, "pods": left.pods},
        "gpus": [_gpu(snapshot, node, gpu) for gpu in node.gpus],
        "holders": await holders(snapshot, access, [name]),
        "plans": list(plans.running_on(name)),
        "awaiting": plans.awaiting_on(name),
        "awaitingFor": _what_for(plans.get(plans.awaiting_on(name) or "")),
    }


def _what_for(plan: RepartitionPlan | None) -> Document | None:
    """Gain and cost of a plan in words, None for what nobody worked out."""
    if plan is None:
        return None
    gain, cost = plan.spec.gain, plan.status.cost
    return {"gain": gain.summary if gain is not None else None, "cost": cost.summary if cost is not None else None}


def _gpu(snapshot: Snapshot, node: Node, gpu: Gpu) -> Document:
    return {
        "bdf": gpu.bdf,
        "product": gpu.product,
        "mode": str(gpu.mode),
        "partitions": len(gpu.partitions),
        "free": snapshot.free(node, gpu),
        "unhealthy": sum(not partition.healthy for partition in gpu.partitions),
        "quarantined": sum(partition.quarantined for partition in gpu.partitions),
        "reserved": sum(partition.reservation is not None for partition in gpu.partitions),
        "bytes": max((partition.bytes for partition in gpu.partitions), default=0),
        "plan": gpu.plan,
    }
