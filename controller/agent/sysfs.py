"""Reading a node's GPUs from the driver's files: a running host's ``/sys``, or a recording of its KFD topology."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from controller.agent.kfd import (
    KfdNode,
    NoGpus,
    ObservedGpu,
    Topology,
    TopologyError,
    assemble,
    gpu_node,
    parse_properties,
)
from controller.agent.sysfs_device import mode_in
from controller.gpu.mode import ComputeMode, MemoryMode
from controller.gpu.product import product_of_device

_NODE_FOLDERS = ("class/kfd/kfd/topology/nodes", "nodes", "topology/nodes")

_BANKS = "mem_banks/*/properties"

_VRAM_HEAPS = frozenset({1, 2})
"""KFD heap types of device memory: host-visible and private."""

_FIRST_RENDER_MINOR = 128
_LONGEST_GPU_ID = 12


def read_topology(root: Path) -> Topology:
    """Read every GPU below ``root``: ``/sys``, or any directory that holds ``nodes/`` or ``topology/nodes/``.

    Below a real ``/sys`` the PCI devices' own files tell the memory mode and overrule the compute mode that follows
    from the partitions. Raises TopologyError, naming path and remedy, for a tree that is cut off, unreadable or not
    AMD's, NoGpus for one that is missing or without a GPU.
    """
    folder = nodes_folder(root)
    properties = _properties_by_node(folder)
    nodes = [node for number, own in properties.items() if (node := _gpu_node(folder / str(number), number, own))]
    if not nodes:
        raise NoGpus(
            f"{folder}: no node is a GPU: load the amdgpu driver on this host, or give the tree of a host that has one"
        )
    _require_complete(folder, properties, nodes)
    topology = assemble(nodes)
    devices = root / "bus/pci/devices"
    return Topology(tuple(_with_device_files(devices / gpu.bdf, gpu) for gpu in topology.gpus))


def nodes_folder(root: Path) -> Path:
    """The folder of the topology's numbered nodes. Raises NoGpus when there is none."""
    for candidate in (root / name for name in _NODE_FOLDERS):
        if candidate.is_dir():
            return candidate
    raise NoGpus(
        f"{root}: holds no KFD topology (none of {', '.join(_NODE_FOLDERS)}): "
        "give /sys of a host with the amdgpu driver loaded, or a directory that holds nodes/"
    )


def _properties_by_node(folder: Path) -> dict[int, dict[str, int]]:
    try:
        numbers = sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal())
    except OSError as error:
        raise TopologyError(f"{folder}: cannot be read ({error}): run as root, or record the tree again") from error
    if numbers != list(range(len(numbers))):
        # the kernel numbers nodes without a gap, so a gap is a recording that lost some
        raise TopologyError(f"{folder}: nodes {_gaps(numbers)} are missing: record the whole tree again")
    return {number: _properties(folder / str(number) / "properties") for number in numbers}


def _gaps(numbers: list[int]) -> str:
    missing = sorted(set(range(len(numbers))) - set(numbers))
    return ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")


def _gpu_node(folder: Path, number: int, properties: dict[str, int]) -> KfdNode | None:
    origin = str(folder / "properties")
    if not properties.get("simd_count"):
        return gpu_node(number, properties, None, origin)
    node = gpu_node(number, properties, _vram_bytes(folder), origin, _gpu_id(folder / "gpu_id"))
    if node is not None and node.render_minor < _FIRST_RENDER_MINOR:
        raise TopologyError(
            f"{origin}: drm_render_minor {node.render_minor} is none ({_FIRST_RENDER_MINOR} is the first), "
            "so it is cut off: record the tree again"
        )
    return node


def _gpu_id(path: Path) -> int | None:
    """KFD's own number of the GPU, by which processes name it; None when the tree has no such file."""
    if not path.is_file():
        return None
    text = _read(path)
    if not (text.strip().isascii() and text.strip().isdigit() and text.endswith("\n") and len(text) < _LONGEST_GPU_ID):
        raise TopologyError(f"{path}: {text[:_LONGEST_GPU_ID]!r} is no number, or part of one: record the tree again")
    return int(text)


