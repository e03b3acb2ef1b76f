"""Claims by pod: most claims are one pod's, a share group's is every member's."""

from collections.abc import Iterable, Iterator

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


def claims_of_pods(cluster: Cluster, pods: Iterable[PodView]) -> Iterator[tuple[GPUPartitionClaim, PodView]]:
    """What these pods have, each with its pod: its own claim, or a share group's as that member sees it.

    A claim of a pod's name that is for another, by uid, is not its own.
    """
    for pod in pods:
        claim = cluster.claim_table.get(f"{pod.namespace}/{pod.claim}") if pod.claim is not None else None
        if claim is None:
            continue
        seen = as_seen_by(claim, pod)
        if seen.spec.pod_ref is not None and seen.spec.pod_ref.uid == pod.uid:
            yield seen, pod
