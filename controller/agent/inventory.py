"""The node as GPUNode.status shows it: hardware, its health, holders and the last operation, put together."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from api.condition import Condition, ConditionStatus, set_condition
from api.v1beta1.gpu_node import (
    GPU,
    AssignedDevice,
    Driver,
    EccCounts,
    GPUNodeSpec,
    GPUNodeStatus,
    MissingGPU,
    NodeSummary,
    OperationProgress,
    Partition,
    PartitionHealth,
    PartitionHolder,
)
from api.v1beta1.quarantine import Quarantine
from controller.agent.backend import BackendError, EccCount, HardwareGpu, HardwarePartition, NodeHardware
from controller.agent.driver_attributes import device_name
from controller.agent.health import PROBLEM_CHARACTERS, GpuHealth, gpu_health
from controller.agent.usage import Holder, Holders, exclusive

READY = "Ready"
CONSISTENT = "Consistent"
"""False while the sources of what the hardware is disagree: nothing is placed there, and no change counts as done."""
COMPLETE = "Complete"
"""False while a GPU is missing that the node had."""
BACKEND = "Backend"
"""False when the agent had to read the GPUs by another way than it should."""

_MESSAGE_CHARACTERS = 32768
_MAX_GPUS = 16


@dataclass(frozen=True, slots=True)
class BackendFacts:
    """How the agent reads the node. `fallback`: why it is not the way it should be, with the remedy; "" when it is."""

    name: str
    simulated: bool
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """All that a status is made of. `hardware` is the last that could be read, None when none ever could.

    `problem`: why it cannot be read now; every partition is then reported as unhealthy. `processes`: others that have
    a GPU open, by address, None where that is not told. `assigned`: None where the kubelet does not tell.
    """

    hardware: NodeHardware | None
    problem: BackendError | None
    backend: BackendFacts
    holders: Holders
    operation: OperationProgress | None
    processes: Mapping[str, int] | None = None
    assigned: tuple[AssignedDevice, ...] | None = None


def node_status(facts: NodeFacts, present: Mapping[str, Any], now: datetime) -> GPUNodeStatus:
    """The status to write over `present`: it answers that GPUNode's generation and carries on its conditions.

    What an agent before this one read stays, as unhealthy, while the hardware cannot be read: claims stand on it.
    """
    known = _known(present)
    hardware = facts.hardware
    gpus = [_gpu(gpu, hardware, facts) for gpu in hardware.gpus] if hardware else _unread(known.gpus, facts)
    missing = _missing(known, gpus, facts, now)
    products = {gpu.product for gpu in gpus}
    generation = present["metadata"].get("generation")
    return GPUNodeStatus(
        observed_generation=generation,
        driver=Driver(version=hardware.driver_version) if hardware else known.driver,
        simulated=facts.backend.simulated,
        backend=facts.backend.name,
        product=products.pop() if len(products) == 1 else None,
        gpus=gpus,
        missing_gpus=missing,
        assigned=None if facts.assigned is None else list(facts.assigned),
        operation=facts.operation,
        fingerprint=fingerprint(hardware) if hardware else known.fingerprint,
        summary=NodeSummary.of(gpus, _quarantine(present), len(missing)),
        conditions=_conditions(facts, missing, known.conditions, generation, now),
    )


def fingerprint(hardware: NodeHardware) -> str:
    """16 hex digits that change whenever driver, GPUs, modes or partitions do, and with nothing else."""
    facts = [hardware.driver_version]
    for gpu in hardware.gpus:
        facts += [f"{gpu.bdf} {gpu.unique_id} {gpu.mode} {partition}" for partition in gpu.partitions]
    return sha256("\n".join(facts).encode()).hexdigest()[:16]


def _known(present: Mapping[str, Any]) -> GPUNodeStatus:
    try:
        return GPUNodeStatus.model_validate(present.get("status") or {})
    except ValidationError:
        return GPUNodeStatus()  # of a version that wrote otherwise: all of it is written anew


def _quarantine(present: Mapping[str, Any]) -> list[Quarantine]:
    entries = (present.get("spec") or {}).get("quarantine") or []
    return GPUNodeSpec.model_validate({"quarantine": entries}).quarantine  # as the API server let them in


def _unread(gpus: list[GPU], facts: NodeFacts) -> list[GPU]:
    why = f"not readable now: {facts.problem or 'the hardware has not been read yet'}"[:PROBLEM_CHARACTERS]
    return [
        gpu.model_copy(
            update={
                "problem": why,
                "processes": None,
                "partitions": [
                    part.model_copy(update={"health": PartitionHealth.UNHEALTHY}) for part in gpu.partitions
                ],
            }
        )
        for gpu in gpus
    ]


def _missing(known: GPUNodeStatus, gpus: list[GPU], facts: NodeFacts, now: datetime) -> list[MissingGPU]:
    """The GPUs that `known` has, or misses, and that are not there now. The status is all that remembers them.

    Those of a simulation are not missed on real hardware, nor the other way round.
    """
    if known.simulated is not facts.backend.simulated:
        return []
    moment = now.replace(microsecond=0)
    there = {gpu.bdf for gpu in gpus}
    missed = {gpu.bdf: MissingGPU(bdf=gpu.bdf, since=moment) for gpu in known.gpus}
    missed |= {gpu.bdf: gpu for gpu in known.missing_gpus}
    return sorted((gpu for gpu in missed.values() if gpu.bdf not in there), key=lambda gpu: gpu.bdf)[:_MAX_GPUS]


def _gpu(gpu: HardwareGpu, node: NodeHardware, facts: NodeFacts) -> GPU:
    health = gpu_health(gpu, node, facts.problem)
    return GPU(
        bdf=gpu.bdf,
        product=gpu.product,
        vram_bytes=gpu.vram_bytes,
        modes_allowed=[str(mode) for mode in gpu.modes_allowed],
        modes_validated=[str(mode) for mode in gpu.modes_allowed if mode in gpu.modes_validated],
        mode=None if gpu.mode is None else str(gpu.mode),
        partitions=[_partition(gpu, partition, health, facts) for partition in gpu.partitions],
        missing_partitions=gpu.missing_partitions,
        processes=None if facts.processes is None else facts.processes.get(gpu.bdf, 0),
        ecc=None if gpu.ecc is None else _ecc(gpu.ecc),
        problem=health.problem or None,
        xgmi_hive=gpu.hive,
    )


def _ecc(count: EccCount) -> EccCounts:
    return EccCounts(correctable=count.correctable, uncorrectable=count.uncorrectable, deferred=count.deferred)


def _partition(gpu: HardwareGpu, partition: HardwarePartition, health: GpuHealth, facts: NodeFacts) -> Partition:
    name = device_name(partition)
    return Partition(
        id=partition.id,
        render_index=partition.render_index,
        device=name,
        bytes=partition.bytes,
        compute_units=partition.compute_units,
        health=PartitionHealth.HEALTHY if health.covers(partition) else PartitionHealth.UNHEALTHY,
        holder=_holder(exclusive(facts.holders.get(name, ())), given=_given(gpu, partition, facts)),
    )


def _given(gpu: HardwareGpu, partition: HardwarePartition, facts: NodeFacts) -> bool:
    return any((one.bdf, one.partition) == (gpu.bdf, partition.id) for one in facts.assigned or ())


def _holder(holder: Holder | None, *, given: bool) -> PartitionHolder:
    """`given`: the kubelet gave it to a pod, which is a stranger's unless a claim of ours says that it is its."""
    if holder is None:
        return PartitionHolder.FOREIGN if given else PartitionHolder.FREE
    return PartitionHolder.OURS if holder.ours else PartitionHolder.FOREIGN


