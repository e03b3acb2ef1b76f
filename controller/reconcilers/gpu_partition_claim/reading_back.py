"""The kubelet's word: which device it gave, and whether that is what the pod was bound to."""

from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase
from controller.gpu.identity import PartitionId
from controller.reconcilers.gpu_partition_claim import events, status
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.observed import Observed, mismatch, observed
from controller.reconcilers.gpu_partition_claim.pinning import allocation_of
from controller.reconcilers.gpu_partition_claim.repair import PATIENCE_SECONDS
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.runtime.reconcile import Result
from controller.translate.pod import PodView

HOLDING = (ClaimPhase.BOUND, ClaimPhase.ALLOCATED)


class ReadingBack:
    """The part of confirming that asks what the kubelet told."""

    def __init__(self, context: ClaimContext, writer: ClaimWriter) -> None:
        self._context = context
        self._cluster = context.cluster
        self._writer = writer

    async def confirm(self, key: str, claim: GPUPartitionClaim, pod: PodView) -> Result | None:
        """With the device plugin a claim is allocated once the kubelet told; None while the pod is not even placed."""
        allocation = allocation_of(claim)
        gpu_node = self._cluster.gpu_node_table.get(allocation.node)
        found = observed(gpu_node, pod, allocation) if pod.node == allocation.node else None
        if found is not None:
            return await self._settle(key, claim, pod, found)
        if claim.status.phase is not ClaimPhase.BOUND:
            return Result()
        if pod.node is None:
            return None
        tells = gpu_node is not None and gpu_node.status.assigned is not None
        word = status.WAITING_FOR_KUBELET if tells else _silent(allocation.node)
        waiting = status.unconfirmed(claim, *word, self._context.clock.now())
        if waiting.status != claim.status:
            await self._writer.write(waiting)
        return Result(requeue_after=PATIENCE_SECONDS)

    async def compare(self, key: str, claim: GPUPartitionClaim, pod: PodView) -> Result:
        """What the scheduler allocated, against what the kubelet told; nothing where it does not tell."""
        allocation = allocation_of(claim)
        found = observed(self._cluster.gpu_node_table.get(allocation.node), pod, allocation)
        return Result() if found is None else await self._settle(key, claim, pod, found)

    async def _settle(self, key: str, claim: GPUPartitionClaim, pod: PodView, found: Observed) -> Result:
        allocation, now = allocation_of(claim), self._context.clock.now()
        wrong = mismatch(allocation, found, claim.spec.requirement.count, self._others(key, allocation.node))
        if wrong is None:
            settled = status.observed(claim, found.devices, now)
        else:
            settled = status.mismatched(claim, found.devices, wrong.reason, wrong.message, now)
        if settled.status != claim.status:
            await self._writer.write(settled)
            self._context.count("observe", "success" if wrong is None else "mismatch")
            if wrong is not None:
                events.tell(self._context.recorder, [pod.reference], events.mismatched(wrong.message))
        # another claim may give the device up, of which no event tells this one
        return Result(requeue_after=None if wrong is None else PATIENCE_SECONDS)

    def _others(self, key: str, node: str) -> set[PartitionId]:
        """Partitions of the node that other claims have, as far as they are confirmed or pinned."""
        return {
            PartitionId(device.bdf, device.partition)
            for claim in self._cluster.claims_on(node)
            if f"{claim.metadata.namespace}/{claim.metadata.name}" != key and claim.status.phase in HOLDING
            for device in (claim.status.allocation.devices if claim.status.allocation is not None else ())
        }


def _silent(node: str) -> tuple[str, str]:
    message = (
        f"the agent of node {node} cannot ask the kubelet which device it gave to the pod; mount the kubelet's "
        "pod-resources socket there"
    )
    return "KubeletDoesNotTell", message
