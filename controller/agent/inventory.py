"""The node as GPUNode.status shows it: hardware, holders and the last operation, put together. Decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from api.condition import Condition, set_condition
from api.v1beta1.gpu_node import (
    GPU,
    Driver,
    GPUNodeStatus,
    NodeSummary,
    OperationProgress,
    Partition,
    PartitionHealth,
    PartitionHolder,
)
from controller.agent.backend import BackendError, HardwareGpu, HardwarePartition, NodeHardware
from controller.agent.driver_attributes import device_name
from controller.agent.usage import Holder, Holders, exclusive

READY = "Ready"


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """All that a status is made of. `hardware` is the last that could be read, None when none ever could.

    `problem`: why it cannot be read now; every partition is then reported as unhealthy.
    """

    hardware: NodeHardware | None
    problem: BackendError | None
    simulated: bool
    holders: Holders
    operation: OperationProgress | None


def node_status(facts: NodeFacts, present: Mapping[str, Any], now: datetime) -> GPUNodeStatus:
    """The status to write over `present`: it answers that GPUNode's generation and carries on its conditions."""
    hardware = facts.hardware
    gpus = [_gpu(gpu, facts) for gpu in hardware.gpus] if hardware else []
    products = {gpu.product for gpu in gpus}
    generation = present["metadata"].get("generation")
    return GPUNodeStatus(
        observed_generation=generation,
        driver=Driver(version=hardware.driver_version if hardware else ""),
        simulated=facts.simulated,
        product=products.pop() if len(products) == 1 else None,
        gpus=gpus,
        operation=facts.operation,
        fingerprint=fingerprint(hardware) if hardware else None,
        summary=NodeSummary.of(gpus),
        conditions=_conditions(facts, present, generation, now),
    )


def fingerprint(hardware: NodeHardware) -> str:
    """16 hex digits that change whenever driver, GPUs, modes or partitions do, and with nothing else."""
    facts = [hardware.driver_version]
    for gpu in hardware.gpus:
        facts += [f"{gpu.bdf} {gpu.unique_id} {gpu.mode} {partition}" for partition in gpu.partitions]
    return sha256("\n".join(facts).encode()).hexdigest()[:16]


def _gpu(gpu: HardwareGpu, facts: NodeFacts) -> GPU:
    return GPU(
        bdf=gpu.bdf,
        product=gpu.product,
        vram_bytes=gpu.vram_bytes,
        modes_allowed=[str(mode) for mode in gpu.modes_allowed],
        modes_validated=[str(mode) for mode in gpu.modes_allowed if mode in gpu.modes_validated],
        mode=str(gpu.mode),
        partitions=[_partition(partition, facts) for partition in gpu.partitions],
    )


def _partition(partition: HardwarePartition, facts: NodeFacts) -> Partition:
    healthy = partition.healthy and facts.problem is None
    name = device_name(partition)
    return Partition(
        id=partition.id,
        render_index=partition.render_index,
        device=name,
        bytes=partition.bytes,
        compute_units=partition.compute_units,
        health=PartitionHealth.HEALTHY if healthy else PartitionHealth.UNHEALTHY,
        holder=_holder(exclusive(facts.holders.get(name, ()))),
    )


def _holder(holder: Holder | None) -> PartitionHolder:
    if holder is None:
        return PartitionHolder.FREE
    return PartitionHolder.OURS if holder.ours else PartitionHolder.FOREIGN


def _conditions(facts: NodeFacts, present: Mapping[str, Any], generation: int | None, now: datetime) -> list[Condition]:
    conditions = [Condition.model_validate(entry) for entry in (present.get("status") or {}).get("conditions") or ()]
    if facts.problem is not None:
        reason, message = type(facts.problem).__name__, str(facts.problem)
    elif facts.hardware is None:
        reason, message = "NotReadYet", "the hardware has not been read yet"
    else:
        kind = "simulated GPUs" if facts.simulated else "GPUs"
        reason, message = "InventoryRead", f"{len(facts.hardware.gpus)} {kind}, driver {facts.hardware.driver_version}"
    ready = facts.problem is None and facts.hardware is not None
    return set_condition(conditions, READY, ready, reason, message, generation, now)
