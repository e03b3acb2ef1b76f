"""The end of a claim: its pod, by uid, is gone or has ended."""

from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase
from controller.reconcilers.gpu_partition_claim import status
from controller.reconcilers.gpu_partition_claim.binding import SOON_SECONDS
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.runtime.client.core import PODS
from controller.runtime.client.errors import NotFound
from controller.runtime.objects.metadata import PartialObject
from controller.runtime.reconcile import Result


class Releasing:
    """The step of a claim without a live pod. What was assumed goes last: until then a lost answer may hold it."""

    def __init__(self, context: ClaimContext, writer: ClaimWriter) -> None:
        self._context = context
        self._writer = writer

    async def pod_gone(self, key: str, claim: GPUPartitionClaim) -> Result:
        """Delete the claim. The garbage collector would do it too; we need not wait for it.

        Our view of pods may be older than that of claims, so the API server is asked before anything is deleted.
        """
        if await self._pod_lives(claim):
            return Result(requeue_after=SOON_SECONDS)
        await self._writer.delete(claim)
        self._context.cycle.withdraw(key)
        self._context.count("release", "success")
        return Result()

    async def pod_ended(self, key: str, claim: GPUPartitionClaim) -> Result:
        """Keep the claim as long as its pod, with its partition given back."""
        if claim.status.phase is not ClaimPhase.RELEASED:
            await self._writer.write(status.released(claim, self._context.clock.now()))
            self._context.count("release", "success")
        self._context.cycle.withdraw(key)
        return Result()

    async def _pod_lives(self, claim: GPUPartitionClaim) -> bool:
        pod_ref = claim.spec.pod_ref
        if pod_ref is None:
            return True  # a share group's claim has no pod of its own
        try:
            live = await self._context.client.get(PODS, pod_ref.name, claim.metadata.namespace, into=PartialObject)
        except NotFound:
            return False
        return live.metadata.uid == pod_ref.uid
