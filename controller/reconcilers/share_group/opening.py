"""Members with a share are let go: each is told its share by the same patch that opens its gate."""

from collections.abc import Iterable

from api.v1beta1 import GPUPartitionClaim
from controller.reconcilers.gpu_partition_claim import events, status
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.pinning import Opened, allocation_of, open_gate, reassign
from controller.reconcilers.gpu_partition_claim.profile import place_of, profile_at, selected
from controller.reconcilers.gpu_partition_claim.profile_wait import LOOK_SECONDS, missing
from controller.reconcilers.share_group.members import Group
from controller.translate.pod import PodView
from controller.translate.share_group import share_of

#: A pod that keeps changing under the patch is looked at again after this, seconds.
SOON_SECONDS = 0.2
#: What only a person, or a change elsewhere, can mend is looked at again after this, seconds.
LATER_SECONDS = 10.0


class Opening:
    """The step of members whose share is written and whose gate is closed."""

    def __init__(self, context: ClaimContext) -> None:
        self._context = context

    async def open(self, claim: GPUPartitionClaim, group: Group) -> float | None:
        """Open what can be opened; the seconds after which to look again, None when nothing is left to do."""
        waits = [await self._one(claim, pod) for pod in _gated(group)]
        return min((wait for wait in waits if wait is not None), default=None)

    async def _one(self, claim: GPUPartitionClaim, pod: PodView) -> float | None:
        node = allocation_of(claim).node
        host = self._context.cluster.host_table.get(node)
        if host is None or host.hostname is None:
            return self._tell(pod, "NodeGone", f"node {node} is gone or has no hostname label")
        place = place_of(self._context, allocation_of(claim), 1)
        found, share = selected(self._context, pod, place), share_of(claim, pod.uid)
        if found is None or share is None or found.sizing.total_bytes > share.bytes:
            message = f"pod {pod.name} asks for another share by now than the one it was given; delete the pod"
            return self._tell(pod, "ShareOutdated", message)
        profile = profile_at(self._context, pod, place)
        lacking = missing(self._context, pod, profile)
        if lacking is not None:
            self._tell(pod, lacking.reason, lacking.message)
            return LOOK_SECONDS
        opened = await open_gate(self._context, with_profile(claim, profile), pod, host.hostname)
        return self._after(claim, pod, opened)

    def _after(self, claim: GPUPartitionClaim, pod: PodView, opened: Opened) -> float | None:
        match opened:
            case Opened.OPEN:
                self._context.count("bind", "success")
                events.tell(self._context.recorder, [pod.reference], events.bound(status.device_text(claim)))
                return None
            case Opened.MOVED_ON:
                return SOON_SECONDS
            case Opened.WAITING_FOR_GATE:
                return LATER_SECONDS
            case Opened.REFUSED:
                self._context.count("bind", "refused")
                node = allocation_of(claim).node
                return self._tell(pod, "PinRefused", f"the API server refuses to pin pod {pod.name} to node {node}")
            case _:
                return None

    def _tell(self, pod: PodView, reason: str, message: str) -> float:
        events.tell(self._context.recorder, [pod.reference], events.waiting(reason, message))
        return LATER_SECONDS

    async def reassign(self, claim: GPUPartitionClaim, group: Group) -> bool:
        """Tell members that are on no node yet of another partition; False when one moved on, to be read again."""
        told = [await reassign(self._context, claim, held.pod) for held in group.held if held.pod is not None]
        return all(told)


def with_profile(claim: GPUPartitionClaim, profile: str | None) -> GPUPartitionClaim:
    """The claim as one member sees it: its own AIM profile is the allocation's."""
    allocation = allocation_of(claim).model_copy(update={"profile": profile})
    return claim.model_copy(update={"status": claim.status.model_copy(update={"allocation": allocation})})


def _gated(group: Group) -> Iterable[PodView]:
    for held in group.held:
        if held.pod is not None and held.pod.gated and not held.pod.deleting and not held.pod.terminal:
            yield held.pod
