"""Binding what was decided: the pinned ResourceClaim where there is one, then one patch that opens the gate.

Runs again safely after a crash between any two writes: the claim's status holds the decision, the rest follows.
"""

from enum import StrEnum
from typing import Any

from api.group import ASSIGNED_NODE, ASSIGNED_PARTITION, CLAIM_LABEL, ENGINE_ARGS, GATE, PROFILE_ID, REQUEST_KEYS
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import Allocation
from controller.binding.dra import GatedPod, Pin, PinnedDevice, annotate_patch, bind_patch, resource_claim
from controller.gpu.mode import Mode
from controller.profiles.selection import Place
from controller.reconcilers.gpu_partition_claim import status
from controller.reconcilers.gpu_partition_claim.claim_refusals import Refusal, make
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.isolation import isolation_annotations
from controller.reconcilers.gpu_partition_claim.profile import place_of, quantization, selected
from controller.reconcilers.repartition_plan.taint import taints_node
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.runtime.client.errors import AlreadyExists, Conflict, Invalid, NotFound
from controller.runtime.objects.pod import Pod
from controller.runtime.objects.resource_claim import ResourceClaim
from controller.translate.node_taint import toleration_patch
from controller.translate.pod import PodView, pod_view
from controller.translate.resource_claim import ResourceClaimView, pinned_as, pinned_to, resource_claim_view

#: How often a pod that moved on under the patch is read and decided anew in one reconcile.
ATTEMPTS = 3


class Ensured(StrEnum):
    """What became of the ResourceClaim."""

    PRESENT = "present"
    CREATED = "created"
    TAKEN = "taken"
    REPLACING = "replacing"


class Opened(StrEnum):
    """What became of the gate."""

    OPEN = "open"
    ALREADY_OPEN = "open before"
    WAITING_FOR_GATE = "waiting for another gate"
    POD_GONE = "pod gone"
    MOVED_ON = "pod keeps changing"
    REFUSED = "refused"


def allocation_of(claim: GPUPartitionClaim) -> Allocation:
    """Where the claim was placed. Raises ValueError while it is not."""
    allocation = claim.status.allocation
    if allocation is None:
        raise ValueError(f"claim {claim.metadata.namespace}/{claim.metadata.name} has no allocation")
    return allocation


def pin_of(claim: GPUPartitionClaim) -> Pin:
    """The devices that the claim's allocation names. Raises ValueError without an allocation."""
    allocation = allocation_of(claim)
    first = allocation.devices[0]
    return Pin(
        node=allocation.node,
        pool=first.pool or allocation.node,
        devices=tuple(PinnedDevice(each.device or "", each.render_index or 0) for each in allocation.devices),
        profile=Mode.parse(first.mode).profile,
    )


async def ensure_resource_claim(
    context: ClaimContext, claim: GPUPartitionClaim, pod: PodView, present: ResourceClaimView | None
) -> Ensured | Refusal:
    """Make the pod's ResourceClaim unless it is there; one that is not as we write it is told apart.

    An unallocated claim of this pod with another pin is an older decision of ours: it is removed, by uid and version,
    and made anew by the reconcile that sees it gone.
    """
    name, namespace = claim.metadata.name, claim.metadata.namespace or ""
    pin = pin_of(claim)
    if present is None:
        wanted = resource_claim(name, namespace, pod.name, pod.uid, pin, {CLAIM_LABEL: name, **pinned_to(pin.node)})
        try:
            refusal = await make(context, wanted, claim)
        except AlreadyExists:
            present = resource_claim_view(
                await context.client.get(RESOURCE_CLAIMS, name, namespace, into=ResourceClaim)
            )
        else:
            return refusal or Ensured.CREATED
    if present.owner_uid != pod.uid:
        return Ensured.TAKEN
    if pinned_as(present.spec, pin):
        return Ensured.REPLACING if present.deleting else Ensured.PRESENT
    if present.allocated:
        return Ensured.TAKEN
    await remove_resource_claim(context, present)
    return Ensured.REPLACING


async def remove_resource_claim(context: ClaimContext, present: ResourceClaimView) -> None:
    """Delete a ResourceClaim only as it was seen: another one of that name, or a newer state, stays."""
    try:
        await context.client.delete(
            RESOURCE_CLAIMS,
            present.name,
            present.namespace,
            uid=present.uid,
            resource_version=present.resource_version,
        )
    except NotFound:
        return


