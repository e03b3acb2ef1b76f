"""What is known of the claims on one node at this moment, gathered from the informers."""

from collections.abc import Iterator
from datetime import datetime

from api.condition import find_condition
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase
from api.v1beta1.gpu_sharing_policy import OnUnhealthy
from controller.gpu.identity import PartitionId
from controller.placement.snapshot import Snapshot
from controller.reconcilers.repartition_plan.reservations import holds, unavailable_pods
from controller.reconcilers.unhealthy.kept import behind, kept_for
from controller.reconcilers.unhealthy.moving import Case, Rules
from controller.reconcilers.unhealthy.verdict import CONDITION, NodeSeen, Verdict, devices_of, judge
from controller.repartition.victims import Victim
from controller.state.cluster import Cluster
from controller.state.group_tenant import GroupTenant, group_tenant
from controller.state.movable import tenant_of
from controller.translate.policy import policy_for


def node_seen(cluster: Cluster, name: str) -> NodeSeen | None:
    """The node; None while it is too early to count a silent agent out."""
    fresh = cluster.heartbeats.fresh(name)
    if not fresh and cluster.heartbeats.unsettled([name]):
        return None
    gpu_node = cluster.gpu_node_table.get(name)
    changing = [bdf for node, bdf in cluster.plan_table.gpus_in_hand() if node == name]
    if gpu_node is not None and name in cluster.plan_table.nodes_in_hand():
        changing = [gpu.bdf for gpu in gpu_node.status.gpus]
    return NodeSeen(name, cluster.host_table.get(name), gpu_node, fresh, changing)


def verdicts(cluster: Cluster, node: NodeSeen) -> Iterator[tuple[GPUPartitionClaim, Verdict]]:
    """Running claims on the node with what is to be said of them; healthy ones of which nothing was ever said not."""
    for claim in cluster.claims_on(node.name):
        if claim.status.phase is not ClaimPhase.ALLOCATED:
            continue
        verdict = judge(node, claim)
        told = find_condition(claim.status.conditions, CONDITION) is not None
        if verdict is not None and (told or verdict.status != "True"):
            yield claim, verdict


def case_of(cluster: Cluster, snapshot: Snapshot, claim: GPUPartitionClaim, verdict: Verdict) -> Case:
    """The claim as one that may have to be moved."""
    places = kept_for(cluster, claim.metadata.namespace or "", claim.metadata.name)
    kept, group = places[0] if places else None, _group(cluster, claim)
    victim = group.victim if group is not None else _victim(cluster, claim)
    complete = victim is None or len(places) == victim.count
    return Case(
        claim=claim,
        verdict=verdict,
        since=_since(claim),
        victim=victim,
        kept=kept,
        stands=kept is not None and complete and all(holds(snapshot, each) for each in places),
        behind=behind(cluster, kept) if kept is not None else 0,
        members=group.members if group is not None else (),
    )


def _since(claim: GPUPartitionClaim) -> datetime | None:
    told = find_condition(claim.status.conditions, CONDITION)
    return told.last_transition_time if told is not None and told.status == "False" else None


def _group(cluster: Cluster, claim: GPUPartitionClaim) -> GroupTenant | None:
    devices = devices_of(claim)
    if claim.spec.share_group is None or not devices:
        return None
    return group_tenant(cluster, claim, PartitionId(devices[0].bdf, devices[0].partition))


def _victim(cluster: Cluster, claim: GPUPartitionClaim) -> Victim | None:
    devices = devices_of(claim)
    if claim.spec.share_group is not None or not devices:
        return None
    key = f"{claim.metadata.namespace}/{claim.metadata.name}"
    return tenant_of(cluster, key, PartitionId(devices[0].bdf, devices[0].partition))


def rules_of(cluster: Cluster, snapshot: Snapshot, node: str) -> Rules:
    """What the node's policy and the moves under way let happen there."""
    host, seen = cluster.host_table.get(node), snapshot.node(node)
    policy = policy_for(host.labels, cluster.policy_table.values()) if host is not None else None
    limit = policy.spec.repartition.max_unavailable_pods if policy is not None else 0
    down = unavailable_pods(cluster, cluster.plan_table.values())
    plans = cluster.plan_table.running_on(node)
    if policy is None or policy.spec.on_unhealthy is not OnUnhealthy.REPLACE:
        forbidden = "it stays: no policy with onUnhealthy: Replace rules the node"
    elif policy.spec.paused or seen is None or seen.paused:
        forbidden = f"it stays while node {node} or its policy {policy.metadata.name} is paused"
    elif plans:
        forbidden = f"it stays until plan {plans[0]} of the node has ended"
    else:
        forbidden = ""
    return Rules(forbidden, down, limit)
