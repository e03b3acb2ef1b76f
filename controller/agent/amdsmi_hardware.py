"""A node's GPUs put together from what AMD SMI and KFD tell, and where the two contradict each other. Pure.

KFD wins for sizes, as some ROCm releases give a partition the whole GPU's memory and compute units; AMD SMI for modes
and links.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from controller.agent.amdsmi_facts import GpuFacts, NodeFacts, PartitionFacts, ProfileFacts
from controller.agent.backend import HardwareGpu, HardwarePartition, NodeHardware
from controller.agent.hives import hives_by_links
from controller.agent.kfd import ObservedGpu, Topology
from controller.gpu.mode import ComputeMode, MemoryMode, Mode
from controller.gpu.product import Product, product_of_device

_MIB = 2**20
_UNDIVIDED = Mode(ComputeMode.SPX, MemoryMode.NPS1)
_EVERY_MODE = tuple(Mode(compute, memory) for compute in ComputeMode for memory in MemoryMode)
_FAMILIES = {"gfx9": "AI"}
"""The kernel's family (libdrm, `amdgpu_drm.h`) by the beginning of the graphics version; all Instinct GPUs are AI."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything a node is put together from. `kfd` is its topology, why it cannot be read, or None: not asked.

    `cards`: the card's number by the render node's, where the driver's files tell it.
    """

    facts: NodeFacts
    kfd: Topology | str | None = None
    cards: Mapping[int, int] = field(default_factory=dict)
    driver_version: str = ""
    driver_source_version: str = ""


def node_hardware(sources: Sources) -> NodeHardware:
    """The node as AMD SMI and KFD tell it."""
    seen = {gpu.bdf: gpu for gpu in sources.kfd.gpus} if isinstance(sources.kfd, Topology) else {}
    facts = [_with_nodes(gpu, seen.get(gpu.bdf), sources.cards) for gpu in sources.facts.gpus]
    hives = _hives(sources.facts, seen)
    gpus = tuple(replace(_gpu(gpu, seen.get(gpu.bdf)), hive=hives.get(gpu.bdf)) for gpu in facts)
    unplaced = [text for gpu in facts for text in _unplaced(gpu)]
    return NodeHardware(
        driver_version=sources.facts.driver_version or sources.driver_version,
        driver_source_version=sources.driver_source_version,
        gpus=gpus,
        disagreements=(*unplaced, *_disagreements(gpus, sources.kfd)),
    )


def _hives(facts: NodeFacts, seen: Mapping[str, ObservedGpu]) -> Mapping[str, int]:
    if facts.xgmi_pairs is not None:
        return hives_by_links((gpu.bdf for gpu in facts.gpus), facts.xgmi_pairs)
    return {bdf: gpu.hive for bdf, gpu in seen.items() if gpu.hive is not None}


def modes_allowed(facts: GpuFacts, product: Product | None) -> tuple[Mode, ...]:
    """What the card reports and its driver knows, SPX first, and the present mode, whatever we know of it.

    The present mode alone where the card reports none.
    """
    reported = {
        Mode(profile.compute, memory) for profile in facts.profiles or () for memory in _memories(profile, facts)
    }
    order = product.modes_of(facts.device_id or 0) if product else _EVERY_MODE
    allowed = tuple(mode for mode in order if mode in reported)
    present = current_mode(facts, product)
    return allowed if present is None or present in allowed else (*allowed, present)


def _memories(profile: ProfileFacts, facts: GpuFacts) -> frozenset[MemoryMode]:
    """The memory modes that go with a profile, on a card that can be in `facts.memories`."""
    if profile.memories is None:  # not told: whichever the card can be in, or at least the one it is in
        return facts.memories or frozenset({facts.memory} if facts.memory else ())
    return profile.memories if facts.memories is None else profile.memories & facts.memories


def current_mode(facts: GpuFacts, product: Product | None) -> Mode | None:
    """The mode, None where it cannot be read.

    A device that knows no compute modes is SPX, one that knows no memory modes NPS1, unless its product has others.
    """
    others = set(product.modes_of(facts.device_id or 0)) if product else set()
    compute, memory = facts.compute, facts.memory
    if not facts.has_compute_modes and all(mode.compute is _UNDIVIDED.compute for mode in others):
        compute = _UNDIVIDED.compute
    if not facts.has_memory_modes and all(mode.memory is _UNDIVIDED.memory for mode in others):
        memory = _UNDIVIDED.memory
    return Mode(compute, memory) if compute and memory else None


def _gpu(facts: GpuFacts, seen: ObservedGpu | None) -> HardwareGpu:
    product = product_of_device(facts.device_id) if facts.device_id is not None else None
    mode = current_mode(facts, product)
    partitions = tuple(_partitions(facts, seen, product))
    market_name = facts.market_name.replace(" ", "_")  # as AMD's own plugins write it
    return HardwareGpu(
        bdf=facts.bdf,
        unique_id=facts.serial,
        product=product.name if product else f"unknown ({facts.device_id or 0:#06x})",
        market_name=market_name,
        family=next((name for begin, name in _FAMILIES.items() if facts.graphics.startswith(begin)), ""),
        vram_bytes=(facts.vram_mib or 0) * _MIB or (seen.vram_bytes if seen else None) or 0,
        mode=mode,
        modes_allowed=modes_allowed(facts, product),
        modes_validated=product.validated if product else frozenset(),
        partitions=partitions,
        missing_partitions=max(_expected(facts, mode, product) - len(partitions), 0),
        ecc=facts.ecc,
    )


def _expected(facts: GpuFacts, mode: Mode | None, product: Product | None) -> int:
    """How many partitions the mode has; as many as there are where nobody tells."""
    if mode is not None and mode.compute is ComputeMode.SPX:
        return 1
    if facts.partition_count is not None:
        return facts.partition_count
    if mode is not None and product is not None and mode.compute in product.compute_modes:
        return product.partition_count(mode.compute)
    return len(facts.partitions)


def _with_nodes(facts: GpuFacts, seen: ObservedGpu | None, cards: Mapping[int, int]) -> GpuFacts:
    """Device nodes that AMD SMI does not tell, from KFD and the driver's files."""
    renders = {partition.id: partition.render_minor for partition in seen.partitions} if seen else {}

    def with_nodes(partition: PartitionFacts) -> PartitionFacts:
        render = renders.get(partition.id) if partition.render is None else partition.render
        card = cards.get(render) if partition.card is None and render is not None else partition.card
        return replace(partition, render=render, card=card)

    return replace(facts, partitions=tuple(with_nodes(partition) for partition in facts.partitions))


