"""The deletion costs reconciler: keeps the order in which a ReplicaSet gives up its pods. A request names the set."""

from collections.abc import Callable, Iterable

from api.v1beta1 import GPUPartitionClaim
from controller.placement.snapshot import Gpu, Node, Snapshot
from controller.reconcilers.rollout.deletion_cost import ANNOTATION, Member, changes, leaves_gpu
from controller.runtime.cache.store import StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.core import PODS
from controller.runtime.client.errors import Conflict, Invalid, NotFound
from controller.runtime.clock import Clock
from controller.runtime.manifest import Manifest
from controller.runtime.reconcile import Request, Result
from controller.state.cluster import Cluster
from controller.state.occupancy import HOLDING
from controller.translate.pod import PodView

#: Between two looks at one ReplicaSet, seconds: pods come and go in bursts, and the last state is what counts.
PAUSE_SECONDS = 10.0
#: Most annotations written in one look; the rest follows at the next.
MOST_WRITES = 20


class DeletionCostReconciler:
    """Writes the annotation on pods that hold partitions."""

    def __init__(self, client: Client, cluster: Cluster, clock: Clock) -> None:
        self._client = client
        self._cluster = cluster
        self._clock = clock
        self._looked_at: dict[str, float] = {}

    async def reconcile(self, request: Request) -> Result:
        """One look at a ReplicaSet's pods."""
        held = list(self._held(request))
        if len(held) < 2:
            self._looked_at.pop(request.key, None)
            return Result()
        now = self._clock.monotonic()
        left = self._looked_at.get(request.key, now - PAUSE_SECONDS) + PAUSE_SECONDS - now
        if left > 0:
            return Result(requeue_after=left)
        self._looked_at[request.key] = now
        snapshot = self._cluster.snapshot()
        due = changes([_member(snapshot, claim, pod) for claim, pod in held])
        for member in due[:MOST_WRITES]:
            await self._write(request.namespace, member)
        return Result(requeue_after=PAUSE_SECONDS if len(due) > MOST_WRITES else None)

    def _held(self, request: Request) -> Iterable[tuple[GPUPartitionClaim, PodView]]:
        for pod in self._cluster.pods_by("set", request.key):
            claim = self._cluster.claim_table.get(f"{pod.namespace}/{pod.claim}")
            if claim is None or claim.status.phase not in HOLDING or pod.deleting or pod.terminal:
                continue
            if claim.spec.pod_ref is not None and claim.spec.pod_ref.uid == pod.uid:
                yield claim, pod

    async def _write(self, namespace: str, member: Member) -> None:
        annotations = {ANNOTATION: member.wanted or None}
        patch = {"metadata": {"uid": member.uid, "annotations": annotations}}
        try:
            await self._client.merge_patch(PODS, member.name, patch, namespace)
        except (NotFound, Conflict, Invalid):
            return  # that pod is gone: one of its name is another


def _member(snapshot: Snapshot, claim: GPUPartitionClaim, pod: PodView) -> Member:
    key = f"{claim.metadata.namespace}/{claim.metadata.name}"
    allocation = claim.status.allocation
    node = snapshot.node(allocation.node) if allocation is not None else None
    mine = {device.bdf for device in allocation.devices} if allocation is not None else set()
    gpus = [_holders(snapshot, node, gpu) for gpu in node.gpus if gpu.bdf in mine] if node is not None else []
    return Member(pod.name, pod.uid, pod.annotations.get(ANNOTATION, ""), leaves_gpu(key, gpus))


def _holders(snapshot: Snapshot, node: Node, gpu: Gpu) -> dict[int, str]:
    held = ((partition.id.index, snapshot.holder(node, partition)) for partition in gpu.partitions)
    return {number: holder.name if holder is not None else "" for number, holder in held}


def _set_of(pod: PodView) -> Request | None:
    return Request(pod.namespace, pod.owner[1]) if pod.owner is not None and pod.owner[0] == "ReplicaSet" else None


def sets_beside(cluster: Cluster) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """The ReplicaSets with pods on the nodes that a claim is, or was, on."""

    def mapping(event: StoreEvent[Manifest]) -> Iterable[Request]:
        nodes = {_node(event.old), _node(event.new)} - {""}
        if _held_by(event.old) == _held_by(event.new):
            return
        found = (cluster.pod_table.of_claim(claim) for node in sorted(nodes) for claim in cluster.claims_on(node))
        yield from {request for pod in found if pod is not None and (request := _set_of(pod)) is not None}

    return mapping


def _node(claim: Manifest | None) -> str:
    return str((((claim or {}).get("status") or {}).get("allocation") or {}).get("node") or "")


def _held_by(claim: Manifest | None) -> object:
    status = (claim or {}).get("status") or {}
    return status.get("phase") in HOLDING and (status.get("allocation") or {}).get("devices")