async def open_gate(context: ClaimContext, claim: GPUPartitionClaim, pod: PodView, hostname: str) -> Opened:
    """Patch the pod: pin, annotations, our gate off. A pod that moved on is read and tried again, three times.

    Where plans taint their nodes it tolerates that from now on: it may have been placed beside the GPUs that change.
    """
    allocation = allocation_of(claim)
    tolerates = taints_node(context.cluster, allocation.node)
    for _ in range(ATTEMPTS):
        if not pod.gated:
            return Opened.ALREADY_OPEN
        if pod.foreign_gates:
            return Opened.WAITING_FOR_GATE
        patch = bind_patch(_gated(pod), hostname, assignment(context, claim, pod)) + (
            toleration_patch(pod.tolerations) if tolerates else []
        )
        outcome = await _patch(context, pod, patch)
        if outcome is not Opened.MOVED_ON:
            return outcome
        fresh = await _read_again(context, pod)
        if fresh is None:
            return Opened.POD_GONE
        if any(fresh.annotations.get(key) != pod.annotations.get(key) for key in REQUEST_KEYS):
            return Opened.MOVED_ON  # it asks for something else than its place, or its share, was decided for
        pod = fresh
    return Opened.MOVED_ON


async def reassign(context: ClaimContext, claim: GPUPartitionClaim, pod: PodView) -> bool:
    """Let a pod that is on no node yet tell its containers of a new pin; False when it moved on, to be read again.

    A container's environment is what the annotations said as it started, so they are never changed later. The patch
    tests the version in which the pod was on no node: being placed on one changes it.
    """
    wanted = assignment(context, claim, pod)
    changed = {key: value for key, value in wanted.items() if pod.annotations.get(key) != value}
    if pod.gated or pod.node is not None or not changed:
        return True
    try:
        patch = annotate_patch(pod.resource_version, pod.annotations, changed)
        await context.client.json_patch(PODS, pod.name, patch, pod.namespace)
    except NotFound:
        return True
    except (Conflict, Invalid):
        return False
    return True


def _gated(pod: PodView) -> GatedPod:
    return GatedPod(pod.resource_version, GATE, pod.gates.index(GATE), pod.annotations, pod.node_selector)


async def _patch(context: ClaimContext, pod: PodView, patch: list[dict[str, Any]]) -> Opened:
    try:
        await context.client.json_patch(PODS, pod.name, patch, pod.namespace)
    except NotFound:
        return Opened.POD_GONE
    except Conflict:
        return Opened.MOVED_ON
    except Invalid as error:
        # A failed `test` is a 422 without causes: the pod moved on. With causes the API server has spoken.
        return Opened.REFUSED if error.causes else Opened.MOVED_ON
    return Opened.OPEN


async def _read_again(context: ClaimContext, pod: PodView) -> PodView | None:
    try:
        fresh = pod_view(await context.client.get(PODS, pod.name, pod.namespace, into=Pod))
    except NotFound:
        return None
    return None if fresh.uid != pod.uid or fresh.deleting else fresh


def assignment(context: ClaimContext, claim: GPUPartitionClaim, pod: PodView) -> dict[str, str]:
    """The annotations that only the operator writes.

    The kubelet's choice is not known yet: with the device plugin the partition is named by its resource. A profile of
    an earlier place does not stay.
    """
    allocation = allocation_of(claim)
    resource = allocation.resource
    by_kubelet = f"{resource.name} {resource.mode}" if resource is not None else ""
    written = {
        ASSIGNED_NODE: allocation.node,
        ASSIGNED_PARTITION: by_kubelet or status.devices_text(allocation.devices),
        ENGINE_ARGS: engine_arguments(context, claim, pod, place_of(context, allocation, claim.spec.requirement.count)),
    }
    if allocation.profile is not None or PROFILE_ID in pod.annotations:
        written[PROFILE_ID] = allocation.profile or ""
    return written | isolation_annotations(context, claim, pod)


def engine_arguments(context: ClaimContext, claim: GPUPartitionClaim, pod: PodView, place: Place) -> str:
    """As the model was sized; of a model that cannot be sized any more, what the claim remembers."""
    found = selected(context, pod, place)
    if found is not None:
        return found.engine_args
    model = claim.spec.model
    return context.isolator.engine_arguments(
        place.partition_bytes,
        (model.max_model_len if model else None) or 1,
        (model.max_concurrency if model else None) or 1,
        partitions=place.count,
        quantization=quantization(context, pod),
    )
