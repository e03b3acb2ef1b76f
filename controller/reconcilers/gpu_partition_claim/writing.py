"""Writes to one claim, and the words that go with them to the pod and its owner."""

from api.object import dump
from api.v1beta1 import GPUPartitionClaim
from controller.reconcilers.gpu_partition_claim import events, status
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.owners import Owners
from controller.runtime.client.errors import Conflict, NotFound
from controller.state.kinds import GPU_PARTITION_CLAIMS
from controller.translate.pod import PodView


class ClaimWriter:
    """Writes statuses with the version that the decision saw, and remembers which versions it has replaced."""

    def __init__(self, context: ClaimContext) -> None:
        self._context = context
        self._owners = Owners(context.client, context.cluster)
        self._superseded: dict[str, str | None] = {}

    def superseded(self, key: str, claim: GPUPartitionClaim) -> bool:
        """Whether we have written a newer version than this one, whose event is still on the way."""
        return self._superseded.get(key) == claim.metadata.resource_version

    def forget(self, key: str) -> None:
        """The claim is gone."""
        self._superseded.pop(key, None)

    async def write(self, claim: GPUPartitionClaim) -> GPUPartitionClaim:
        """Write the status. Raises Conflict when the claim has moved on."""
        written = await self._context.client.replace(GPU_PARTITION_CLAIMS, dump(claim), subresource="status")
        fresh = GPUPartitionClaim.model_validate(written)
        if fresh.metadata.resource_version != claim.metadata.resource_version:
            self._superseded[f"{claim.metadata.namespace}/{claim.metadata.name}"] = claim.metadata.resource_version
        return fresh

    async def explain(
        self,
        claim: GPUPartitionClaim,
        pod: PodView,
        reason: str,
        message: str,
        detail: status.Detail = status.NO_DETAIL,
    ) -> None:
        """The claim waits, and why: in its status, and as an Event on pod and owner.

        `detail`: what its status says besides; a place that was kept for it is kept no longer where none is named.
        """
        waiting = status.waiting(claim, reason, message, self._context.clock.now(), detail)
        if waiting.status != claim.status:
            await self.write(waiting)
        await self.tell(pod, events.waiting(reason, message))

    async def tell(self, pod: PodView, note: events.Note) -> None:
        """An Event on the pod and on whoever made it."""
        owner = await self._owners.of(pod)
        regarding = [pod.reference] if owner is None else [pod.reference, owner]
        events.tell(self._context.recorder, regarding, note)

    async def trouble(self, claim: GPUPartitionClaim, pod: PodView, type_: str, reason: str, message: str) -> None:
        """Something needs a person: a condition and an Event, the rest of the status stays."""
        troubled = status.troubled(claim, type_, reason, message, self._context.clock.now())
        if troubled.status != claim.status:
            await self.write(troubled)
            events.tell(self._context.recorder, [pod.reference], events.waiting(reason, message))

    async def name_taken(self, claim: GPUPartitionClaim, pod: PodView) -> None:
        """Somebody else made a ResourceClaim of our name."""
        message = (
            f"ResourceClaim {claim.metadata.name} exists and is not the one made for pod {pod.name}; "
            "delete it and the pod, the pod's successor gets another name"
        )
        self._context.count("bind", "name_taken")
        await self.explain(claim, pod, "ClaimNameTaken", message)

    async def delete(self, claim: GPUPartitionClaim) -> None:
        """Delete this very claim; gone already is fine."""
        try:
            await self._context.client.delete(
                GPU_PARTITION_CLAIMS, claim.metadata.name, claim.metadata.namespace, uid=claim.metadata.uid
            )
        except (NotFound, Conflict):
            return
