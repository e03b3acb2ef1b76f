"""A simulated node as the files that its drivers would show: what the sysfs reader and AMD's plugins look at.

The layout is that of the recorded hosts and of the kernel's sources (amdgpu, amdkfd as of 2026): KFD's topology with
its links, memory banks and processes; each GPU's PCI folder with the files that tell and list modes; the DRM nodes of
its partitions, and its hardware monitor, of a GPU that nobody uses. Files nobody reads (caches, clocks) are left out,
and the PCI folders are plain folders where the kernel has links into its device tree.
"""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.agent.backend import HOTSPOT, MEMORY, HardwarePartition
from controller.agent.platform_devices import platform_device
from controller.agent.simulated_faults import Fault
from controller.agent.simulated_hardware import SimulatedNode
from controller.agent.simulated_seed import DRIVER_SOURCE_VERSION, DRIVER_VERSION, SIMD_PER_COMPUTE_UNIT, SeededGpu
from controller.agent.simulated_use import IDLE
from controller.gpu.mode import ComputeMode, Mode

_SOCKETS = 2
_HOST_BYTES = 1024 * 2**30
_FIRST_GPU_ID = 0x1000
_SOCKET_WEIGHT, _PCIE_WEIGHT, _WITHIN_GPU_WEIGHT, _XGMI_WEIGHT = 32, 20, 13, 15
"""What each stretch of a way weighs, as the kernel writes it (kfd_crat.c) and the recorded hosts show it."""
_PARTS = ("class", "bus", "devices", "module")


_MONITOR = {
    "name": "amdgpu",
    "temp2_label": "junction",
    "temp2_input": int(IDLE.temperatures[HOTSPOT] * 1000),
    "temp3_label": "mem",
    "temp3_input": int(IDLE.temperatures[MEMORY] * 1000),
    "power1_label": "PPT",
    "power1_input": int((IDLE.power_watts or 0) * 1_000_000),
}
"""Millidegrees and microwatts, with the numbers and labels of an MI300X, which tells no edge (amdgpu_pm.c)."""


@dataclass(frozen=True, slots=True)
class _KfdGpu:
    """One GPU node of the topology: its number there, whose partition it is, on which socket."""

    number: int
    seeded: SeededGpu
    partition: HardwarePartition
    mode: Mode
    socket: int

    @property
    def gpu_id(self) -> int:
        return _FIRST_GPU_ID + self.number

    def reaches(self, other: "_KfdGpu") -> bool:
        """Whether xGMI links the two, or they are of one GPU."""
        return self.seeded.hive_id == other.seeded.hive_id


def write_tree(root: Path, node: SimulatedNode, used: Mapping[int, int] | None = None, *, links: bool = True) -> None:
    """Write the node below `root` as its `/sys` would be, in place of what was written there before.

    `used`: bytes in use by render minor, absent ones are idle. `links`: KFD's links as well, a file for each pair of
    partitions, 4000 for a node of 64. While no driver answers there is no GPU in it.
    """
    for part in _PARTS:
        if (root / part).exists():
            shutil.rmtree(root / part)
    gpus = _kfd_gpus(node) if node.loaded else ()
    _write_topology(root / "class/kfd/kfd", node, gpus, used or {})
    if links:
        _write_links(root / "class/kfd/kfd/topology/nodes", gpus)
    if not node.loaded:
        return
    _write(root / "module/amdgpu", {"version": DRIVER_VERSION, "srcversion": DRIVER_SOURCE_VERSION})
    for seeded in node.present:
        _write_device(root, node, seeded, used or {})
    _write_processes(root / "class/kfd/kfd/proc", node, gpus)


