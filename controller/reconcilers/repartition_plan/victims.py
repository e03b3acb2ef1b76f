"""The pods on the GPUs of a plan that may be asked to leave: ours alone, and whom a plan may ask."""

from collections.abc import Callable

from api.v1beta1 import RepartitionPlan
from controller.placement.snapshot import Node
from controller.reconcilers.repartition_plan.holders import touched
from controller.repartition.victims import Victim
from controller.state.cluster import Cluster
from controller.state.movable import tenant_of


def victims_of(cluster: Cluster, node: Node, plan: RepartitionPlan) -> list[Victim]:
    """Pods that opted in, hold a GPU of the plan and are not on their way out; one without a claim of ours is none."""
    bdfs = touched(plan, node)
    held = {
        partition.holder.name: partition.id
        for gpu in node.gpus
        if gpu.bdf in bdfs
        for partition in gpu.partitions
        if partition.holder is not None and partition.holder.kind == "ours"
    }
    found = (tenant_of(cluster, key, partition) for key, partition in held.items())
    return [victim for victim in found if victim is not None]


def movable(cluster: Cluster, plan: RepartitionPlan, *, approved: bool) -> Callable[[Victim], bool]:
    """Whether a pod may be moved for the plan: a person approved it, or the claim it is for has a higher priority."""
    wanted = plan.spec.claim_ref
    claim = cluster.claim_table.get(f"{wanted.namespace}/{wanted.name}") if wanted is not None else None
    reference = claim.spec.pod_ref if claim is not None else None
    waiting = cluster.pod_table.view(f"{wanted.namespace}/{reference.name}") if wanted and reference else None

    def may(victim: Victim) -> bool:
        return approved or (waiting is not None and victim.priority < waiting.priority)

    return may
