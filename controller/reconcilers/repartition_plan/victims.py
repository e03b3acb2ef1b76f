"""The pods on the GPUs of a plan that may be asked to leave: ours alone, each with what its successor will need."""

from collections.abc import Callable

from api.quantity import parse_quantity
from api.v1beta1 import GPUPartitionClaim, RepartitionPlan
from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.snapshot import Node
from controller.reconcilers.repartition_plan.holders import touched
from controller.repartition.victims import Victim
from controller.state.cluster import Cluster
from controller.translate.pod import constraints


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
    found = (victim_of(cluster, key, partition) for key, partition in held.items())
    return [victim for victim in found if victim is not None]


def victim_of(cluster: Cluster, claim_key: str, partition: PartitionId) -> Victim | None:
    """The pod of a claim as one that is to leave that partition; None when it has none, or goes already."""
    claim = cluster.claim_table.get(claim_key)
    if claim is None or claim.spec.pod_ref is None:
        return None
    key = f"{claim.metadata.namespace}/{claim.spec.pod_ref.name}"
    view, pod = cluster.pod_table.view(key), cluster.pods.store.get(key)
    if view is None or pod is None or view.uid != claim.spec.pod_ref.uid or view.claim is None:
        return None
    if view.deleting or view.terminal:
        return None
    return Victim(
        namespace=view.namespace,
        pod=view.name,
        uid=view.uid,
        claim=view.claim,
        owner=view.owner[2] if view.owner is not None else "",
        template_hash=view.template_hash,
        priority=view.priority,
        partition=partition,
        requirement_bytes=_bytes(claim),
        constraints=constraints(pod.spec),
        ready=view.ready,
        created_seconds=view.created_seconds,
        modes=frozenset(map(Mode.parse, claim.spec.requirement.modes)),
        policy=claim.spec.policy_ref,
    )


def _bytes(claim: GPUPartitionClaim) -> int:
    """What the pod needs; one of unknown size needs no less than it has."""
    wanted = claim.spec.requirement.memory
    if wanted is not None:
        return parse_quantity(wanted)
    allocation = claim.status.allocation
    return max((device.bytes for device in allocation.devices), default=0) if allocation is not None else 0


def movable(cluster: Cluster, plan: RepartitionPlan, *, approved: bool) -> Callable[[Victim], bool]:
    """Whether a pod may be moved for the plan: a person approved it, or the claim it is for has a higher priority."""
    wanted = plan.spec.claim_ref
    claim = cluster.claim_table.get(f"{wanted.namespace}/{wanted.name}") if wanted is not None else None
    reference = claim.spec.pod_ref if claim is not None else None
    waiting = cluster.pod_table.view(f"{wanted.namespace}/{reference.name}") if wanted and reference else None

    def may(victim: Victim) -> bool:
        return approved or (waiting is not None and victim.priority < waiting.priority)

    return may