@dataclass(frozen=True, slots=True)
class _Verdict:
    """One condition, before it is known whether it changed."""

    type: str
    status: ConditionStatus
    reason: str
    message: str


def _conditions(
    facts: NodeFacts, missing: list[MissingGPU], conditions: list[Condition], generation: int | None, now: datetime
) -> list[Condition]:
    for verdict in (_ready(facts), _consistent(facts), _complete(facts, missing), _backend(facts.backend)):
        message = verdict.message[:_MESSAGE_CHARACTERS]
        conditions = set_condition(conditions, verdict.type, verdict.status, verdict.reason, message, generation, now)
    return conditions


def _ready(facts: NodeFacts) -> _Verdict:
    if facts.problem is not None:
        return _Verdict(READY, ConditionStatus.FALSE, type(facts.problem).__name__, str(facts.problem))
    if facts.hardware is None:
        return _Verdict(READY, ConditionStatus.FALSE, "NotReadYet", "the hardware has not been read yet")
    kind = "simulated GPUs" if facts.backend.simulated else "GPUs"
    message = f"{len(facts.hardware.gpus)} {kind}, driver {facts.hardware.driver_version}"
    return _Verdict(READY, ConditionStatus.TRUE, "InventoryRead", message)


def _consistent(facts: NodeFacts) -> _Verdict:
    if facts.hardware is None or facts.problem is not None:
        return _Verdict(CONSISTENT, ConditionStatus.UNKNOWN, "NotRead", "the hardware cannot be read now")
    if facts.hardware.disagreements:
        remedy = "nothing is placed here until they agree: reload the amdgpu driver or reboot the node"
        message = f"{'; '.join(facts.hardware.disagreements)}; {remedy}"
        return _Verdict(CONSISTENT, ConditionStatus.FALSE, "SourcesDisagree", message)
    return _Verdict(CONSISTENT, ConditionStatus.TRUE, "SourcesAgree", "nothing contradicts what was read")


def _complete(facts: NodeFacts, missing: list[MissingGPU]) -> _Verdict:
    if missing:
        gone = ", ".join(f"{gpu.bdf} since {gpu.since:%Y-%m-%dT%H:%M:%SZ}" for gpu in missing)
        message = (
            f"GPUs that were here are missing: {gone}: read the kernel's log, reload the amdgpu driver, then power the "
            "node off and on; replace a GPU that stays away, and where it was taken out on purpose remove its entry "
            "from status.missingGpus"
        )
        return _Verdict(COMPLETE, ConditionStatus.FALSE, "GpusMissing", message)
    if facts.hardware is None or facts.problem is not None:
        return _Verdict(COMPLETE, ConditionStatus.UNKNOWN, "NotRead", "the hardware cannot be read now")
    return _Verdict(COMPLETE, ConditionStatus.TRUE, "AllThere", "every GPU that was seen here is here")


def _backend(backend: BackendFacts) -> _Verdict:
    if backend.fallback:
        return _Verdict(BACKEND, ConditionStatus.FALSE, "FellBack", backend.fallback)
    return _Verdict(BACKEND, ConditionStatus.TRUE, "AsAsked", f"GPUs are read by {backend.name}")
