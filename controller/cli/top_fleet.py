"""The fleet as `aim-gpu top` shows it: nodes, their GPUs, partitions, who holds them and what they do. No I/O.

GPUNodes + claims + figures of metrics -> Fleet. What nobody tells is None: 0 would be a statement.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from api.quantity import parse_quantity
from api.v1beta1 import GPUNode, GPUPartitionClaim
from api.v1beta1.gpu_node import GPU, Partition, PartitionHolder
from api.v1beta1.quarantine import taken_out

Place: TypeAlias = tuple[str, str, int]
"""Node, PCI address of the GPU, number of the partition."""


@dataclass(frozen=True, slots=True)
class Use:
    """What metrics tell of a partition: bytes in use, and the busy share of its compute units, 0 to 1."""

    used_bytes: int | None = None
    busy: float | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a partition: the names of its claim and pod, its model, and the bytes that were asked for."""

    namespace: str
    claim: str
    pod: str
    group: str
    model: str
    asked_bytes: int | None
    binding: str

    @property
    def name(self) -> str:
        """The pod, or the share group."""
        return f"{self.namespace}/{self.pod or self.group or self.claim}"


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """A partition. `owner` None: nobody's, or of somebody who is not told; `holder` says which."""

    number: int
    render: int
    bytes: int | None
    health: str
    holder: str
    owner: Owner | None
    use: Use


@dataclass(frozen=True, slots=True)
class GpuRow:
    """A GPU with its partitions; `mode` None while it cannot be read."""

    bdf: str
    product: str
    mode: str | None
    bytes: int | None
    problem: str
    partitions: tuple[PartitionRow, ...]


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node. `ready` None: its agent has not told; `paused`, `managed`: as an administrator wrote."""

    name: str
    ready: bool | None
    managed: bool
    paused: bool
    problems: str
    gpus: tuple[GpuRow, ...]

    @property
    def partitions(self) -> tuple[PartitionRow, ...]:
        """Those of all its GPUs."""
        return tuple(one for gpu in self.gpus for one in gpu.partitions)


@dataclass(frozen=True, slots=True)
class Fleet:
    """All nodes by name, claims that wait, and what is to be said beside them.

    `namespace`: whose claims are told, None for all. `missing`: nodes that were asked for and are not there.
    """

    nodes: tuple[NodeRow, ...]
    waiting: int | None = None
    notes: tuple[str, ...] = ()
    namespace: str | None = None
    missing: tuple[str, ...] = ()


def fleet_of(
    nodes: Iterable[GPUNode],
    claims: Sequence[GPUPartitionClaim] | None,
    uses: Mapping[Place, Use],
    notes: Sequence[str] = (),
) -> Fleet:
    """The fleet. `claims` None: whoever asks may not list them, and owners are not known."""
    owners = {place: owner for claim in claims or () for place, owner in _held(claim)}
    rows = tuple(
        _node(node, owners, uses) for node in sorted(nodes, key=lambda each: each.metadata.name) if node.status.gpus
    )
    waiting = None if claims is None else sum(claim.status.phase.value == "Pending" for claim in claims)
    return Fleet(rows, waiting, tuple(notes))


def _held(claim: GPUPartitionClaim) -> Iterable[tuple[Place, Owner]]:
    allocation = claim.status.allocation
    if allocation is None:
        return
    memory = claim.spec.requirement.memory
    owner = Owner(
        namespace=claim.metadata.namespace or "",
        claim=claim.metadata.name,
        pod=claim.spec.pod_ref.name if claim.spec.pod_ref is not None else "",
        group=claim.spec.share_group or "",
        model=claim.spec.model.id if claim.spec.model is not None else "",
        asked_bytes=parse_quantity(memory) if memory is not None else None,
        binding=allocation.binding.value,
    )
    for device in allocation.devices:
        yield (allocation.node, device.bdf, device.partition), owner


def _node(node: GPUNode, owners: Mapping[Place, Owner], uses: Mapping[Place, Use]) -> NodeRow:
    ready = next((each.status for each in node.status.conditions if each.type == "Ready"), None)
    return NodeRow(
        name=node.metadata.name,
        ready=None if ready is None else ready == "True",
        managed=node.spec.managed,
        paused=node.spec.paused,
        problems=node.status.summary.problems,
        gpus=tuple(_gpu(node, gpu, owners, uses) for gpu in node.status.gpus),
    )


def _gpu(node: GPUNode, gpu: GPU, owners: Mapping[Place, Owner], uses: Mapping[Place, Use]) -> GpuRow:
    out = taken_out(node.spec.quarantine, gpu.bdf, gpu.mode, [one.id for one in gpu.partitions])
    places = {one.id: (node.metadata.name, gpu.bdf, one.id) for one in gpu.partitions}
    return GpuRow(
        bdf=gpu.bdf,
        product=gpu.product,
        mode=gpu.mode,
        bytes=gpu.vram_bytes,
        problem=gpu.problem or "",
        partitions=tuple(
            _partition(one, owners.get(places[one.id]), uses.get(places[one.id], Use()), quarantined=one.id in out)
            for one in gpu.partitions
        ),
    )


def _partition(one: Partition, owner: Owner | None, use: Use, *, quarantined: bool) -> PartitionRow:
    holder = PartitionHolder.OURS if owner is not None else one.holder
    return PartitionRow(
        number=one.id,
        render=one.render_index,
        bytes=one.bytes or None,
        health="Quarantined" if quarantined else one.health.value,
        holder=holder.value,
        owner=owner,
        use=use,
    )


def document(fleet: Fleet) -> dict[str, object]:
    """The fleet for programs: sizes in bytes, null for what nobody tells."""
    return {
        "nodes": [
            {
                "name": node.name,
                "ready": node.ready,
                "managed": node.managed,
                "paused": node.paused,
                "problems": node.problems,
                "gpus": [_gpu_document(gpu) for gpu in node.gpus],
            }
            for node in fleet.nodes
        ],
        "namespace": fleet.namespace,
        "waitingClaims": fleet.waiting,
        "notes": list(fleet.notes),
    }


def _gpu_document(gpu: GpuRow) -> dict[str, object]:
    return {
        "bdf": gpu.bdf,
        "product": gpu.product,
        "mode": gpu.mode,
        "bytes": gpu.bytes,
        "problem": gpu.problem,
        "partitions": [
            {
                "id": one.number,
                "renderIndex": one.render,
                "bytes": one.bytes,
                "health": one.health,
                "holder": one.holder,
                "owner": None if one.owner is None else _owner_document(one.owner),
                "usedBytes": one.use.used_bytes,
                "busy": one.use.busy,
            }
            for one in gpu.partitions
        ],
    }


def _owner_document(owner: Owner) -> dict[str, object]:
    return {
        "namespace": owner.namespace,
        "claim": owner.claim,
        "pod": owner.pod or None,
        "shareGroup": owner.group or None,
        "model": owner.model or None,
        "askedBytes": owner.asked_bytes,
        "binding": owner.binding,
    }
