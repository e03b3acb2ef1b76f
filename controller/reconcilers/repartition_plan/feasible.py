"""Whether a plan can be carried out at all, and what its node lacks until anything can be begun there.

The judgement is `repartition.feasibility`'s; here are its facts: the GPUNode as its agent wrote it, the policy that
rules the node, and what else changes the node at this moment.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from api.condition import ConditionStatus, find_condition
from api.group import MANAGED_LABEL
from api.v1beta1 import GPUNode, GPUSharingPolicy, RepartitionPlan
from api.v1beta1.gpu_layout import Layout
from controller.reconcilers.repartition_plan.closing import under_way
from controller.reconcilers.repartition_plan.context import PlanContext
from controller.reconcilers.repartition_plan.operation import owns
from controller.repartition.device_config_manager import dcm_managed, is_partitioned_elsewhere
from controller.repartition.feasibility import Bounds, Hardware, Problem, ReportedGpu, problems, sentence
from controller.repartition.phases import Phase
from controller.runtime.client.errors import NotFound
from controller.state.cluster import Cluster
from controller.state.kinds import GPU_NODES, GPU_SHARING_POLICIES
from controller.translate.node import CONSISTENT, READS_ONLY
from controller.translate.policy import policy_for

#: The backend of an agent that reads the kernel's files alone.


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a plan cannot be carried out: the first problem's name, and all problems with their remedies."""

    reason: str
    message: str


def refusal(cluster: Cluster, plan: RepartitionPlan) -> Refusal | None:
    """Why, by what the informers show, the plan can never run; None when it can, or when nobody knows yet."""
    node = cluster.gpu_node_table.get(plan.spec.node)
    return _refusal(cluster, plan, node, cluster.policy_table.values()) if node is not None else None


async def surely_refused(context: PlanContext, plan: RepartitionPlan) -> Refusal | None:
    """The same by the API server's word. Raises ApiError when it does not answer, ValueError for what nobody knows."""
    if refusal(context.cluster, plan) is None:
        return None
    try:
        node = GPUNode.model_validate(await context.client.get(GPU_NODES, plan.spec.node))
    except NotFound:
        return None
    stored = await context.client.list(GPU_SHARING_POLICIES)
    return _refusal(context.cluster, plan, node, [GPUSharingPolicy.model_validate(each) for each in stored.items])


def unready(cluster: Cluster, plan: RepartitionPlan) -> str | None:
    """What the node lacks until anybody may be disturbed there, as a sentence; None when nothing."""
    name, node = plan.spec.node, cluster.gpu_node_table.get(plan.spec.node)
    unknown = no_inventory(cluster, plan)
    if unknown is not None or node is None:
        return unknown
    if not cluster.heartbeats.fresh(name):
        return f"waits for the agent of node {name}, whose Lease is not renewed"
    found = _problems(cluster, plan, node, cluster.policy_table.values())
    facts = "; ".join(problem.fact for problem in found) or managed_elsewhere(cluster, plan)
    return f"waits: {facts}" if facts else None


def no_inventory(cluster: Cluster, plan: RepartitionPlan) -> str | None:
    """That nothing is known of the node's GPUs yet, as a sentence; None when it is."""
    name, node = plan.spec.node, cluster.gpu_node_table.get(plan.spec.node)
    if node is None:
        return f"waits: node {name} has no GPUNode yet"
    if cluster.host_table.get(name) is None:
        return f"waits: there is a GPUNode {name} and no Node of that name"
    if not node.spec.managed:
        return f"waits: spec.managed of GPUNode {name} is false; set it to true"
    if not node.status.gpus:
        return f"waits: the agent of node {name} has reported no GPU yet"
    return None


def expected(cluster: Cluster, name: str) -> bool:
    """Whether a GPUNode that is not there will be made: its Node says that it is managed."""
    host = cluster.host_table.get(name)
    return host is not None and host.labels.get(MANAGED_LABEL) == "true"


