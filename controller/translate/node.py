"""A Node joined with its GPUNode: the node that placement sees, before anybody holds anything."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from api.quantity import parse_quantity
from api.v1beta1.gpu_node import GPU, GPUNode
from api.v1beta1.quarantine import taken_out
from controller.binding.device_plugin import Naming, naming_of_resource, resource_name
from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.demand import Resources
from controller.placement.snapshot import Gpu, Partition, Reservation, Taint
from controller.runtime.objects.node import Node
from controller.translate.node_taint import is_ours, repartitioned_by
from controller.translate.quantity import cpu_milli, memory_bytes

HOSTNAME = "kubernetes.io/hostname"
READS_ONLY = "sysfs"
"""Backend of agents that report what the kernel's files say, and change no mode."""
CONSISTENT = "Consistent"
"""Condition of a GPUNode: False while amdsmi and the kernel tell different things of its GPUs."""


@dataclass(frozen=True, slots=True)
class HostView:
    """What a Node object says. `devices` counts what AMD's device plugin advertises, by resource.

    `taints` are those of others: placement keeps pods off GPUs that a plan has in hand by itself, and who is bound
    tolerates our taint. `repartitioned_by` is the value of that one, None when it is not there.
    """

    name: str
    uid: str
    hostname: str | None
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    ready: bool
    unschedulable: bool
    allocatable: Resources
    devices: Mapping[str, int]
    repartitioned_by: str | None = None


def host_view(node: Node) -> HostView:
    """The view of a Node object."""
    metadata, allocatable = node.metadata, node.status.allocatable
    return HostView(
        name=metadata.name,
        uid=metadata.uid,
        hostname=metadata.labels.get(HOSTNAME),
        labels=metadata.labels,
        taints=tuple(Taint(one.key, one.value, one.effect) for one in node.spec.taints if not is_ours(one)),
        ready=any(found.type == "Ready" and found.status == "True" for found in node.status.conditions),
        unschedulable=node.spec.unschedulable,
        allocatable=Resources(
            cpu_milli(allocatable.get("cpu", "0")),
            memory_bytes(allocatable.get("memory", "0")),
            int(allocatable.get("pods", "0")),
        ),
        devices={name: parse_quantity(count) for name, count in allocatable.items() if naming_of_resource(name)},
        repartitioned_by=repartitioned_by(node.spec.taints),
    )


def gpus(gpu_node: GPUNode) -> tuple[Gpu, ...]:
    """The GPUs that the agent reported, with nobody holding them.

    While the hardware contradicts itself (condition Consistent is False) no partition of the node counts as healthy.
    """
    kept: dict[str, list[_Kept]] = {}
    for entry in gpu_node.spec.reservations:
        kept.setdefault(entry.bdf, []).append((entry.partition, entry.owner, entry.template_hash))
    trusted = _consistent(gpu_node)
    return tuple(
        _gpu(
            (gpu.bdf, gpu.product, gpu.mode, gpu.xgmi_hive),
            (tuple(gpu.modes_allowed), tuple(gpu.modes_validated)),
            tuple(
                (one.id, one.device, one.render_index, one.bytes, one.compute_units, one.health == "Healthy")
                for one in gpu.partitions
            ),
            out_of_use(gpu_node, gpu),
            tuple(kept.get(gpu.bdf, ())),
            trusted,
        )
        for gpu in gpu_node.status.gpus
        if gpu.mode is not None
    )


_Reported: TypeAlias = tuple[int, str | None, int, int, int, bool]
"""Number, device, render index, bytes, compute units and health of a partition."""
_Kept: TypeAlias = tuple[int, str, str]
"""Number of a partition, and the owner and revision that it is kept for."""


@lru_cache(maxsize=16384)
def _gpu(
    named: tuple[str, str, str, int | None],
    modes: tuple[tuple[str, ...], tuple[str, ...]],
    partitions: tuple[_Reported, ...],
    quarantined: frozenset[int],
    kept: tuple[_Kept, ...],
    trusted: bool,
) -> Gpu:
    """One GPU; nodes of one make that are in one mode have the same GPUs, and then share them."""
    bdf, product, mode, hive = named
    reserved = {number: Reservation(owner, template_hash) for number, owner, template_hash in kept}
    return Gpu(
        bdf=bdf,
        product=product,
        mode=Mode.parse(mode),
        allowed=tuple(map(Mode.parse, modes[0])),
        validated=frozenset(map(Mode.parse, modes[1])),
        partitions=tuple(
            Partition(
                id=PartitionId(bdf, number),
                device=device or "",
                render_index=render_index,
                bytes=size,
                compute_units=compute_units,
                healthy=trusted and healthy,
                quarantined=number in quarantined,
                reservation=reserved.get(number),
            )
            for number, device, render_index, size, compute_units, healthy in partitions
        ),
        hive=hive,
    )


def out_of_use(gpu_node: GPUNode, gpu: GPU) -> frozenset[int]:
    """The numbers of the GPU's partitions that the node's quarantine keeps from claims, however healthy they look."""
    return taken_out(gpu_node.spec.quarantine, gpu.bdf, gpu.mode, [partition.id for partition in gpu.partitions])


def under_resources(gpus: Iterable[Gpu], naming: Naming) -> tuple[Gpu, ...]:
    """The GPUs with every partition under the extended resource that the node's device plugin advertises it by."""
    return tuple(
        replace(gpu, partitions=tuple(replace(one, resource=resource_name(gpu.mode, naming)) for one in gpu.partitions))
        for gpu in gpus
    )


def _consistent(gpu_node: GPUNode) -> bool:
    return not any(found.type == CONSISTENT and found.status == "False" for found in gpu_node.status.conditions)


def modes(gpu_node: GPUNode) -> dict[str, Mode]:
    """Current mode of each GPU by bdf."""
    return {gpu.bdf: gpu.mode for gpu in gpus(gpu_node)}
