"""Reading a node's GPUs from the driver's files: a running host's ``/sys``, or a recording of its KFD topology."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from controller.agent.kfd import KfdNode, ObservedGpu, Topology, TopologyError, assemble, gpu_node, parse_properties
from controller.gpu.mode import ComputeMode, MemoryMode

_NODE_FOLDERS = ("class/kfd/kfd/topology/nodes", "nodes", "topology/nodes")

_VRAM_HEAPS = frozenset({1, 2})
"""KFD heap types of device memory: host-visible and private."""

_ModeT = TypeVar("_ModeT", bound=StrEnum)


def read_topology(root: Path) -> Topology:
    """Read every GPU below ``root``: ``/sys``, or any directory that holds ``nodes/`` or ``topology/nodes/``.

    Below a real ``/sys`` the PCI devices' own files tell the memory mode and overrule the compute mode that follows
    from the partitions. Raises TopologyError, naming path and remedy, for a tree that is missing, cut off,
    unreadable or without a GPU.
    """
    folder = _nodes_folder(root)
    nodes = _gpu_nodes(folder)
    if not nodes:
        raise TopologyError(
            f"{folder}: no node is a GPU: load the amdgpu driver on this host, or give the tree of a host that has one"
        )
    _require_complete(folder, nodes[0].number)
    topology = assemble(nodes)
    devices = root / "bus/pci/devices"
    return Topology(tuple(_with_device_files(devices / gpu.bdf, gpu) for gpu in topology.gpus))


def _nodes_folder(root: Path) -> Path:
    for candidate in (root / name for name in _NODE_FOLDERS):
        if candidate.is_dir():
            return candidate
    raise TopologyError(
        f"{root}: holds no KFD topology (none of {', '.join(_NODE_FOLDERS)}): "
        "give /sys of a host with the amdgpu driver loaded, or a directory that holds nodes/"
    )


def _gpu_nodes(folder: Path) -> list[KfdNode]:
    numbers = sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal())
    if numbers != list(range(len(numbers))):
        # the kernel numbers nodes without a gap, so a gap is a recording that lost some
        raise TopologyError(f"{folder}: nodes {_gaps(numbers)} are missing: record the whole tree again")
    read = (_gpu_node(folder / str(number), number) for number in numbers)
    return [node for node in read if node is not None]


def _gaps(numbers: list[int]) -> str:
    missing = sorted(set(range(max(numbers))) - set(numbers))
    return ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")


def _gpu_node(folder: Path, number: int) -> KfdNode | None:
    path = folder / "properties"
    properties = parse_properties(_read(path), str(path))
    if not properties.get("simd_count"):
        return gpu_node(number, properties, None, str(path))
    return gpu_node(number, properties, _vram_bytes(folder / "mem_banks"), str(path))


def _vram_bytes(banks: Path) -> int | None:
    """The node's device memory, None when the tree has no memory banks for it."""
    sizes = []
    for path in sorted(banks.glob("*/properties")):
        bank = parse_properties(_read(path), str(path))
        if bank.get("heap_type") not in _VRAM_HEAPS:
            continue
        if "size_in_bytes" not in bank:
            raise TopologyError(f"{path}: has no size_in_bytes, so it is cut off: record the tree again")
        sizes.append(bank["size_in_bytes"])
    return sum(sizes) if sizes else None


def _require_complete(folder: Path, number: int) -> None:
    """Refuse a tree whose first GPU has a link to a node that is not there: a recording that lost its end."""
    for path in sorted((folder / str(number)).glob("*_links/*/properties")):
        peer = parse_properties(_read(path), str(path)).get("node_to")
        if peer is not None and not (folder / str(peer)).is_dir():
            raise TopologyError(f"{path}: links to node {peer}, which is missing: record the whole tree again")


def _with_device_files(device: Path, gpu: ObservedGpu) -> ObservedGpu:
    return replace(
        gpu,
        compute_mode=_mode_in(device / "current_compute_partition", ComputeMode) or gpu.compute_mode,
        memory_mode=_mode_in(device / "current_memory_partition", MemoryMode),
    )


def _mode_in(path: Path, modes: type[_ModeT]) -> _ModeT | None:
    """The mode a device's file names; None when there is no such file, or it says something else (UNKNOWN)."""
    if not path.is_file():
        return None
    text = _read(path).strip()
    return modes(text) if text in modes.__members__ else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except PermissionError as error:
        raise TopologyError(
            f"{path}: permission denied: run as root, in a container with access to the GPU's device nodes"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise TopologyError(f"{path}: cannot be read ({error}): record the tree again") from error