def _partitions(facts: GpuFacts, seen: ObservedGpu | None, product: Product | None) -> Iterator[HardwarePartition]:
    by_id = {partition.id: partition for partition in seen.partitions} if seen else {}
    own_share = _own_share(facts)
    units = _own_units(facts, product)
    for partition in facts.partitions:
        if partition.render is None or partition.card is None:
            continue
        same = by_id.get(partition.id)
        told_bytes = (partition.vram_mib or 0) * _MIB if own_share else 0
        yield HardwarePartition(
            id=partition.id,
            render_index=partition.render,
            card_index=partition.card,
            bytes=(same.vram_bytes if same else None) or told_bytes,
            compute_units=same.compute_units if same else units,
            simd_units=same.simd_units if same else 0,
        )


def _own_share(facts: GpuFacts) -> bool:
    """Whether the partitions' memory is their own: together they have no more than the GPU."""
    total = sum(partition.vram_mib or 0 for partition in facts.partitions)
    return len(facts.partitions) == 1 or (facts.vram_mib is not None and total <= facts.vram_mib)


def _own_units(facts: GpuFacts, product: Product | None) -> int:
    """Compute units of one partition; 0 where the number may be the whole GPU's."""
    units = facts.compute_units or 0
    alone = len(facts.partitions) == 1 and facts.compute in (None, ComputeMode.SPX)
    own = alone or (product is not None and units * len(facts.partitions) <= product.compute_units)
    return units if own else 0


def _unplaced(facts: GpuFacts) -> Iterator[str]:
    """Partitions that nobody can be given: which device nodes are theirs is not told."""
    for partition in facts.partitions:
        if partition.render is None or partition.card is None:
            yield (
                f"GPU {facts.bdf} partition {partition.id}: neither AMD SMI nor the driver's files tell its device "
                "nodes: install the ROCm release of the driver"
            )


def _disagreements(gpus: tuple[HardwareGpu, ...], kfd: Topology | str | None) -> Iterator[str]:
    if kfd is None:
        return
    if isinstance(kfd, str):
        if gpus:
            yield f"AMD SMI shows {len(gpus)} GPUs, KFD cannot be read: {kfd}"
        return
    ours, theirs = {gpu.bdf: gpu for gpu in gpus}, {gpu.bdf: gpu for gpu in kfd.gpus}
    for bdf in sorted(ours.keys() - theirs.keys()):
        yield f"GPU {bdf}: AMD SMI shows it, KFD does not: reload the amdgpu driver"
    for bdf in sorted(theirs.keys() - ours.keys()):
        yield f"GPU {bdf}: KFD shows it, AMD SMI does not: reload the amdgpu driver"
    for bdf in sorted(ours.keys() & theirs.keys()):
        yield from (f"GPU {bdf}: {text}: reload the amdgpu driver" for text in _differences(ours[bdf], theirs[bdf]))


def _differences(ours: HardwareGpu, theirs: ObservedGpu) -> Iterator[str]:
    here, there = [part.id for part in ours.partitions], [part.id for part in theirs.partitions]
    if here != there:
        yield f"AMD SMI shows {_counted(here)}, KFD {_counted(there)}"
    if ours.mode and theirs.compute_mode and ours.mode.compute is not theirs.compute_mode:
        yield f"AMD SMI tells compute mode {ours.mode.compute}, the driver's files {theirs.compute_mode}"
    if ours.mode and theirs.memory_mode and ours.mode.memory is not theirs.memory_mode:
        yield f"AMD SMI tells memory mode {ours.mode.memory}, the driver's files {theirs.memory_mode}"
    renders = {part.id: part.render_minor for part in theirs.partitions}
    for part in ours.partitions:
        if part.render_index != renders.get(part.id, part.render_index):
            yield (f"partition {part.id} is renderD{part.render_index} by AMD SMI and renderD{renders[part.id]} by KFD")


def _counted(ids: list[int]) -> str:
    return f"{len(ids)} partitions ({', '.join(map(str, ids)) or 'none'})"
