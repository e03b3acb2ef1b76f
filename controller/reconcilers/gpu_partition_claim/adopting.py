"""A running pod whose claim somebody deleted: the record is made again from what the scheduler allocated."""

from api.v1beta1 import GPUPartitionClaim
from controller.placement.decision import Placed
from controller.placement.snapshot import Snapshot
from controller.reconcilers.gpu_partition_claim import status
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.runtime.reconcile import Result
from controller.translate.pod import PodView
from controller.translate.resource_claim import ResourceClaimView

#: How long to wait for an agent to report a device that the scheduler has allocated, seconds.
UNKNOWN_SECONDS = 2.0


def adoptable(present: ResourceClaimView | None, pod: PodView) -> bool:
    """Whether the pod holds, through a ResourceClaim of its own, a device that no claim of ours tells of."""
    lives = not pod.gated and not pod.terminal and not pod.deleting
    return lives and present is not None and present.owner_uid == pod.uid and bool(present.devices)


def held_place(snapshot: Snapshot, present: ResourceClaimView) -> Placed | None:
    """The partition that the ResourceClaim's device is, None when the inventory does not know it."""
    wanted = present.devices[0]
    for node, gpu, partition in snapshot.partitions():
        if (node.pool, partition.device) == (wanted.pool, wanted.device):
            return Placed(node, gpu, partition)
    return None


async def adopt(
    context: ClaimContext, writer: ClaimWriter, claim: GPUPartitionClaim, present: ResourceClaimView
) -> Result:
    """Write the status of a claim made for a pod that runs already; asks to come back while the device is unknown."""
    placed = held_place(context.cluster.snapshot(), present)
    if placed is None:
        return Result(requeue_after=UNKNOWN_SECONDS)
    now = context.clock.now()
    await writer.write(status.allocated(status.bound(claim, placed, now), now))
    context.count("adopt", "success")
    return Result()
