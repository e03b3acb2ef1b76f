"""What metrics and charging are told of one node: its hardware, use and holders put together. Pure.

What the hardware does not tell, or cannot be asked now, is None or missing. Health is a verdict and no reading: while
the GPUs cannot be read none of their partitions counts as healthy, as the GPUNode says too.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from api.v1beta1.gpu_node import AssignedDevice
from controller.agent.backend import BackendError, EccCount, GpuUse, HardwareGpu, NodeHardware, NodeUse, PartitionUse
from controller.agent.driver_attributes import device_name
from controller.agent.health import gpu_health
from controller.agent.usage import Holder, Holders, Waiting, exclusive
from controller.binding.dra import DRIVER
from controller.gpu.figures import GpuFigures, Holding, PartitionFigures
from controller.gpu.identity import PartitionId

NO_USE = NodeUse({}, {})
"""Nobody could say what is done with anything."""

_UNTOLD = PartitionUse(None, None)
_UNTOLD_GPU = GpuUse({}, None)


@dataclass(frozen=True, slots=True)
class Claimed:
    """Who may hold what: `holders` by their claims; `assigned`: what the kubelet gave to whom, as far as it tells;
    `waiting`: claims of ours that do not know yet what the kubelet gave to their pods.
    """

    holders: Holders
    assigned: Collection[AssignedDevice] = ()
    waiting: Waiting = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """All that figures are made of. `problem`: why the last reading of `hardware` failed, None when it did not.

    `use` is of this moment, NO_USE where it could not be read; `processes` None: not told. `refused`: the hardware
    would not answer just now, so that what it told before is not told again. `changing`: GPUs whose partitions are
    being made anew.
    """

    node: str
    hardware: NodeHardware
    problem: BackendError | None
    claimed: Claimed
    use: NodeUse = NO_USE
    processes: Mapping[str, int] | None = None
    changing: AbstractSet[str] = frozenset()
    refused: bool = False

    @property
    def current(self) -> bool:
        """Whether `hardware` is as it is now."""
        return self.problem is None and not self.refused

    @property
    def gpus(self) -> Iterator[HardwareGpu]:
        """Those that stay as they are."""
        return (gpu for gpu in self.hardware.gpus if gpu.bdf not in self.changing)


@dataclass(frozen=True, slots=True)
class _Holder:
    """Who a partition is for, in words of metrics. `sized_bytes` None: all of it."""

    namespace: str
    claim: str
    pod: str
    service: str
    model: str
    sized_bytes: int | None


_NOBODY = _Holder("", "", "", "", "", 0)


def partition_figures(known: Known) -> tuple[PartitionFigures, ...]:
    """One for each partition, held or free, and for each that one of our claims holds and that is not there."""
    held = _held(known.hardware, known.claimed)
    use = _use_of_these(known.hardware, known.use)
    return (*(figures for gpu in known.gpus for figures in _partitions(known, gpu, held, use)), *_gone(known))


def gpu_figures(known: Known) -> tuple[GpuFigures, ...]:
    """One for each GPU; none while they cannot be read."""
    return tuple(_gpu(known, gpu) for gpu in known.gpus) if known.current else ()


def holdings(hardware: NodeHardware, claimed: Claimed) -> tuple[Holding, ...]:
    """Who holds partitions, once for each partition."""
    held = _held(hardware, claimed)
    return tuple(
        Holding(who.namespace, who.service, who.model, partition.bytes or None)
        for gpu in hardware.gpus
        for partition in gpu.partitions
        if (who := held.get(PartitionId(gpu.bdf, partition.id))) is not None
    )


def _use_of_these(hardware: NodeHardware, use: NodeUse) -> Mapping[PartitionId, PartitionUse]:
    """The use of partitions, without that of GPUs that had others when it was measured than when they were read:
    their mode was changed in between, and what bears a number now is not what bore it then.
    """
    measured: dict[str, set[int]] = defaultdict(set)
    for place in use.partitions:
        measured[place.bdf].add(place.index)
    same = {gpu.bdf for gpu in hardware.gpus if measured[gpu.bdf] == {partition.id for partition in gpu.partitions}}
    return {place: done for place, done in use.partitions.items() if place.bdf in same}


def _partitions(
    known: Known, gpu: HardwareGpu, held: Mapping[PartitionId, _Holder], uses: Mapping[PartitionId, PartitionUse]
) -> Iterator[PartitionFigures]:
    health = gpu_health(gpu, known.hardware, known.problem)
    for partition in gpu.partitions:
        place = PartitionId(gpu.bdf, partition.id)
        who = held.get(place, _NOBODY)
        use = uses.get(place, _UNTOLD)
        total = (partition.bytes or None) if known.current else None
        yield PartitionFigures(
            node=known.node,
            gpu=gpu.bdf,
            partition=partition.id,
            mode=_mode(gpu),
            namespace=who.namespace,
            claim=who.claim,
            pod=who.pod,
            service=who.service,
            model=who.model,
            total_bytes=total,
            allocated_bytes=total if who.sized_bytes is None else who.sized_bytes,
            used_bytes=use.used_bytes,
            busy=use.busy,
            healthy=health.covers(partition),
        )


def _gone(known: Known) -> Iterator[PartitionFigures]:
    """What our claims hold and no driver shows: it cannot be used, and its model may not have noticed yet."""
    there = {PartitionId(gpu.bdf, partition.id) for gpu in known.hardware.gpus for partition in gpu.partitions}
    for held in known.claimed.holders.values():
        holder = exclusive(held)
        if holder is None or holder.place is None or holder.place in there or holder.place.bdf in known.changing:
            continue
        yield PartitionFigures(
            node=known.node,
            gpu=holder.place.bdf,
            partition=holder.place.index,
            mode="",
            namespace=holder.namespace,
            claim=holder.claim,
            pod=holder.pod,
            service=holder.service,
            model=holder.model,
            total_bytes=None,
            allocated_bytes=holder.sized_bytes,
            used_bytes=None,
            busy=None,
            healthy=False,
        )


def _gpu(known: Known, gpu: HardwareGpu) -> GpuFigures:
    use = known.use.gpus.get(gpu.bdf, _UNTOLD_GPU)
    return GpuFigures(
        node=known.node,
        gpu=gpu.bdf,
        product=gpu.product,
        mode=_mode(gpu),
        missing_partitions=gpu.missing_partitions,
        processes=None if known.processes is None else known.processes.get(gpu.bdf, 0),
        power_watts=use.power_watts,
        temperatures=use.temperatures,
        errors=_by_severity(gpu.ecc),
    )


def _mode(gpu: HardwareGpu) -> str:
    return str(gpu.mode) if gpu.mode else ""


def _by_severity(ecc: EccCount | None) -> Mapping[str, int]:
    if ecc is None:
        return {}
    return {"correctable": ecc.correctable, "uncorrectable": ecc.uncorrectable, "deferred": ecc.deferred}


def _held(hardware: NodeHardware, claimed: Claimed) -> Mapping[PartitionId, _Holder]:
    """Who holds which partition; free ones are absent."""
    given: dict[PartitionId, list[AssignedDevice]] = defaultdict(list)
    for device in claimed.assigned:
        if device.bdf is not None and device.partition is not None:  # else nobody knows which it is
            given[PartitionId(device.bdf, device.partition)].append(device)
    found = {}
    for gpu in hardware.gpus:
        for partition in gpu.partitions:
            place = PartitionId(gpu.bdf, partition.id)
            holder = exclusive(claimed.holders.get(device_name(partition), ()))
            who = _given_to(given.get(place, []), claimed.waiting) if holder is None else _by(holder, given.get(place))
            if who is not None:
                found[place] = who
    return found


def _by(holder: Holder, given: list[AssignedDevice] | None) -> _Holder:
    """The holder by a claim. One of ours knows its pod; of others' the kubelet does, as far as it is one."""
    pods = {device.pod for device in given or ()}
    pod = holder.pod if holder.ours or len(pods) != 1 else pods.pop()
    return _Holder(holder.namespace, holder.claim, pod, holder.service, holder.model, holder.sized_bytes)


def _given_to(given: list[AssignedDevice], waiting: Waiting) -> _Holder | None:
    """The holder of a partition that no claim tells of: whom the device plugin gave it to.

    Of the DRA driver's devices claims tell all: one that the kubelet gave and none holds is only looked at.
    """
    pods = {(device.namespace, device.pod) for device in given if device.resource != DRIVER}
    if len(pods) > 1:
        namespaces = {namespace for namespace, _ in pods}
        return _Holder(namespaces.pop() if len(namespaces) == 1 else "", "", "", "", "", None)
    for namespace, pod in pods:
        ours = waiting.get((namespace, pod))
        return _by(ours, None) if ours is not None else _Holder(namespace, "", pod, "", "", None)
    return None
