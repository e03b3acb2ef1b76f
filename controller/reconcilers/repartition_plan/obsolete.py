"""Whether what a plan was made for still holds.

Informers of different kinds are not in step: one may show a plan before another shows its claim. So they only raise the
doubt, and before a plan ends for it the API server is asked.
"""

from dataclasses import dataclass
from typing import Any

from api.v1beta1 import GPUNode, GPUPartitionClaim, GPUSharingPolicy, RepartitionPlan
from controller.reconcilers.repartition_plan.context import PlanContext
from controller.reconcilers.repartition_plan.feasible import expected
from controller.runtime.client.client import Client
from controller.runtime.client.errors import NotFound
from controller.runtime.client.resource import Resource
from controller.state.cluster import Cluster
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a plan refers to; None for what is not there, or not referred to. `expected`: the GPUNode will be made."""

    node: GPUNode | None
    claim: GPUPartitionClaim | None
    policy: GPUSharingPolicy | None
    expected: bool


def obsolete(cluster: Cluster, plan: RepartitionPlan) -> str | None:
    """Why, by what the informers show, the plan must not begin any more; None when it may."""
    wanted, policy = plan.spec.claim_ref, plan.spec.policy_ref
    grounds = Grounds(
        node=cluster.gpu_node_table.get(plan.spec.node),
        claim=cluster.claim_table.get(f"{wanted.namespace}/{wanted.name}") if wanted is not None else None,
        policy=cluster.policy_table.get(policy) if policy is not None else None,
        expected=expected(cluster, plan.spec.node),
    )
    return _lost(plan, grounds)


async def surely_obsolete(context: PlanContext, plan: RepartitionPlan) -> str | None:
    """The same by the API server's word. Raises ApiError when it does not answer, ValueError for what nobody knows."""
    wanted, policy = plan.spec.claim_ref, plan.spec.policy_ref
    node = await _read(context.client, GPU_NODES, plan.spec.node)
    claim = await _read(context.client, GPU_PARTITION_CLAIMS, wanted.name, wanted.namespace) if wanted else None
    rules = await _read(context.client, GPU_SHARING_POLICIES, policy) if policy is not None else None
    grounds = Grounds(
        node=GPUNode.model_validate(node) if node is not None else None,
        claim=GPUPartitionClaim.model_validate(claim) if claim is not None else None,
        policy=GPUSharingPolicy.model_validate(rules) if rules is not None else None,
        expected=expected(context.cluster, plan.spec.node),
    )
    return _lost(plan, grounds)


async def _read(client: Client, resource: Resource, name: str, namespace: str | None = None) -> dict[str, Any] | None:
    try:
        return await client.get(resource, name, namespace)
    except NotFound:
        return None


def _lost(plan: RepartitionPlan, grounds: Grounds) -> str | None:
    """Which of the plan's node, claim and policy is gone, or needs it no more."""
    if grounds.node is None and not grounds.expected:
        return f"there is no GPUNode {plan.spec.node} (kubectl get gpun lists those that are)"
    wanted = plan.spec.claim_ref
    if wanted is not None:
        if grounds.claim is None or grounds.claim.metadata.uid != wanted.uid:
            return f"claim {wanted.namespace}/{wanted.name} is gone"
        if grounds.claim.status.allocation is not None:
            return f"claim {wanted.namespace}/{wanted.name} has a place"
    if plan.spec.policy_ref is not None and (grounds.policy is None or not grounds.policy.spec.repartition.enabled):
        return f"policy {plan.spec.policy_ref} allows no change any more"
    return None
