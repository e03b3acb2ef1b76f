"""The statuses a claim can have, each built whole from the one before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from api.condition import Condition, ConditionStatus, find_condition, set_condition
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.device import Device
from api.v1beta1.gpu_partition_claim import (
    Allocation,
    Binding,
    ClaimPhase,
    GPUPartitionClaimStatus,
    IsolationLabel,
    Nomination,
    ObservedDevices,
    PluginResource,
)
from controller.binding.isolation import ResourceIsolator
from controller.placement.decision import Placed
from controller.placement.explanation import MOST_BYTES, within_bytes

MESSAGE_LIMIT = 1024

OBSERVED_MISMATCH: Final = "ObservedMismatch"
"""Condition of a claim whose pod holds another device than it was bound to."""
UNASSIGNED: Final = "Unassigned"
"""Condition of a claim whose pod was let go without what its containers read; it stays as long as the pod."""
TOO_SMALL: Final = "TooSmall"
"""Condition of a claim whose model needs more than its partition has, by facts that came later."""
TROUBLES: Final = frozenset({"Stuck", OBSERVED_MISMATCH})
"""Conditions that say what is wrong: True while it is, and absent otherwise."""

WAITING_FOR_GATE: Final = "WaitingForGate"
"""Why a claim waits whose pod others hold, too: no place is looked for before they have let it go."""
WAITING_FOR_SCHEDULER: Final = ("WaitingForScheduler", "the scheduler has not confirmed the device yet")
WAITING_FOR_KUBELET: Final = ("WaitingForKubelet", "the kubelet has not told yet which device it gave to the pod")
TOLD_BY_KUBELET: Final = ("DeviceObserved", "the kubelet told which device it gave to the pod")


@dataclass(frozen=True, slots=True)
class Detail:
    """What the status of a claim that waits says beside why: that at more length, and which place is kept for it."""

    explanation: str | None = None
    kept: Nomination | None = None


NO_DETAIL: Final = Detail()


def _with(claim: GPUPartitionClaim, status: GPUPartitionClaimStatus) -> GPUPartitionClaim:
    stamped = status.model_copy(update={"observed_generation": claim.metadata.generation})
    return claim.model_copy(update={"status": stamped})


def waiting(
    claim: GPUPartitionClaim, reason: str, message: str, now: datetime, detail: Detail = NO_DETAIL
) -> GPUPartitionClaim:
    """No place, and why; what was allocated before is given up.

    While others hold the pod, too, Allocated is Unknown, so that it is False since the claim began to wait for us.
    """
    conditions = set_condition(
        claim.status.conditions, "Bound", "False", reason, message[:MESSAGE_LIMIT], claim.metadata.generation, now
    )
    allocated = ConditionStatus.UNKNOWN if reason == WAITING_FOR_GATE else ConditionStatus.FALSE
    conditions = _unallocated(claim, conditions, allocated, (reason, "no partition is bound yet"), now)
    return _with(
        claim,
        claim.status.model_copy(
            update={
                "phase": ClaimPhase.PENDING,
                "allocation": None,
                "observed": None,
                "nomination": detail.kept,
                "explanation": within_bytes(detail.explanation or message, MOST_BYTES),
                "conditions": conditions,
            }
        ),
    )


def bound(
    claim: GPUPartitionClaim,
    placed: Placed,
    now: datetime,
    *,
    resource: str = "",
    rebind: bool = False,
    profile: str | None = None,
) -> GPUPartitionClaim:
    """A partition is chosen and counts as taken; the real scheduler, or the kubelet, has yet to confirm it.

    With `resource`, an extended one of the device plugin, node and resource are chosen, and the kubelet chooses which.
    `profile`: the AIM profile for the place.
    """
    chosen = _by_plugin(placed, resource) if resource else _by_resource_claim(placed, claim.metadata.name)
    label = IsolationLabel(ResourceIsolator().isolation(placed.mode).value)
    allocation = chosen.model_copy(update={"profile": profile, "isolation": label})
    unconfirmed = WAITING_FOR_KUBELET if resource else WAITING_FOR_SCHEDULER
    generation = claim.metadata.generation
    message = allocation_text(allocation)
    before = large_enough(claim).status.conditions
    conditions = set_condition(before, "Bound", "True", "PartitionChosen", message, generation, now)
    conditions = _unallocated(claim, conditions, ConditionStatus.FALSE, unconfirmed, now)
    return _with(
        claim,
        claim.status.model_copy(
            update={
                "phase": ClaimPhase.BOUND,
                "allocation": allocation,
                "observed": None,
                "nomination": None,
                "explanation": None,
                "bound_time": now,
                "rebinds": claim.status.rebinds + (1 if rebind else 0),
                "conditions": conditions,
            }
        ),
    )


def _unallocated(
    claim: GPUPartitionClaim,
    conditions: Sequence[Condition],
    status: ConditionStatus,
    word: tuple[str, str],
    now: datetime,
) -> list[Condition]:
    """The conditions with Allocated so, and why; what is told of it first has been so since the claim was made."""
    first = find_condition(conditions, "Allocated") is None
    since = (claim.metadata.creation_timestamp if first else None) or now
    return set_condition(conditions, "Allocated", status, *word, claim.metadata.generation, since)


def _by_resource_claim(placed: Placed, name: str) -> Allocation:
    return Allocation(node=placed.node.name, devices=devices_of(placed), binding=Binding.DRA, resource_claim=name)


def _by_plugin(placed: Placed, resource: str) -> Allocation:
    """What is certain whichever device the kubelet chooses: the mode, and the smallest of their sizes."""
    alike = [partition.bytes for gpu in placed.node.gpus if gpu.mode == placed.mode for partition in gpu.partitions]
    named = PluginResource(name=resource, mode=str(placed.mode), bytes=min(alike))
    return Allocation(node=placed.node.name, binding=Binding.DEVICE_PLUGIN, resource=named)


def devices_of(placed: Placed) -> list[Device]:
    """The partitions as the API shows them."""
    return [
        Device(
            device=device.partition.device,
            pool=placed.node.pool,
            render_index=device.partition.render_index,
            bdf=device.partition.id.bdf,
            partition=device.partition.id.index,
            mode=str(device.gpu.mode),
            bytes=device.partition.bytes,
        )
        for device in placed.devices
    ]


def not_nominated(claim: GPUPartitionClaim) -> GPUPartitionClaim:
    """No place is kept for the claim any more."""
    return _with(claim, claim.status.model_copy(update={"nomination": None}))


def allocated(claim: GPUPartitionClaim, now: datetime) -> GPUPartitionClaim:
    """The real scheduler gave the pod the device that we pinned."""
    conditions = set_condition(
        claim.status.conditions,
        "Allocated",
        "True",
        "DeviceAllocated",
        "the scheduler allocated the pinned device",
        claim.metadata.generation,
        now,
    )
    return _with(claim, claim.status.model_copy(update={"phase": ClaimPhase.ALLOCATED, "conditions": conditions}))


def observed(claim: GPUPartitionClaim, devices: Sequence[Device], now: datetime) -> GPUPartitionClaim:
    """The kubelet told which devices the pod holds, and they are as they should be.

    With the device plugin that is the allocation; with a ResourceClaim the scheduler allocated them before.
    """
    calm = without_trouble(claim)
    update: dict[str, Any] = {"observed": ObservedDevices(devices=list(devices)), "explanation": None}
    allocation = calm.status.allocation
    if allocation is not None and allocation.resource is not None:
        update["phase"] = ClaimPhase.ALLOCATED
        update["allocation"] = allocation.model_copy(update={"devices": list(devices)})
        update["conditions"] = set_condition(
            calm.status.conditions, "Allocated", "True", *TOLD_BY_KUBELET, claim.metadata.generation, now
        )
    return _with(claim, calm.status.model_copy(update=update))


def mismatched(
    claim: GPUPartitionClaim, devices: Sequence[Device], reason: str, message: str, now: datetime
) -> GPUPartitionClaim:
    """The kubelet told of devices that the pod should not hold: what it really holds, and a condition with a remedy."""
    seen = claim.status.model_copy(update={"observed": ObservedDevices(devices=list(devices))})
    return troubled(_with(claim, seen), OBSERVED_MISMATCH, reason, message, now)


def unconfirmed(claim: GPUPartitionClaim, reason: str, message: str, now: datetime) -> GPUPartitionClaim:
    """Nobody has confirmed the device yet, and why."""
    conditions = set_condition(
        claim.status.conditions, "Allocated", "False", reason, message, claim.metadata.generation, now
    )
    return _with(claim, claim.status.model_copy(update={"conditions": conditions}))


def released(claim: GPUPartitionClaim, now: datetime) -> GPUPartitionClaim:
    """The pod has ended; the partition is free."""
    conditions = set_condition(
        claim.status.conditions, "Allocated", "False", "PodEnded", "the pod has ended", claim.metadata.generation, now
    )
    return _with(claim, claim.status.model_copy(update={"phase": ClaimPhase.RELEASED, "conditions": conditions}))


def troubled(claim: GPUPartitionClaim, type_: str, reason: str, message: str, now: datetime) -> GPUPartitionClaim:
    """Something needs a person: a condition that says what, beside whatever else holds."""
    status = "True" if type_ in TROUBLES else "False"
    conditions = set_condition(
        claim.status.conditions, type_, status, reason, message[:MESSAGE_LIMIT], claim.metadata.generation, now
    )
    return _with(
        claim,
        claim.status.model_copy(update={"explanation": within_bytes(message, MOST_BYTES), "conditions": conditions}),
    )


def unassigned(claim: GPUPartitionClaim, message: str, now: datetime) -> GPUPartitionClaim:
    """The pod holds its partition, and its containers were not told of it."""
    conditions = set_condition(
        claim.status.conditions, UNASSIGNED, "True", "GateRemoved", message, claim.metadata.generation, now
    )
    return _with(claim, claim.status.model_copy(update={"conditions": conditions}))


def too_small(claim: GPUPartitionClaim, message: str, now: datetime) -> GPUPartitionClaim:
    """The model needs more than the partition has; the claim keeps it."""
    conditions = set_condition(
        claim.status.conditions,
        TOO_SMALL,
        "True",
        "ModelNeedsMore",
        message[:MESSAGE_LIMIT],
        claim.metadata.generation,
        now,
    )
    return _with(claim, claim.status.model_copy(update={"conditions": conditions}))


def large_enough(claim: GPUPartitionClaim) -> GPUPartitionClaim:
    """The claim without the condition that its partition is too small."""
    kept = [condition for condition in claim.status.conditions if condition.type != TOO_SMALL]
    if len(kept) == len(claim.status.conditions):
        return claim
    return _with(claim, claim.status.model_copy(update={"conditions": kept}))


def without_trouble(claim: GPUPartitionClaim) -> GPUPartitionClaim:
    """The claim without the conditions of before that say what is wrong."""
    kept = [condition for condition in claim.status.conditions if condition.type not in TROUBLES]
    return _with(claim, claim.status.model_copy(update={"conditions": kept}))


def device_text(claim: GPUPartitionClaim) -> str:
    """Where the claim is bound, in words; empty when it is not."""
    allocation = claim.status.allocation
    return "" if allocation is None else allocation_text(allocation)


def allocation_text(allocation: Allocation) -> str:
    """Node and device, or with the device plugin node and resource while the device is not known, in words."""
    if allocation.devices:
        return f"{allocation.node} {devices_text(allocation.devices)}"
    resource = allocation.resource
    return f"{allocation.node} {resource.name} {resource.mode}" if resource is not None else allocation.node


def devices_text(devices: Sequence[Device]) -> str:
    """Partitions in words, `<bdf>/<number> <mode>` with commas between: as the agent's plugins tell containers."""
    return ",".join(f"{device.bdf}/{device.partition} {device.mode}" for device in devices)
