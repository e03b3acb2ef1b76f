"""The statuses a claim can have, each built whole from the one before."""

from datetime import datetime

from api.condition import set_condition
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.device import Device
from api.v1beta1.gpu_partition_claim import Allocation, Binding, ClaimPhase, GPUPartitionClaimStatus
from controller.placement.decision import Placed

#: Longest explanation that the API takes, characters.
EXPLANATION_LIMIT = 4096
MESSAGE_LIMIT = 1024


def _with(claim: GPUPartitionClaim, status: GPUPartitionClaimStatus) -> GPUPartitionClaim:
    stamped = status.model_copy(update={"observed_generation": claim.metadata.generation})
    return claim.model_copy(update={"status": stamped})


def waiting(claim: GPUPartitionClaim, reason: str, message: str, now: datetime) -> GPUPartitionClaim:
    """No place, and why; whatever was allocated before is given up."""
    conditions = set_condition(
        claim.status.conditions, "Bound", "False", reason, message[:MESSAGE_LIMIT], claim.metadata.generation, now
    )
    conditions = set_condition(
        conditions, "Allocated", "False", reason, "no partition is bound yet", claim.metadata.generation, now
    )
    return _with(
        claim,
        claim.status.model_copy(
            update={
                "phase": ClaimPhase.PENDING,
                "allocation": None,
                "explanation": message[:EXPLANATION_LIMIT],
                "conditions": conditions,
            }
        ),
    )


def bound(claim: GPUPartitionClaim, placed: Placed, now: datetime, *, rebind: bool = False) -> GPUPartitionClaim:
    """A partition is chosen and counts as taken; the real scheduler has yet to confirm it."""
    device = device_of(placed)
    allocation = Allocation(
        node=placed.node.name, devices=[device], binding=Binding.DRA, resource_claim=claim.metadata.name
    )
    message = f"{placed.node.name} {device.bdf}/{device.partition} in {device.mode}"
    conditions = set_condition(
        claim.status.conditions, "Bound", "True", "PartitionChosen", message, claim.metadata.generation, now
    )
    conditions = set_condition(
        conditions,
        "Allocated",
        "False",
        "WaitingForScheduler",
        "the scheduler has not confirmed the device yet",
        claim.metadata.generation,
        now,
    )
    return _with(
        claim,
        claim.status.model_copy(
            update={
                "phase": ClaimPhase.BOUND,
                "allocation": allocation,
                "explanation": None,
                "bound_time": now,
                "rebinds": claim.status.rebinds + (1 if rebind else 0),
                "conditions": conditions,
            }
        ),
    )


def device_of(placed: Placed) -> Device:
    """The partition as the API shows it."""
    partition = placed.partition
    return Device(
        device=partition.device,
        pool=placed.node.pool,
        render_index=partition.render_index,
        bdf=partition.id.bdf,
        partition=partition.id.index,
        mode=str(placed.mode),
        bytes=partition.bytes,
    )


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


def released(claim: GPUPartitionClaim, now: datetime) -> GPUPartitionClaim:
    """The pod has ended; the partition is free."""
    conditions = set_condition(
        claim.status.conditions, "Allocated", "False", "PodEnded", "the pod has ended", claim.metadata.generation, now
    )
    return _with(claim, claim.status.model_copy(update={"phase": ClaimPhase.RELEASED, "conditions": conditions}))


def troubled(claim: GPUPartitionClaim, type_: str, reason: str, message: str, now: datetime) -> GPUPartitionClaim:
    """Something needs a person: a condition that says what, beside whatever else holds."""
    status = "True" if type_ == "Stuck" else "False"
    conditions = set_condition(
        claim.status.conditions, type_, status, reason, message[:MESSAGE_LIMIT], claim.metadata.generation, now
    )
    return _with(
        claim,
        claim.status.model_copy(update={"explanation": message[:EXPLANATION_LIMIT], "conditions": conditions}),
    )


def without_trouble(claim: GPUPartitionClaim) -> GPUPartitionClaim:
    """The claim without a Stuck condition of before."""
    kept = [condition for condition in claim.status.conditions if condition.type != "Stuck"]
    return _with(claim, claim.status.model_copy(update={"conditions": kept}))


def device_text(claim: GPUPartitionClaim) -> str:
    """Where the claim is bound, in words; empty when it is not."""
    allocation = claim.status.allocation
    if allocation is None:
        return ""
    device = allocation.devices[0]
    return f"{allocation.node} {device.bdf}/{device.partition} {device.mode}"
