"""Gangs of pods: who belongs to one, when their gates may open, and what becomes of one that is bound in part.

All members of a gang are decided together, and each claim is written on its own; gates open once all are bound. If
that was cut short, the rest is decided for those that are left; where it finds no place for a while, those that are
bound give theirs back, while their gates are closed still.
"""

from collections.abc import Sequence
from typing import Final

from api.v1beta1 import GPUPartitionClaim
from controller.placement.gangs import overdue_release
from controller.reconcilers.gpu_partition_claim.claim_refusals import ClaimRefusals
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.gang_members import Member, members
from controller.reconcilers.gpu_partition_claim.pinning import remove_resource_claim
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.runtime.reconcile import Result
from controller.translate.pod import PodView
from controller.translate.request import GangRequest, gang_request

#: How long bound members of a gang wait for the rest before they give their places back, seconds.
COMPLETE_SECONDS: Final = 60.0
#: Between two looks at a gang that is bound in part, seconds; events of the others come sooner.
LOOK_SECONDS: Final = 2.0


class Gangs:
    """The step of a bound claim whose pod belongs to a gang: wait for the others, go on, or give the place back."""

    def __init__(self, context: ClaimContext, writer: ClaimWriter, refusals: ClaimRefusals) -> None:
        self._context = context
        self._writer = writer
        self._refusals = refusals

    async def hold(self, claim: GPUPartitionClaim, pod: PodView) -> Result | None:
        """What to do instead of opening the gate; None when it may open."""
        wanted = gang_request(pod.annotations)
        if wanted is None or not pod.gated:
            return None
        known = list(members(self._context.cluster, pod.namespace, wanted.name))
        others = [each for each in known if each.pod.uid != pod.uid]
        stored = [each for each in others if each.claim.status.allocation is not None]
        if len(stored) + 1 >= wanted.size or any(not each.pod.gated for each in stored):
            return None  # an open gate says that they were all bound at one time
        return await self._wait(claim, pod, wanted, stored)

    async def _wait(
        self, claim: GPUPartitionClaim, pod: PodView, wanted: GangRequest, stored: Sequence[Member]
    ) -> Result:
        times = [each.claim.status.bound_time for each in stored] + [claim.status.bound_time]
        bound = [time.timestamp() for time in times if time is not None]
        missing = wanted.size - len(stored) - 1
        if self._refusals.stands(claim):
            return await self._unclaimed(claim, pod, wanted, missing)
        if not overdue_release(bound, self._context.clock.now().timestamp(), COMPLETE_SECONDS):
            return Result(requeue_after=LOOK_SECONDS)
        message = (
            f"gang {wanted.name}: {missing} of {wanted.size} pods found no place within {COMPLETE_SECONDS:.0f} s after "
            "the others, which gave theirs back; all are placed together once there is room for all"
        )
        self._context.count("gang", "released")
        await self._writer.explain(claim, pod, "GangReleased", message)
        return Result()

    async def _unclaimed(self, claim: GPUPartitionClaim, pod: PodView, wanted: GangRequest, missing: int) -> Result:
        """The API server makes no ResourceClaims for the rest: what this one has of the quota is given back, too."""
        message = (
            f"gang {wanted.name}: the API server makes no ResourceClaims for {missing} of {wanted.size} pods, which "
            "say why; the others gave their places back, and all are placed together once there may be one for each"
        )
        present = self._context.cluster.resource_claim_table.get(f"{pod.namespace}/{claim.metadata.name}")
        if present is not None and present.owner_uid == pod.uid and not present.allocated:
            await remove_resource_claim(self._context, present)
        self._context.count("gang", "released")
        await self._writer.explain(claim, pod, "GangReleased", message)
        return Result()
