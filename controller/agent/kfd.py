"""The KFD topology as data: from nodes' properties to GPUs and their partitions.

The kernel's compute driver shows each CPU socket and each GPU partition as one numbered node with a ``properties``
file of ``key value`` lines. This module reads such text and groups the GPU nodes; ``sysfs`` finds the files.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from controller.agent.hives import hives_by_id
from controller.gpu.identity import bdf_of, partition_index_of
from controller.gpu.mode import ComputeMode, MemoryMode
from controller.gpu.product import Product, product_of_device

AMD_VENDOR_ID = 0x1002

_MAX_DIGITS = 20  # of a 64-bit number
_REQUIRED = ("simd_per_cu", "device_id", "location_id", "drm_render_minor")


class TopologyError(Exception):
    """A topology that cannot be read or believed. The text names the path or node and the remedy."""


class NoGpus(TopologyError):
    """There is no topology, or none with an AMD GPU in it: no amdgpu driver runs there."""


@dataclass(frozen=True, slots=True)
class KfdNode:
    """One GPU node of the topology: one partition.

    ``num_xcc``, ``vram_bytes`` and ``gpu_id`` (KFD's own number) are None where it tells none, ``unique_id``,
    ``gfx_version`` and ``hive_id`` (of the GPUs that xGMI links) 0.
    """

    number: int
    device_id: int
    domain: int
    location_id: int
    render_minor: int
    simd_count: int
    simd_per_cu: int
    num_xcc: int | None
    vram_bytes: int | None
    gpu_id: int | None = None
    unique_id: int = 0
    gfx_version: int = 0
    hive_id: int = 0


@dataclass(frozen=True, slots=True)
class ObservedPartition:
    """One partition as read: its index, its DRM render minor, bytes of memory (None: not told), compute units.

    ``node`` is the number of its topology node, ``gpu_id`` KFD's own number of it (None: not told).
    """

    id: int
    render_minor: int
    vram_bytes: int | None
    compute_units: int
    simd_units: int
    node: int
    gpu_id: int | None


@dataclass(frozen=True, slots=True)
class ObservedGpu:
    """One GPU as read, its partitions by id.

    ``vram_bytes`` is the sum over its partitions, None when any is untold or missing. ``compute_mode`` is None when
    the partitions match no mode; ``memory_mode`` is None unless the PCI device's own files told it.
    ``missing_partitions`` counts those the mode has and the topology does not show. ``unique_id`` and ``gfx_version``
    are 0 where they are not told. ``contradiction``: where the device's files and the topology tell different things.
    ``hive`` is the number of the xGMI hive it is in (see ``hives``), None for none or untold.
    """

    bdf: str
    device_id: int
    unique_id: int
    gfx_version: int
    product_name: str
    vram_bytes: int | None
    compute_mode: ComputeMode | None
    memory_mode: MemoryMode | None
    partitions: tuple[ObservedPartition, ...]
    missing_partitions: int = 0
    contradiction: str = ""
    hive: int | None = None


@dataclass(frozen=True, slots=True)
class Topology:
    """All GPUs of one node, by PCI address."""

    gpus: tuple[ObservedGpu, ...]


def parse_properties(text: str, origin: str) -> dict[str, int]:
    """Read ``key value`` lines of whole numbers. ``origin`` names the file in errors.

    Raises TopologyError when there is none, or when a line is no such pair: a file cut off in mid-line reads so.
    """
    properties: dict[str, int] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        digits = value.strip()
        if not (key.isidentifier() and digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS):
            raise TopologyError(f"{origin}: line {line!r} is not 'name number': {_REMEDY}")
        properties[key] = int(digits)
    if not properties:
        raise TopologyError(f"{origin}: is empty: {_REMEDY}")
    return properties


_REMEDY = "read /sys of a host with the amdgpu driver loaded, or record the tree again"


def gpu_node(
    number: int, properties: dict[str, int], vram_bytes: int | None, origin: str, gpu_id: int | None = None
) -> KfdNode | None:
    """The GPU behind a node's properties; None for a CPU node. Raises TopologyError for what is neither."""
    if "simd_count" not in properties:
        raise TopologyError(f"{origin}: has no simd_count, so it is cut off or no KFD node: {_REMEDY}")
    if properties["simd_count"] == 0:
        return None
    absent = [key for key in _REQUIRED if key not in properties]
    if absent:
        raise TopologyError(f"{origin}: has no {', '.join(absent)}, so it is cut off: {_REMEDY}")
    vendor = properties.get("vendor_id", AMD_VENDOR_ID)
    if vendor != AMD_VENDOR_ID or properties["simd_per_cu"] == 0:
        raise TopologyError(
            f"{origin}: vendor_id {vendor:#06x} with simd_per_cu {properties['simd_per_cu']} is no AMD GPU: {_REMEDY}"
        )
    return KfdNode(
        number=number,
        device_id=properties["device_id"],
        domain=properties.get("domain", 0),  # old kernels print no such line
        location_id=properties["location_id"],
        render_minor=properties["drm_render_minor"],
        simd_count=properties["simd_count"],
        simd_per_cu=properties["simd_per_cu"],
        num_xcc=properties.get("num_xcc"),
        vram_bytes=vram_bytes,
        gpu_id=gpu_id,
        unique_id=properties.get("unique_id", 0),
        gfx_version=properties.get("gfx_target_version", 0),
        hive_id=properties.get("hive_id", 0),
    )


def assemble(nodes: Iterable[KfdNode]) -> Topology:
    """Group GPU nodes into GPUs. Raises TopologyError when two claim one partition, or units that no such GPU has."""
    by_gpu: dict[str, dict[int, KfdNode]] = defaultdict(dict)
    for node in nodes:
        bdf = bdf_of(node.domain, node.location_id)
        index = partition_index_of(node.location_id)
        other = by_gpu[bdf].setdefault(index, node)
        if other is not node:
            raise TopologyError(
                f"nodes {other.number} and {node.number} both are partition {index} of GPU {bdf}: {_REMEDY}"
            )
    hives = hives_by_id({bdf: nodes[min(nodes)].hive_id for bdf, nodes in by_gpu.items()})
    return Topology(tuple(_gpu(bdf, by_gpu[bdf], hives.get(bdf)) for bdf in sorted(by_gpu)))


def _gpu(bdf: str, nodes: dict[int, KfdNode], hive: int | None) -> ObservedGpu:
    partitions = tuple(
        ObservedPartition(
            id=index,
            render_minor=node.render_minor,
            vram_bytes=node.vram_bytes,
            compute_units=node.simd_count // node.simd_per_cu,
            simd_units=node.simd_count,
            node=node.number,
            gpu_id=node.gpu_id,
        )
        for index, node in sorted(nodes.items())
    )
    first = nodes[min(nodes)]
    product = product_of_device(first.device_id)
    mode, expected = compute_mode_of(product, len(nodes), first.num_xcc)
    _require_compute_units(bdf, product, [nodes[index] for index in sorted(nodes)], expected if mode else None)
    sizes = [partition.vram_bytes for partition in partitions]
    known = [size for size in sizes if size is not None]
    complete = len(known) == len(sizes) == expected
    return ObservedGpu(
        bdf=bdf,
        device_id=first.device_id,
        unique_id=first.unique_id,
        gfx_version=first.gfx_version,
        product_name=product.name if product else f"unknown ({first.device_id:#06x})",
        vram_bytes=sum(known) if complete else None,
        compute_mode=mode,
        memory_mode=None,
        partitions=partitions,
        missing_partitions=expected - len(nodes),
        hive=hive,
    )


def _require_compute_units(bdf: str, product: Product | None, nodes: Sequence[KfdNode], partitions: int | None) -> None:
    """Refuse ``simd_count`` of a GPU's nodes where no such GPU can have it. ``partitions``: of its mode, None: unknown.

    Checked of every GPU, as the kernel writes it (kfd_crat.c): compute units times SIMDs, and a GPU's units divided
    evenly among its nodes. Besides, of a product whose units AMD publishes: no more than the node's dies have by that,
    for it is what is left after faulty ones were fused off, and at least half. A card with some more fused off is read
    as it is; one with less than half is sold as another product, with an id of its own, as the MI308X is.
    """
    first = nodes[0]
    for node in nodes:
        if node.simd_count != first.simd_count:
            raise TopologyError(
                f"node {node.number}: simd_count {node.simd_count}, and node {first.number} of the same GPU {bdf} has "
                f"{first.simd_count}, where the driver divides them evenly: {_REMEDY}"
            )
    units, left_over = divmod(first.simd_count, first.simd_per_cu)
    if left_over:
        raise TopologyError(
            f"node {first.number}: simd_count {first.simd_count} is no multiple of simd_per_cu {first.simd_per_cu}, so "
            f"GPU {bdf} has no whole compute units: {_REMEDY}"
        )
    if product is None or not product.compute_units_published:
        return
    dies = first.num_xcc or (product.xcds // partitions if partitions else 0)
    most = product.compute_units // product.xcds * dies
    if dies and not most <= 2 * units <= 2 * most:
        raise TopologyError(
            f"node {first.number}: simd_count {first.simd_count} with simd_per_cu {first.simd_per_cu} is {units} "
            f"compute units, and {dies} of the {product.xcds} dies of {product.name} (GPU {bdf}) have {most}: {_REMEDY}"
        )


def compute_mode_of(product: Product | None, count: int, num_xcc: int | None) -> tuple[ComputeMode | None, int]:
    """The compute mode of ``count`` partitions, and how many partitions that mode has.

    Where nodes tell their compute dies (``num_xcc``) a product's dies divided by it is the number of partitions,
    even when one is missing: at most 64 partition devices exist on a host, and another driver can hold one of
    them, so the last GPU of eight in CPX may show seven. Otherwise the count alone decides. (None, count) when it
    fits no mode of the product.
    """
    if product is None:
        return _mode_of_unknown(count, num_xcc), count
    expected = count
    if product.partitionable and num_xcc:
        expected, left_over = divmod(product.xcds, num_xcc)
        if left_over:
            return None, count
    for compute in product.compute_modes:
        if product.partition_count(compute) == expected and count <= expected:
            return compute, expected
    return None, count


def _mode_of_unknown(count: int, num_xcc: int | None) -> ComputeMode | None:
    if count == 1:
        return ComputeMode.SPX  # nothing divides it, whatever it is
    if num_xcc == 1:
        return ComputeMode.CPX
    return {2: ComputeMode.DPX, 3: ComputeMode.TPX}.get(count)
