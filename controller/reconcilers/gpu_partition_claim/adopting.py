"""A running pod whose claim somebody deleted: the record is made again from what scheduler or kubelet gave it."""

from api.group import ASSIGNED_NODE, PROFILE_ID
from api.v1beta1 import GPUPartitionClaim
from controller.binding.device_plugin import mode_of
from controller.placement.decision import Placed, PlacedDevice
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
    """Whether the pod holds a device that no claim of ours tells of: by its ResourceClaim, or by the device plugin."""
    if pod.gated or pod.terminal or pod.deleting:
        return False
    if pod.resource:
        return pod.node is not None and pod.annotations.get(ASSIGNED_NODE) == pod.node
    return present is not None and present.owner_uid == pod.uid and bool(present.devices)


def held_place(snapshot: Snapshot, present: ResourceClaimView) -> Placed | None:
    """The partitions that the ResourceClaim's devices are, None when the inventory does not know them all."""
    wanted = {(device.pool, device.device) for device in present.devices}
    for node in snapshot.nodes:
        devices = tuple(
            PlacedDevice(gpu, partition)
            for gpu in node.gpus
            for partition in gpu.partitions
            if (node.pool, partition.device) in wanted
        )
        if len(devices) == len(wanted):
            return Placed(node, devices)
    return None


def plugin_place(snapshot: Snapshot, pod: PodView) -> Placed | None:
    """A partition like those that the kubelet gave, None when the pod's node has none: which, the kubelet tells."""
    node = snapshot.node(pod.node) if pod.node is not None else None
    wanted = mode_of(pod.resource)
    for gpu in node.gpus if node is not None else ():
        if node is not None and gpu.partitions and wanted in (None, gpu.mode):
            return Placed.on(node, gpu, gpu.partitions[0])
    return None


async def adopt(
    context: ClaimContext,
    writer: ClaimWriter,
    claim: GPUPartitionClaim,
    pod: PodView,
    present: ResourceClaimView | None,
) -> Result:
    """Write the status of a claim made for a pod that runs already; asks to come back while the device is unknown."""
    snapshot, now = context.cluster.snapshot(), context.clock.now()
    if pod.resource:
        placed = plugin_place(snapshot, pod)
    else:
        placed = held_place(snapshot, present) if present is not None else None
    if placed is None:
        return Result(requeue_after=UNKNOWN_SECONDS)
    # what its containers were told, and not what they would be told now
    bound = status.bound(claim, placed, now, resource=pod.resource, profile=pod.annotations.get(PROFILE_ID) or None)
    await writer.write(bound if pod.resource else status.allocated(bound, now))
    context.count("adopt", "success")
    return Result()