def managed_elsewhere(cluster: Cluster, plan: RepartitionPlan) -> str | None:
    """That AMD's Device Config Manager has the node, in a sentence; None when it has not, or the policy ignores it."""
    host = cluster.host_table.get(plan.spec.node)
    if host is None or not dcm_managed(host.labels):
        return None
    node = cluster.snapshot().node(plan.spec.node)
    policy = node.policy if node is not None else None
    if policy is not None and policy.ignore_device_config_manager:
        return None
    named = f"policy {policy.name}" if policy is not None else "a policy for the node"
    return f"{is_partitioned_elsewhere(plan.spec.node, host.labels)} in {named}"


def takes_back(plan: RepartitionPlan, plans: Iterable[RepartitionPlan]) -> bool:
    """Whether a person's plan goes from the end of one that succeeded to its beginning: no policy forbids that."""
    return plan.spec.claim_ref is None and any(
        Phase(other.status.phase) is Phase.SUCCEEDED
        and other.spec.node == plan.spec.node
        and (_modes(other.spec.to), _modes(other.spec.from_)) == (_modes(plan.spec.from_), _modes(plan.spec.to))
        for other in plans
    )


def _refusal(
    cluster: Cluster, plan: RepartitionPlan, node: GPUNode, policies: Iterable[GPUSharingPolicy]
) -> Refusal | None:
    found = _problems(cluster, plan, node, policies)
    passes = all(problem.passing for problem in found) and _explained(cluster, plan, node)
    return None if passes or not found else Refusal(found[0].why, sentence(found))


def _problems(
    cluster: Cluster, plan: RepartitionPlan, node: GPUNode, policies: Iterable[GPUSharingPolicy]
) -> tuple[Problem, ...]:
    if not node.status.gpus:
        return ()
    bounds = _bounds(cluster, plan, policies)
    return problems(hardware(node), _modes(plan.spec.from_), _modes(plan.spec.to), bounds)


def _modes(layout: Layout) -> dict[str, str]:
    return {gpu.bdf: gpu.mode for gpu in layout.gpus}


def _explained(cluster: Cluster, plan: RepartitionPlan, node: GPUNode) -> bool:
    """Whether the node may look different soon: its agent is away, or something else changes it now."""
    operation = node.spec.operation
    changing = operation is not None and not owns(plan.metadata.uid or "", operation.id)
    others = (other for other in cluster.plan_table.values() if other.metadata.uid != plan.metadata.uid)
    begun = any(other.spec.node == plan.spec.node and under_way(other) for other in others)
    return changing or begun or not cluster.heartbeats.fresh(plan.spec.node)


def _bounds(cluster: Cluster, plan: RepartitionPlan, policies: Iterable[GPUSharingPolicy]) -> Bounds | None:
    host = cluster.host_table.get(plan.spec.node)
    policy = policy_for(host.labels, policies) if host is not None else None
    if policy is None or takes_back(plan, cluster.plan_table.values()):
        return None
    return Bounds(policy.metadata.name, frozenset(policy.spec.allowed_modes), policy.spec.validated_only)


def hardware(node: GPUNode) -> Hardware:
    """What a GPUNode tells about the changes that can be made there."""
    consistent = find_condition(node.status.conditions, CONSISTENT)
    contradicts = consistent is not None and consistent.status is ConditionStatus.FALSE
    return Hardware(
        node=node.metadata.name,
        gpus=tuple(
            ReportedGpu(
                bdf=gpu.bdf,
                product=gpu.product,
                mode=gpu.mode,
                allowed=tuple(gpu.modes_allowed),
                validated=frozenset(gpu.modes_validated),
                quarantined=tuple(entry.partition for entry in node.spec.quarantine if entry.bdf == gpu.bdf),
                problem=gpu.problem or "",
            )
            for gpu in node.status.gpus
        ),
        lost=frozenset(gpu.bdf for gpu in node.status.missing_gpus),
        disagreement=consistent.message if consistent is not None and contradicts else "",
        writable=node.status.backend != READS_ONLY,
    )
