"""The one ResourceClaim of a share group, owned by the group's GPUPartitionClaim: no pod takes it along."""

from typing import Final

from api.group import API_VERSION, CLAIM_LABEL
from api.v1beta1 import GPUPartitionClaim
from controller.binding.dra import claim_spec
from controller.reconcilers.gpu_partition_claim.claim_refusals import Refusal, make
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.pinning import Ensured, pin_of, remove_resource_claim
from controller.runtime.client.core import RESOURCE_CLAIMS
from controller.runtime.client.errors import AlreadyExists
from controller.runtime.objects.resource_claim import ResourceClaim
from controller.translate.resource_claim import ResourceClaimView, pinned_as, pinned_to, resource_claim_view

_OWNER_KIND: Final = "GPUPartitionClaim"


async def ensure(
    context: ClaimContext, claim: GPUPartitionClaim, present: ResourceClaimView | None
) -> Ensured | Refusal:
    """Make the group's ResourceClaim unless it is there.

    One of an earlier claim of the group, or of an earlier choice of ours, is removed and made anew by the reconcile
    that sees it gone; only one that is allocated under another pin is left alone.
    """
    name, namespace, pin = claim.metadata.name, claim.metadata.namespace or "", pin_of(claim)
    if present is None:
        try:
            refusal = await make(context, _made(claim), claim)
        except AlreadyExists:
            live = await context.client.get(RESOURCE_CLAIMS, name, namespace, into=ResourceClaim)
            present = resource_claim_view(live)
        else:
            return refusal or Ensured.CREATED
    if present.deleting:
        return Ensured.REPLACING
    ours = present.owner_uid == claim.metadata.uid
    if ours and pinned_as(present.spec, pin):
        return Ensured.PRESENT
    if present.allocated and (ours or present.reserved_for):
        return Ensured.TAKEN
    await remove_resource_claim(context, present)
    return Ensured.REPLACING


def _made(claim: GPUPartitionClaim) -> dict[str, object]:
    pin = pin_of(claim)
    owner = {
        "apiVersion": API_VERSION,
        "kind": _OWNER_KIND,
        "name": claim.metadata.name,
        "uid": claim.metadata.uid,
        "controller": True,
    }
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {
            "name": claim.metadata.name,
            "namespace": claim.metadata.namespace,
            "labels": {CLAIM_LABEL: claim.metadata.name, **pinned_to(pin.node)},
            "ownerReferences": [owner],
        },
        "spec": claim_spec(pin),
    }
