"""What a pod is told of its isolation, beside its place: the honest label, and a share group's member its share."""

from api.group import ASSIGNED_CU_MASK, ASSIGNED_FRACTION, ASSIGNED_ISOLATION, ASSIGNED_VISIBLE_DEVICES
from api.v1beta1 import GPUPartitionClaim
from controller.binding.shares import Share, Whole, parse_units
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.translate.pod import PodView
from controller.translate.share_group import share_of


def isolation_annotations(context: ClaimContext, claim: GPUPartitionClaim, pod: PodView) -> dict[str, str]:
    """The annotations; none for a claim that was placed before there were labels."""
    allocation = claim.status.allocation
    if allocation is None or allocation.isolation is None:
        return {}
    told = {ASSIGNED_ISOLATION: allocation.isolation.value}
    share = share_of(claim, pod.uid)
    if share is None:
        return told
    units = parse_units(share.compute_units or "")
    settings = context.isolator.settings(
        Whole(allocation.devices[0].bytes, 0), Share(share.pod.uid, share.bytes, units)
    )
    return told | {
        ASSIGNED_CU_MASK: settings.cu_mask,
        ASSIGNED_FRACTION: settings.memory_fraction,
        ASSIGNED_VISIBLE_DEVICES: settings.visible_devices,
    }
