"""What becomes of the pods of a KServe InferenceService whose annotations change: told as a warning, before they roll.

KServe rolls its Deployment out at once and undoes what others change there, so nothing can be held back: a new pod that
finds no place waits. Whether the old ones serve on meanwhile is for the service's own strategy to say.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.group import GPU_SHARING, MODEL_ID
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_sharing_policy import Rollout
from controller.placement.decision import Unplaced
from controller.placement.scheduler import ModelScheduler
from controller.placement.update import Blocked, Update, Way, decide_update
from controller.runtime.manifest import key_of
from controller.state.cluster import Cluster
from controller.state.models import Models
from controller.state.occupancy import HOLDING
from controller.state.revision_demand import Template, demand_of
from controller.translate.request import Partitions, Problem, partitions_said

_SERVES_ON: Final = "the old pods serve on"
_GOES_FIRST: Final = "and old pods go first: take it back, or set maxSurge 1, maxUnavailable 0 before"
_DEADLOCK: Final = (
    "waits: no partition is free beside the old pods'; let spec.predictor.deploymentStrategy free one first "
    "(maxSurge 0, maxUnavailable 1), or a policy hand over (rollout: Handover)"
)


def update_problem(
    cluster: Cluster, sizing: Models, key: str, annotations: Mapping[str, str], spec: Mapping[str, Any]
) -> Problem | None:
    """Why new pods of the service of that key would wait; None when they would not, or nothing serves yet.

    `annotations` are those of the new pods, `spec` the service's new one.
    """
    if annotations.get(GPU_SHARING) != "true" or not _synced(cluster):
        return None
    held = _held(cluster, key)
    predictor = spec.get("predictor") or {}
    said = partitions_said(annotations) or Partitions(1)
    template = Template(key, annotations, predictor, count=said.count, least_bytes=said.least_bytes)
    demand = demand_of(template, sizing)
    if not held or isinstance(demand, Unplaced):
        return None  # what cannot be sized is told by itself
    snapshot = cluster.snapshot()
    if cluster.heartbeats.unsettled(node.name for node in snapshot.nodes):
        return None
    pods = min(len(held), int(predictor.get("minReplicas") or len(held)))
    names = tuple(f"{claim.metadata.namespace}/{claim.metadata.name}" for claim in held)
    verdict = decide_update(ModelScheduler.by_policy(), snapshot, Update(demand, names, pods))
    model = annotations.get(MODEL_ID, "")
    if isinstance(verdict, Blocked):
        tail = _SERVES_ON if _surges(predictor) else _GOES_FIRST
        return Problem(MODEL_ID, model, f"new pods find no place ({verdict.unplaced.reason}), {tail}")
    if verdict.way is not Way.SURGE and _surges(predictor) and not _hands_over(cluster):
        return Problem(MODEL_ID, model, _DEADLOCK)
    return None


def _synced(cluster: Cluster) -> bool:
    needed = (cluster.nodes, cluster.gpu_nodes, cluster.claims, cluster.pods, cluster.policies, cluster.resource_claims)
    return all(informer.synced for informer in needed) and cluster.model_profiles.synced


def _held(cluster: Cluster, key: str) -> Sequence[GPUPartitionClaim]:
    """The claims that the service's pods hold; none where the kubelet chooses, for that cannot be foreseen."""
    views = (cluster.pod_table.view(key_of(pod)) for pod in cluster.pods.store.by_index("kserve", key))
    names = (f"{view.namespace}/{view.claim}" for view in views if view is not None and view.claim is not None)
    claims = (cluster.claim_table.get(name) for name in sorted(names))
    held = [claim for claim in claims if claim is not None and claim.status.phase in HOLDING]
    by_plugin = any(claim.status.allocation and claim.status.allocation.resource for claim in held)
    return () if by_plugin else held


def _surges(predictor: Mapping[str, Any]) -> bool:
    """Whether no old pod goes before a new one serves: Kubernetes' 25% of few pods is one more, and none less."""
    strategy = predictor.get("deploymentStrategy") or {}
    if strategy.get("type") == "Recreate":
        return False
    rolling = strategy.get("rollingUpdate") or {}
    return rolling.get("maxUnavailable", "25%") in (0, "0", "0%", "25%")


def _hands_over(cluster: Cluster) -> bool:
    return any(policy.spec.rollout is Rollout.HANDOVER for policy in cluster.policy_table.values())
