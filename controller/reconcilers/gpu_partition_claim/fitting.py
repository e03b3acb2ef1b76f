"""Whether a claim's partition is large enough still: the facts about its model may have changed since it was bound."""

from api.group import SERVICE_LABEL
from api.quantity import parse_quantity
from api.v1beta1 import GPUPartitionClaim, InferenceService
from controller.placement.size_text import gib
from controller.reconcilers.gpu_partition_claim import events, status
from controller.reconcilers.gpu_partition_claim.admit import Need, Unsized, need_of, required_bytes
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.pinning import allocation_of
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.translate.claim import precision_of
from controller.translate.pod import PodView


def outdated(claim: GPUPartitionClaim, need: Need | Unsized, service: InferenceService | None, count: int) -> bool:
    """Whether the claim, if it were made now, would ask for other memory, another precision or number of partitions.

    A claim without a precision was made before claims had one, or for an API that drops the field: it stays.
    """
    asked, precision = claim.spec.requirement.memory, precision_of(claim)
    if claim.spec.requirement.count != count:
        return True
    if isinstance(need, Unsized):
        return asked is not None
    if asked is None or parse_quantity(asked) != required_bytes(need, service):
        return True
    return precision is not None and precision is not need.sizing.precision


class Fitting:
    """The look at a claim that has its partition: a condition says that it is too small. Nobody is evicted for it."""

    def __init__(self, context: ClaimContext, writer: ClaimWriter) -> None:
        self._context = context
        self._writer = writer

    async def look(self, claim: GPUPartitionClaim, pod: PodView) -> GPUPartitionClaim:
        """The claim, with the condition where it belongs. One whose model cannot be sized any more stays as it is."""
        need = need_of(pod, self._context.sizing, claim.spec.requirement.count)
        if isinstance(need, Unsized):
            return claim
        held, needed = held_bytes(claim), need.sizing.total_bytes
        if needed <= held:
            judged = status.large_enough(claim)
        else:
            judged = status.too_small(claim, _message(pod, need, held), self._context.clock.now())
        if judged.status == claim.status:
            return claim
        written = await self._writer.write(judged)
        if needed > held:
            note = events.waiting(status.TOO_SMALL, _message(pod, need, held))
            events.tell(self._context.recorder, [pod.reference], note)
        return written


def held_bytes(claim: GPUPartitionClaim) -> int:
    """Memory of the smallest partition that the claim has. Raises ValueError for one without a place."""
    allocation = allocation_of(claim)
    if allocation.devices:
        return min(device.bytes for device in allocation.devices)
    return allocation.resource.bytes if allocation.resource is not None else 0


def _message(pod: PodView, need: Need, held: int) -> str:
    owner = f"InferenceService {pod.labels[SERVICE_LABEL]}" if SERVICE_LABEL in pod.labels else f"pod {pod.name}"
    return (
        f"{need.sizing.model_id} is said to need {gib(need.sizing.total_bytes)} by now and has {gib(held)}; nothing is "
        f"evicted: lower precision, length or concurrency of {owner}, or delete the pod for a larger partition"
    )
