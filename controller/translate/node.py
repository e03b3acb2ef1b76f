"""A Node joined with its GPUNode: the node that placement sees, before anybody holds anything."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

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
    quarantined = {gpu.bdf: out_of_use(gpu_node, gpu) for gpu in gpu_node.status.gpus}
    kept = {
        (entry.bdf, entry.partition): Reservation(entry.owner, entry.template_hash)
        for entry in gpu_node.spec.reservations
    }
    trusted = _consistent(gpu_node)
    return tuple(
        Gpu(
            bdf=gpu.bdf,
            product=gpu.product,
            mode=Mode.parse(gpu.mode),
            allowed=tuple(Mode.parse(mode) for mode in gpu.modes_allowed),
            validated=frozenset(Mode.parse(mode) for mode in gpu.modes_validated),
            partitions=tuple(
                Partition(
                    id=PartitionId(gpu.bdf, partition.id),
                    device=partition.device or "",
                    render_index=partition.render_index,
                    bytes=partition.bytes,
                    compute_units=partition.compute_units,
                    healthy=trusted and partition.health == "Healthy",
                    quarantined=partition.id in quarantined[gpu.bdf],
                    reservation=kept.get((gpu.bdf, partition.id)),
                )
                for partition in gpu.partitions
            ),
        )
        for gpu in gpu_node.status.gpus
        if gpu.mode is not None
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
