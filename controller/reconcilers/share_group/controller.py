"""The steps of share groups' claims, in order."""

from typing import Final

from api.group import GROUP_CLAIM_PREFIX
from api.v1beta1 import GPUPartitionClaim
from controller.reconcilers.gpu_partition_claim import events
from controller.reconcilers.gpu_partition_claim.claim_refusals import ClaimRefusals, Refusal
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.pinning import Ensured
from controller.reconcilers.gpu_partition_claim.placing import Placing
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.reconcilers.share_group.confirming import Confirming
from controller.reconcilers.share_group.ending import Ending
from controller.reconcilers.share_group.founding import SOON_SECONDS, Founding
from controller.reconcilers.share_group.joining import Joining
from controller.reconcilers.share_group.members import Group, gather
from controller.reconcilers.share_group.opening import Opening
from controller.reconcilers.share_group.resource_claim import ensure
from controller.reconcilers.share_group.shared_status import with_shares
from controller.runtime.reconcile import Result

#: Members that wait for their share are looked at again after this, seconds: what helps them may be no event of theirs.
WAITING_SECONDS: Final = 10.0


def of_group(name: str) -> bool:
    """Whether a claim of that name is a share group's."""
    return name.startswith(GROUP_CLAIM_PREFIX)


class ShareGroups:
    """Takes one group's claim one step further at each call."""

    def __init__(self, context: ClaimContext, writer: ClaimWriter, placing: Placing, refusals: ClaimRefusals) -> None:
        self._context = context
        self._refusals = refusals
        self._ending = Ending(context, writer)
        self._founding = Founding(context, writer, placing, self._ending)
        self._joining = Joining(context, writer)
        self._opening = Opening(context)
        self._confirming = Confirming(context, writer)
        self._writer = writer

    async def step(self, key: str, claim: GPUPartitionClaim | None) -> Result:
        """One step. Without a claim one is made, once there are members that wait."""
        group = gather(self._context, key, claim)
        for pod in group.hindered:
            note = events.waiting(pod.reason, pod.message)
            events.tell(self._context.recorder, [pod.pod.reference], note)
        if claim is None:
            made = await self._founding.begin(key, group)
            return made if isinstance(made, Result) else await self._serve(key, made, group)
        fresh = await self._ending.leave(claim, group)
        if fresh is not claim:
            group = gather(self._context, key, fresh)
        return await self._serve(key, fresh, group)

    async def _serve(self, key: str, claim: GPUPartitionClaim, group: Group) -> Result:
        allocated = claim.status.allocation is not None
        if not claim.status.shares and (
            allocated or not group.waiting or claim.metadata.deletion_timestamp is not None
        ):
            await self._ending.end(key, claim)
            return Result()
        if not allocated:
            placed = await self._founding.place(key, claim, group)
            if isinstance(placed, Result):
                return placed
            claim, group = placed, gather(self._context, key, placed)
        return await self._bind(key, claim, group)

    async def _bind(self, key: str, claim: GPUPartitionClaim, group: Group) -> Result:
        present = self._context.cluster.resource_claim_table.get(key)
        if present is None and not await self._opening.reassign(claim, group):
            return Result(requeue_after=SOON_SECONDS)
        match await ensure(self._context, claim, present):
            case Refusal() as refusal:
                return await self._refused(claim, group, refusal)
            case Ensured.CREATED:
                self._refusals.made(claim)
            case Ensured.TAKEN:
                self._context.count("bind", "name_taken")
                message = (
                    f"ResourceClaim {key} exists and is not the one made for this group; delete it and the members"
                )
                for member in group.waiting:
                    note = events.waiting("ClaimNameTaken", message)
                    events.tell(self._context.recorder, [member.pod.reference], note)
                return Result(requeue_after=WAITING_SECONDS)
            case Ensured.REPLACING:
                return Result(requeue_after=SOON_SECONDS)
        joined = await self._joining.join(key, claim, group)
        if joined is not claim:
            group = gather(self._context, key, joined)
        again = await self._opening.open(joined, group)
        result = await self._confirming.confirm(key, joined, group)
        waits = [again, result.requeue_after, WAITING_SECONDS if group.waiting else None]
        return Result(requeue_after=min((wait for wait in waits if wait is not None), default=None))

    async def _refused(self, claim: GPUPartitionClaim, group: Group, refusal: Refusal) -> Result:
        """The group gives its partition back, unless a member was let go: that one is pinned to its node."""
        self._context.count("bind", "refused")
        pause = self._refusals.refused(claim, refusal)
        members = [held.pod for held in group.held if held.pod is not None]
        told = members + [member.pod for member in group.waiting]
        if told and all(pod.gated for pod in members):
            await self._writer.explain(with_shares(claim, []), told[0], refusal.reason, refusal.message)
        elif told:
            await self._writer.trouble(claim, told[0], "Stuck", refusal.reason, refusal.message)
        note = events.waiting(refusal.reason, refusal.message)
        events.tell(self._context.recorder, [pod.reference for pod in told[1:]], note)
        return Result(requeue_after=pause)
