"""Bound: the pinned ResourceClaim is there, the gate opens. Safe to repeat after a crash between any two writes.

With the device plugin there is no ResourceClaim: the pod has its extended resource, and the gate opens at once.
"""

from api.v1beta1 import GPUPartitionClaim
from controller.reconcilers.gpu_partition_claim import events, status
from controller.reconcilers.gpu_partition_claim.claim_refusals import ClaimRefusals, Refusal
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.gangs import Gangs
from controller.reconcilers.gpu_partition_claim.pinning import (
    Ensured,
    Opened,
    allocation_of,
    ensure_resource_claim,
    open_gate,
    reassign,
)
from controller.reconcilers.gpu_partition_claim.placing import waiting_for_gates
from controller.reconcilers.gpu_partition_claim.profile_wait import LOOK_SECONDS, missing
from controller.reconcilers.gpu_partition_claim.profile_wait import PATIENCE_SECONDS as PROFILE_SECONDS
from controller.reconcilers.gpu_partition_claim.repair import PATIENCE_SECONDS
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.runtime.reconcile import Result
from controller.translate.pod import PodView

#: A pod that keeps changing under the patch, or an old ResourceClaim on its way out, is looked at again after this.
SOON_SECONDS = 0.2


class Binding:
    """The step of a bound claim. `bind` answers None once nothing is left but the scheduler's word."""

    def __init__(self, context: ClaimContext, writer: ClaimWriter, refusals: ClaimRefusals) -> None:
        self._context = context
        self._cluster = context.cluster
        self._writer = writer
        self._refusals = refusals
        self._waiting_since: dict[str, float] = {}
        self._gangs = Gangs(context, writer, refusals)

    async def bind(self, claim: GPUPartitionClaim, pod: PodView) -> Result | None:
        """Make the ResourceClaim and open the gate, whichever is still to do."""
        if allocation_of(claim).resource is not None:
            return await self._open(claim, pod) if pod.gated else None
        key = f"{claim.metadata.namespace}/{claim.metadata.name}"
        present = self._cluster.resource_claim_table.get(key)
        if present is None and not await reassign(self._context, claim, pod):
            return Result(requeue_after=SOON_SECONDS)
        match await ensure_resource_claim(self._context, claim, pod, present):
            case Refusal() as refusal:
                return await self._refused(claim, pod, refusal)
            case Ensured.CREATED:
                self._refusals.made(claim)
            case Ensured.TAKEN:
                await self._writer.name_taken(claim, pod)
                return Result()
            case Ensured.REPLACING:
                return Result(requeue_after=SOON_SECONDS)
        return await self._open(claim, pod) if pod.gated else None

    async def _refused(self, claim: GPUPartitionClaim, pod: PodView, refusal: Refusal) -> Result:
        """Give the place back while the pod is gated; one that was let go is pinned to its node, and keeps it."""
        self._context.count("bind", "refused")
        pause = self._refusals.refused(claim, refusal)
        if pod.gated:
            await self._writer.explain(claim, pod, refusal.reason, refusal.message)
        else:
            await self._writer.trouble(claim, pod, "Stuck", refusal.reason, refusal.message)
        return Result(requeue_after=pause)

    async def _open(self, claim: GPUPartitionClaim, pod: PodView) -> Result:
        held = await self._gangs.hold(claim, pod)
        if held is not None:
            return held
        node = allocation_of(claim).node
        host = self._cluster.host_table.get(node)
        if host is None or host.hostname is None:
            return await self._give_up(claim, pod, "NodeGone", f"node {node} is gone or has no hostname label")
        lacking = missing(self._context, pod, allocation_of(claim).profile)
        if lacking is not None and lacking.soon and self._waited(pod) < PROFILE_SECONDS:
            return Result(requeue_after=LOOK_SECONDS)
        self._waiting_since.pop(pod.uid, None)
        if lacking is not None:
            return await self._give_up(claim, pod, lacking.reason, lacking.message)
        match await open_gate(self._context, claim, pod, host.hostname):
            case Opened.OPEN:
                self._context.count("bind", "success")
                events.tell(self._context.recorder, [pod.reference], events.bound(status.device_text(claim)))
                return Result(requeue_after=PATIENCE_SECONDS)
            case Opened.ALREADY_OPEN:
                return Result(requeue_after=PATIENCE_SECONDS)  # by an earlier patch whose event is still on its way
            case Opened.REFUSED:
                self._context.count("bind", "refused")
                message = f"the API server refuses to pin pod {pod.name} to node {node}; see the operator's log"
                return await self._give_up(claim, pod, "PinRefused", message)
            case Opened.MOVED_ON:
                return Result(requeue_after=SOON_SECONDS)
            case Opened.WAITING_FOR_GATE:
                return await self._give_up(claim, pod, status.WAITING_FOR_GATE, waiting_for_gates(pod))
            case _:
                return Result()

    def _waited(self, pod: PodView) -> float:
        """Seconds since its profiles were first missed: by us, who may lead since a moment ago and know nothing yet."""
        now = self._context.clock.monotonic()
        return now - self._waiting_since.setdefault(pod.uid, now)

    async def _give_up(self, claim: GPUPartitionClaim, pod: PodView, reason: str, message: str) -> Result:
        """Take the decision back while the pod is still gated; its ResourceClaim is replaced when it is bound anew."""
        await self._writer.explain(claim, pod, reason, message)
        return Result()
