"""A pod whose gate somebody else removed: it lacks what our patch writes as it opens the gate.

Its containers would read the assignment from annotations that are not there, and an absent one is an empty variable
without an error. While no device is allocated the pod is kept from starting by having no ResourceClaim; afterwards
nothing but another pod helps, and the claim says so.
"""

from typing import Final

from api.group import ASSIGNED_NODE, ASSIGNED_PARTITION, ENGINE_ARGS
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase
from controller.reconcilers.gpu_partition_claim import events, status
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.pinning import remove_resource_claim
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.runtime.reconcile import Result
from controller.translate.pod import PodView

GATE_REMOVED: Final = "GateRemoved"
_WRITTEN: Final = (ASSIGNED_NODE, ASSIGNED_PARTITION, ENGINE_ARGS)


def unassigned(pod: PodView) -> bool:
    """Whether the gate is open and what the operator writes with the same patch is not there."""
    return not pod.gated and not all(pod.annotations.get(key) for key in _WRITTEN)


def gate_removed(pod: PodView) -> str:
    """The sentence for a pod that no partition was bound to."""
    return f"pod {pod.name} lost its gate before a partition was bound; delete the pod"


class Ungated:
    """The step of a claim whose pod somebody else let go."""

    def __init__(self, context: ClaimContext, writer: ClaimWriter) -> None:
        self._context = context
        self._writer = writer

    async def look(self, key: str, claim: GPUPartitionClaim, pod: PodView) -> GPUPartitionClaim | Result:
        """The claim, to go on with; or a Result where there is nothing to go on with."""
        if pod.deleting or claim.status.released is not None or not unassigned(pod):
            return claim
        if claim.status.phase is ClaimPhase.ALLOCATED:
            return await self._tell(claim, pod)
        present = self._context.cluster.resource_claim_table.get(key)
        ours = present if present is not None and present.owner_uid == pod.uid else None
        if ours is not None and ours.allocated:
            return claim  # the scheduler was faster: what it gave is confirmed first
        if ours is not None:
            await remove_resource_claim(self._context, ours)
        self._context.cycle.withdraw(key)
        await self._writer.explain(claim, pod, GATE_REMOVED, gate_removed(pod))
        return Result()

    async def _tell(self, claim: GPUPartitionClaim, pod: PodView) -> GPUPartitionClaim:
        lacking = ", ".join(key for key in _WRITTEN if not pod.annotations.get(key))
        message = (
            f"pod {pod.name} lacks the annotations {lacking}, from which its containers read their environment: "
            "somebody else removed its gate, or them; delete the pod"
        )
        told = status.unassigned(claim, message, self._context.clock.now())
        if told.status == claim.status:
            return claim
        written = await self._writer.write(told)
        events.tell(self._context.recorder, [pod.reference], events.waiting(status.UNASSIGNED, message))
        return written
