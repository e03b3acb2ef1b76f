"""Members leave, and with the last one the group's ResourceClaim and claim go."""

from contextlib import suppress

from api.group import FINALIZER
from api.object import dump
from api.v1beta1 import GPUPartitionClaim
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.pinning import remove_resource_claim
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.reconcilers.share_group.members import Group, Held
from controller.reconcilers.share_group.shared_status import with_shares
from controller.runtime.client.core import PODS
from controller.runtime.client.errors import Conflict, Invalid, NotFound
from controller.runtime.finalizer import remove_finalizer
from controller.runtime.objects.metadata import PartialObject
from controller.state.kinds import GPU_PARTITION_CLAIMS


class Ending:
    """Gives shares back, and removes what a group has."""

    def __init__(self, context: ClaimContext, writer: ClaimWriter) -> None:
        self._context = context
        self._writer = writer

    async def leave(self, claim: GPUPartitionClaim, group: Group) -> GPUPartitionClaim:
        """The claim without the shares of pods that are gone or have ended.

        A pod that is being deleted has its share still: its process may. Our view of pods may be older than that of
        claims, so the API server is asked before a share is given to somebody else.
        """
        stays = [held.share for held in group.held if await self._lives(claim, held)]
        if len(stays) == len(group.held):
            return claim
        self._context.count("release", "success")
        return await self._writer.write(with_shares(claim, stays))

    async def _lives(self, claim: GPUPartitionClaim, held: Held) -> bool:
        if held.pod is not None:
            return not held.pod.terminal
        name, namespace = held.share.pod.name, claim.metadata.namespace
        try:
            live = await self._context.client.get(PODS, name, namespace, into=PartialObject)
        except NotFound:
            return False
        return live.metadata.uid == held.share.pod.uid

    async def end(self, key: str, claim: GPUPartitionClaim) -> None:
        """Remove the ResourceClaim, then the claim; each only as it was seen, so that doing it again is safe.

        The claim's finalizer keeps it until here, whoever deleted it: its members' ResourceClaim goes with it.
        """
        present = self._context.cluster.resource_claim_table.get(key)
        if present is not None and not present.deleting and present.owner_uid == claim.metadata.uid:
            with suppress(Conflict):  # its next event brings us here again, or the garbage collector removes it
                await remove_resource_claim(self._context, present)
        if claim.metadata.deletion_timestamp is None:
            await self._writer.delete(claim)
        with suppress(NotFound, Invalid):  # gone already, or another one of that name
            await self._context.client.json_patch(
                GPU_PARTITION_CLAIMS,
                claim.metadata.name,
                remove_finalizer(dump(claim), FINALIZER),
                claim.metadata.namespace,
            )
        self._context.cycle.withdraw(key)
