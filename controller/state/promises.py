"""What the services on a share group's partition are promised, as the cluster is now."""

from collections.abc import Iterator

from api.group import SERVICE_LABEL
from api.v1beta1 import GPUPartitionClaim, InferenceService
from controller.placement.promises import Promises
from controller.state.cluster import Cluster
from controller.translate.guarantees import beyond_bound, promised, ruling
from controller.translate.pod import PodView
from controller.translate.request import Problem


def service_of(pod: PodView) -> str:
    """The key of the pod's InferenceService; one of no service where it has none."""
    return f"{pod.namespace}/{pod.labels.get(SERVICE_LABEL, '')}"


def promises_on(cluster: Cluster, claim: GPUPartitionClaim) -> Promises:
    """By those that have a share of the group's partition, each as its service asks today."""
    services = {service_of(pod) for pod in _members(cluster, claim)}
    return Promises({key: promised(cluster.service_table.get(key)) for key in services})


def groups_of(cluster: Cluster, service: str) -> Iterator[tuple[GPUPartitionClaim, Promises]]:
    """The claims of the share groups in which the service `namespace/name` has pods with a share."""
    names = dict.fromkeys(f"{pod.namespace}/{pod.claim}" for pod in cluster.pods_by("service", service))
    for claim in map(cluster.claim_table.get, names):
        if claim is not None and claim.spec.share_group is not None:
            promises = promises_on(cluster, claim)
            if service in promises:
                yield claim, promises


def beyond_capacity(cluster: Cluster, service: InferenceService) -> Problem | None:
    """Why what the service is guaranteed has no room beside the others of a share group that it has pods in."""
    namespace = service.metadata.namespace or ""
    labels = cluster.namespace_labels.get(namespace) or {}
    policy = ruling(service.spec.gpu_sharing.policy_ref, labels, cluster.policy_table.values())
    if policy is None or not promised(service):
        return None
    problems = (
        beyond_bound(service, claim.spec.share_group or "", promises.together, policy)
        for claim, promises in groups_of(cluster, f"{namespace}/{service.metadata.name}")
    )
    return next(filter(None, problems), None)


def _members(cluster: Cluster, claim: GPUPartitionClaim) -> Iterator[PodView]:
    for share in claim.status.shares:
        pod = cluster.pod_table.view(f"{claim.metadata.namespace}/{share.pod.name}")
        if pod is not None and pod.uid == share.pod.uid:
            yield pod