def _kfd_gpus(node: SimulatedNode) -> tuple[_KfdGpu, ...]:
    shown = [(seeded, partition) for seeded in node.present for partition in node.kfd_partitions(seeded)]
    half = (len(node.seeded) + 1) // _SOCKETS
    place = {seeded.bdf: index // half for index, seeded in enumerate(node.seeded)}
    return tuple(
        _KfdGpu(_SOCKETS + index, seeded, partition, node.mode_of(seeded.bdf), place[seeded.bdf])
        for index, (seeded, partition) in enumerate(shown)
    )


def _write_topology(kfd: Path, node: SimulatedNode, gpus: tuple[_KfdGpu, ...], used: Mapping[int, int]) -> None:
    topology = kfd / "topology"
    system = _lines({"platform_oem": 4777524452235890003, "platform_id": 85015745549651, "platform_rev": 2})
    _write(topology, {"generation_id": len(gpus) + _SOCKETS, "system_properties": system.rstrip()})
    for socket in range(_SOCKETS):
        own = [gpu.number for gpu in gpus if gpu.socket == socket]
        others = [gpu.number for gpu in gpus if gpu.socket != socket]
        folder = topology / "nodes" / str(socket)
        _write_node(folder, _cpu_properties(len(own) + _SOCKETS - 1, len(others)), gpu_id=0, name="")
        _write_bank(folder, heap_type=0, size=_HOST_BYTES)
    for gpu in gpus:
        folder = topology / "nodes" / str(gpu.number)
        _write_node(folder, _gpu_properties(node, gpu, gpus), gpu_id=gpu.gpu_id, name="ip discovery")
        _write_bank(folder, heap_type=1, size=gpu.partition.bytes)
        if not node.has(Fault.NOT_TOLD, gpu.seeded.bdf):
            _write(folder / "mem_banks/0", {"used_memory": used.get(gpu.partition.render_index, 0)})


def _write_node(folder: Path, properties: Mapping[str, int], *, gpu_id: int, name: str) -> None:
    _write(folder, {"properties": _lines(properties).rstrip(), "gpu_id": gpu_id, "name": name})


def _write_bank(folder: Path, *, heap_type: int, size: int) -> None:
    bank = {"heap_type": heap_type, "size_in_bytes": size, "flags": 0, "width": 8192, "mem_clk_max": 1300}
    _write(folder / "mem_banks/0", {"properties": _lines(bank).rstrip()})


@dataclass(frozen=True, slots=True)
class _Link:
    """A link to the node `to`. `megabytes` a second, from and to, are 0 where the kernel does not know them."""

    to: int
    type: int
    weight: int
    flags: int
    megabytes: tuple[int, int] = (0, 0)


def _write_links(nodes: Path, gpus: tuple[_KfdGpu, ...]) -> None:
    """Direct links between GPUs of a hive, between sockets, from sockets to their own GPUs; all others are indirect."""
    for socket in range(_SOCKETS):
        sockets = [_Link(other, 1, _SOCKET_WEIGHT, 0) for other in range(_SOCKETS) if other != socket]
        near = [_over_pcie(gpu.number, flags=3) for gpu in gpus if gpu.socket == socket]
        far = [_Link(gpu.number, 2, _PCIE_WEIGHT + _SOCKET_WEIGHT, 3) for gpu in gpus if gpu.socket != socket]
        _write_links_of(nodes / str(socket), io_links=[*sockets, *near], p2p_links=far)
    for gpu in gpus:
        linked = [_within_hive(gpu, peer) for peer in gpus if peer is not gpu and gpu.reaches(peer)]
        others = [_between_hives(gpu, peer) for peer in gpus if not gpu.reaches(peer)]
        far = [_Link(1 - gpu.socket, 2, _PCIE_WEIGHT + _SOCKET_WEIGHT, 1), *others]
        _write_links_of(nodes / str(gpu.number), io_links=[_over_pcie(gpu.socket, flags=1), *linked], p2p_links=far)


def _over_pcie(to: int, *, flags: int) -> _Link:
    return _Link(to, 2, _PCIE_WEIGHT, flags, (0, 64000))


def _within_hive(gpu: _KfdGpu, peer: _KfdGpu) -> _Link:
    """Of type xGMI, also within a GPU. Between GPUs that are divided the way goes through both, at an unknown speed."""
    if gpu.seeded is peer.seeded:
        return _Link(peer.number, 11, _WITHIN_GPU_WEIGHT, 1, (819200, 819200))
    if gpu.mode.compute is ComputeMode.SPX:
        return _Link(peer.number, 11, _XGMI_WEIGHT, 1, (50000, 50000))
    return _Link(peer.number, 11, 2 * _WITHIN_GPU_WEIGHT + _XGMI_WEIGHT, 1)


def _between_hives(gpu: _KfdGpu, peer: _KfdGpu) -> _Link:
    return _Link(peer.number, 2, 2 * _PCIE_WEIGHT + (_SOCKET_WEIGHT if gpu.socket != peer.socket else 0), 3)


def _write_links_of(node: Path, **links: Iterable[_Link]) -> None:
    for kind, those in links.items():
        for index, link in enumerate(those):
            properties = {
                "type": link.type,
                "version_major": 0,
                "version_minor": 0,
                "node_from": int(node.name),
                "node_to": link.to,
                "weight": link.weight,
                "min_latency": 0,
                "max_latency": 0,
                "min_bandwidth": link.megabytes[0],
                "max_bandwidth": link.megabytes[1],
                "recommended_transfer_size": 0,
                "recommended_sdma_engine_id_mask": 0,
                "flags": link.flags,
            }
            _write(node / kind / str(index), {"properties": _lines(properties).rstrip()})


_CPU_ZEROS = (
    *("caches_count", "io_links_count", "p2p_links_count", "cpu_core_id_base", "simd_id_base", "max_waves_per_simd"),
    *("lds_size_in_kb", "gds_size_in_kb", "num_gws", "wave_front_size", "array_count", "simd_arrays_per_engine"),
    *("cu_per_simd_array", "simd_per_cu", "max_slots_scratch_cu", "gfx_target_version", "vendor_id", "device_id"),
    *("location_id", "domain", "drm_render_minor", "hive_id", "num_sdma_engines", "num_sdma_xgmi_engines"),
    *("num_sdma_queues_per_engine", "num_cp_queues"),
)
"""What a CPU node has none of, in the kernel's order."""


def _cpu_properties(io_links: int, p2p_links: int) -> dict[str, int]:
    return {
        "cpu_cores_count": 96,
        "simd_count": 0,
        "mem_banks_count": 1,
        **dict.fromkeys(_CPU_ZEROS, 0),
        "io_links_count": io_links,
        "p2p_links_count": p2p_links,
        "max_engine_clk_ccompute": 2750,
    }


def _gpu_properties(node: SimulatedNode, gpu: _KfdGpu, gpus: tuple[_KfdGpu, ...]) -> dict[str, int]:
    partitions = node.product.partition_count(gpu.mode.compute)
    direct = sum(gpu.reaches(other) for other in gpus)  # itself stands for its socket
    return {
        "cpu_cores_count": 0,
        "simd_count": gpu.partition.simd_units,
        "mem_banks_count": 1,
        "caches_count": 0,
        "io_links_count": direct,
        "p2p_links_count": len(gpus) - direct + _SOCKETS - 1,
        "cpu_core_id_base": 0,
        "simd_id_base": 2147487744,
        "max_waves_per_simd": 8,
        "lds_size_in_kb": 64,
        "gds_size_in_kb": 0,
        "num_gws": 64,
        "wave_front_size": 64,
        "array_count": 4,
        "simd_arrays_per_engine": 1,
        "cu_per_simd_array": 10,
        "simd_per_cu": SIMD_PER_COMPUTE_UNIT,
        "max_slots_scratch_cu": 32,
        "gfx_target_version": node.product.gfx_version,
        "vendor_id": 0x1002,
        "device_id": node.product.device_id,
        "location_id": gpu.seeded.location_id + gpu.partition.id,
        "domain": 0,
        "drm_render_minor": gpu.partition.render_index,
        "hive_id": gpu.seeded.hive_id,
        "num_sdma_engines": 2,
        "num_sdma_xgmi_engines": 0,
        "num_sdma_queues_per_engine": 8,
        "num_cp_queues": 24,
        "max_engine_clk_fcompute": 2100,
        "local_mem_size": 0,
        "fw_version": 177,
        "capability": 2893521536,
        "debug_prop": 1511,
        "sdma_fw_version": 24,
        "unique_id": int(gpu.seeded.unique_id),
        "num_xcc": node.product.xcds // partitions,
        "max_engine_clk_ccompute": 2750,
    }


def _write_device(root: Path, node: SimulatedNode, seeded: SeededGpu, used: Mapping[int, int]) -> None:
    hardware = next(gpu for gpu in node.hardware().gpus if gpu.bdf == seeded.bdf)
    device = root / "bus/pci/devices" / seeded.bdf
    _write(
        device,
        {
            "vendor": "0x1002",
            "device": f"{node.product.device_id:#06x}",
            "unique_id": f"{int(seeded.unique_id):016x}",
            "product_name": hardware.market_name.replace("_", " "),
            "mem_info_vram_total": hardware.vram_bytes,
        },
    )
    if not node.has(Fault.NOT_TOLD, seeded.bdf):
        used_bytes = sum(used.get(part.render_index, 0) for part in hardware.partitions)
        _write(device, {"mem_info_vram_used": used_bytes, "gpu_busy_percent": 0})
        _write(device / "hwmon/hwmon0", _MONITOR)
    if node.product.partitionable:
        _write_modes(device, node, seeded)
    if (ecc := node.ecc(seeded.bdf)) is not None:
        counts = f"ue: {ecc.uncorrectable}\nce: {ecc.correctable}\nde: {ecc.deferred}"
        _write(device / "ras", {"umc_err_count": counts})
    link = root / "module/amdgpu/drivers/pci:amdgpu" / seeded.bdf
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(Path("../../../../bus/pci/devices") / seeded.bdf)
    for part in hardware.partitions:
        platform = platform_device(part.render_index) if part.id else None
        drm = (root / "devices/platform" / platform if platform else device) / "drm"
        for name in (f"card{part.card_index}", f"renderD{part.render_index}"):
            (drm / name).mkdir(parents=True, exist_ok=True)


def _write_modes(device: Path, node: SimulatedNode, seeded: SeededGpu) -> None:
    mode, allowed = node.mode_of(seeded.bdf), node.product.allowed
    hidden = node.has(Fault.MODE_NOT_TOLD, seeded.bdf)
    together = dict.fromkeys(pair.compute for pair in allowed if pair.memory is mode.memory)
    memories = sorted({pair.memory for pair in allowed})
    _write(
        device,
        {
            "current_compute_partition": "UNKNOWN" if hidden else mode.compute,
            "available_compute_partition": ", ".join(together),  # as newer kernels: what goes with the memory mode
            "current_memory_partition": "UNKNOWN" if hidden else mode.memory,
            "available_memory_partition": ", ".join(memories),
        },
    )
    _write(
        device / "compute_partition_config",
        {
            "supported_xcp_configs": ", ".join(node.product.compute_modes),
            "xcp_config": mode.compute,
            "supported_nps_configs": ", ".join(sorted(pair.memory for pair in allowed if pair.compute is mode.compute)),
        },
    )


def _write_processes(folder: Path, node: SimulatedNode, gpus: tuple[_KfdGpu, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for bdf, processes in node.processes.items():
        for process in processes:
            own = {f"vram_{gpu.gpu_id}": 0 for gpu in gpus if gpu.seeded.bdf == bdf}
            _write(folder / str(process.pid), {"pasid": 0, **own})
            (folder / str(process.pid) / "queues").mkdir(exist_ok=True)


def _lines(properties: Mapping[str, int]) -> str:
    return "".join(f"{name} {value}\n" for name, value in properties.items())


def _write(folder: Path, files: Mapping[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(f"{content}\n", encoding="ascii")