def _vram_bytes(folder: Path) -> int | None:
    """The node's device memory, None when the tree has no memory banks for it."""
    sizes = []
    for path in sorted(folder.glob(_BANKS)):
        bank = _properties(path)
        if bank.get("heap_type") not in _VRAM_HEAPS:
            continue
        if "size_in_bytes" not in bank:
            raise TopologyError(f"{path}: has no size_in_bytes, so it is cut off: record the tree again")
        sizes.append(bank["size_in_bytes"])
    return sum(sizes) if sizes else None


def _require_complete(folder: Path, properties: Mapping[int, Mapping[str, int]], gpus: Sequence[KfdNode]) -> None:
    """Refuse a tree that lost its end, or a file of it that lost its last lines.

    A GPU has a link to every other node; the kernel writes the same properties for every GPU of a model.
    """
    _require_linked(folder / str(gpus[0].number), properties)
    _require_banks(folder, {gpu.number: properties[gpu.number].get("mem_banks_count", 0) for gpu in gpus})
    fullest: dict[int, KfdNode] = {}
    for gpu in gpus:
        other = fullest.setdefault(gpu.device_id, gpu)
        lost = properties[other.number].keys() - properties[gpu.number].keys()
        more = properties[gpu.number].keys() - properties[other.number].keys()
        if lost or more:
            short, names = (gpu, lost) if lost else (other, more)
            raise TopologyError(
                f"{folder / str(short.number) / 'properties'}: has no {', '.join(sorted(names))}, which its like have, "
                "so it is cut off: record the tree again"
            )


def _require_linked(gpu: Path, properties: Mapping[int, Mapping[str, int]]) -> None:
    """Every node that a GPU has a link to is there. Where a recording left links out, their number must fit still."""
    links = sorted(gpu.glob("*_links/*/properties"))
    for path in links:
        peer = _properties(path).get("node_to")
        if peer is not None and peer not in properties:
            raise TopologyError(f"{path}: links to node {peer}, which is missing: record the whole tree again")
    own = properties[int(gpu.name)]
    counted, others = own.get("io_links_count", 0) + own.get("p2p_links_count", 0), len(properties) - 1
    if not links and counted > others:
        raise TopologyError(
            f"{gpu / 'properties'}: counts {counted} links, and there are {others} other nodes, so "
            f"{counted - others} are missing: record the whole tree again"
        )


def _require_banks(folder: Path, counts: Mapping[int, int]) -> None:
    """Every GPU has the memory banks that its properties count. A recording may have left out those of all GPUs."""
    found = {number: len(list((folder / str(number)).glob(_BANKS))) for number in counts}
    if not any(found.values()):
        return
    for number, count in counts.items():
        if found[number] < count:
            raise TopologyError(
                f"{folder / str(number) / 'mem_banks'}: holds {found[number]} of the {count} memory banks that "
                "mem_banks_count says: record the whole tree again"
            )


def _with_device_files(device: Path, gpu: ObservedGpu) -> ObservedGpu:
    gpu = replace(gpu, memory_mode=mode_in(device / "current_memory_partition", MemoryMode))
    told = mode_in(device / "current_compute_partition", ComputeMode)
    if told is None or told is gpu.compute_mode:
        return gpu
    product, seen = product_of_device(gpu.device_id), len(gpu.partitions)
    expected = product.partition_count(told) if product and told in product.compute_modes else seen
    if gpu.compute_mode is None and seen <= expected:
        # nothing told the dies of a partition, so the count alone did not say that some are missing
        complete = gpu.vram_bytes if seen == expected else None
        return replace(gpu, compute_mode=told, missing_partitions=expected - seen, vram_bytes=complete)
    shown = f"{seen} partitions" if gpu.compute_mode is None else f"{seen} partitions of {gpu.compute_mode}"
    return replace(
        gpu, compute_mode=told, contradiction=f"GPU {gpu.bdf}: its own files say {told}, and KFD shows {shown}"
    )


def _properties(path: Path) -> dict[str, int]:
    """The file's properties. One that lost its end is refused: the kernel ends each line, half a number is one, too."""
    text = _read(path)
    properties = parse_properties(text, str(path))
    if not text.endswith("\n"):
        raise TopologyError(f"{path}: ends within a line, so it is cut off: record the tree again")
    return properties


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except PermissionError as error:
        raise TopologyError(
            f"{path}: permission denied: run as root, in a container with access to the GPU's device nodes"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise TopologyError(f"{path}: cannot be read ({error}): record the tree again") from error
