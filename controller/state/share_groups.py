"""Claims by pod: most claims are one pod's, a share group's is every member's."""

from collections.abc import Iterator

from api.v1beta1 import GPUPartitionClaim
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest, key_of
from controller.state.cluster import Cluster
from controller.translate.pod import PodView
from controller.translate.share_group import as_seen_by, pods_told_of


def pods_of_claim(cluster: Cluster, event: StoreEvent[Manifest]) -> Iterator[PodView]:
    """The pods that a claim is of or was of; of a share group's those that wait for a share, too."""
    namespace = event.object["metadata"]["namespace"]
    names = dict.fromkeys(f"{namespace}/{name}" for name in pods_told_of(event))
    if (event.object.get("spec") or {}).get("shareGroup"):
        names |= dict.fromkeys(map(key_of, cluster.pods.store.by_index("claim", event.key)))
    for name in names:
        view = cluster.pod_table.view(name)
        if view is not None:
            yield view


def claims_by_pod(cluster: Cluster, namespace: str) -> list[GPUPartitionClaim]:
    """The claims of a namespace, each as one pod has it: a share group's once for each live pod that names it."""
    found: list[GPUPartitionClaim] = []
    for claim in cluster.claims_in(namespace):
        if claim.spec.share_group is None:
            found.append(claim)
            continue
        for stored in cluster.pods.store.by_index("claim", f"{namespace}/{claim.metadata.name}"):
            pod = cluster.pod_table.view(key_of(stored))
            if pod is not None and not pod.terminal:
                found.append(as_seen_by(claim, pod))
    return found
