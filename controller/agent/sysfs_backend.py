"""The backend that reads the driver's files and nothing else: for nodes without AMD SMI, and to check its word.

It tells everything that KFD and the PCI devices' files tell, and changes nothing. What it cannot tell:

- processes that use a GPU without KFD, through its render node alone (AMD's metrics exporter is one); KFD's own are
  all there, by their process id on the host, without a name;
- use of a partition's memory, where the driver's memory banks do not say it; its busy share, unless it is whole.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.agent.backend import (
    BackendError,
    DriverGone,
    GpuProcess,
    GpuUse,
    HardwareGpu,
    HardwarePartition,
    NodeHardware,
    NodeUse,
    NotSupported,
    PartitionUse,
)
from controller.agent.kfd import NoGpus, ObservedGpu, ObservedPartition, Topology, TopologyError
from controller.agent.sysfs import nodes_folder, read_topology
from controller.agent.sysfs_device import cards, memory_errors, modes_in, number_in, text_in
from controller.agent.sysfs_sensors import power_watts, temperatures
from controller.gpu.identity import PartitionId
from controller.gpu.mode import ComputeMode, MemoryMode, Mode
from controller.gpu.product import Product, product_of_device

PROCESSES = "class/kfd/kfd/proc"

_DEVICES = "bus/pci/devices"
_MODULE = "module/amdgpu"
_ATTEMPTS = 3
_FIRST_RENDER_MINOR = 128
_GFX9_FAMILY = "AI"  # the kernel's name of the family that all Instinct products since MI100 belong to
_REMEDY = "this backend only reads: install AMD SMI's library (libamd_smi.so, with ROCm) on the host to change modes"


@dataclass(frozen=True, slots=True)
class _Known:
    """A topology and its generation, KFD's count of changes."""

    generation: str | None
    topology: Topology


class SysfsBackend:
    """A node's GPUs as the files below `root` tell them: `/sys`, or a recording of it."""

    name = "sysfs"
    simulated = False
    writable = False

    def __init__(self, root: Path = Path("/sys")) -> None:
        self._root = root
        self._known: _Known | None = None

    async def read(self) -> NodeHardware:
        """Everything anew. Raises DriverGone when no driver shows a GPU, BackendError for files that make no sense."""
        return await asyncio.to_thread(self._read)

    async def set_memory_mode(self, mode: MemoryMode) -> None:
        """Raises NotSupported."""
        raise NotSupported(f"memory mode {mode}: {_REMEDY}")

    async def reload_driver(self) -> None:
        """Raises NotSupported."""
        raise NotSupported(f"driver reload: {_REMEDY}")

    async def set_compute_mode(self, bdf: str, mode: ComputeMode) -> None:
        """Raises NotSupported."""
        raise NotSupported(f"compute mode {mode} of GPU {bdf}: {_REMEDY}")

    async def processes(self) -> Mapping[str, tuple[GpuProcess, ...]]:
        """KFD's processes, each on every GPU it may use: KFD opens them all for it. Raises NotSupported without KFD's
        list, as in a recording.
        """
        return await asyncio.to_thread(self._processes)

    async def usage(self) -> NodeUse:
        """What the files tell of the use of partitions and GPUs, None for what they do not."""
        return await asyncio.to_thread(self._usage)

    def _read(self) -> NodeHardware:
        topology = self._topology()
        card_of = cards(self._root)
        return NodeHardware(
            text_in(self._root / _MODULE / "version") or "",
            text_in(self._root / _MODULE / "srcversion") or "",
            tuple(self._gpu(gpu, card_of) for gpu in topology.gpus),
            tuple(gpu.contradiction for gpu in topology.gpus if gpu.contradiction),
        )

    def _topology(self) -> Topology:
        """The topology, read while it did not change: KFD counts its changes."""
        for attempt in range(1, _ATTEMPTS + 1):
            before = self._generation()
            try:
                topology = read_topology(self._root)
            except NoGpus as error:
                raise DriverGone(str(error)) from error
            except TopologyError as error:
                if attempt == _ATTEMPTS or before == self._generation():
                    raise BackendError(str(error)) from error
                continue
            if before == self._generation():
                self._known = _Known(before, topology)
                return topology
        raise BackendError(f"{self._root}: the topology changed during each of {_ATTEMPTS} readings: read it again")

    def _generation(self) -> str | None:
        try:
            return text_in(nodes_folder(self._root).parent / "generation_id")
        except NoGpus as error:
            raise DriverGone(str(error)) from error

    def _gpu(self, gpu: ObservedGpu, card_of: Mapping[int, int]) -> HardwareGpu:
        device = self._root / _DEVICES / gpu.bdf
        product = product_of_device(gpu.device_id)
        mode = current_mode(gpu, product)
        market_name = text_in(device / "product_name")
        return HardwareGpu(
            bdf=gpu.bdf,
            unique_id=str(gpu.unique_id) if gpu.unique_id else "",
            product=gpu.product_name,
            market_name=market_name.replace(" ", "_") if market_name else gpu.product_name,
            family=_GFX9_FAMILY if gpu.gfx_version // 10000 == 9 else "",
            vram_bytes=number_in(device / "mem_info_vram_total") or gpu.vram_bytes or 0,
            mode=mode,
            modes_allowed=self._modes_allowed(device, gpu, mode, product),
            modes_validated=product.validated if product else frozenset(),
            partitions=tuple(_partition(partition, card_of) for partition in gpu.partitions),
            missing_partitions=gpu.missing_partitions,
            ecc=memory_errors(device),
            hive=gpu.hive,
        )

    def _modes_allowed(
        self, device: Path, gpu: ObservedGpu, mode: Mode | None, product: Product | None
    ) -> tuple[Mode, ...]:
        """The pairs the driver knows out of what the card reports, and the mode it is in, whatever we know of it.

        `available_compute_partition` lists on newer kernels only what goes with the present memory mode;
        `supported_xcp_configs` has them all.
        """
        computes = {
            *modes_in(device / "compute_partition_config/supported_xcp_configs", ComputeMode),
            *modes_in(device / "available_compute_partition", ComputeMode),
        }
        memories = set(modes_in(device / "available_memory_partition", MemoryMode))
        if mode is not None:
            computes.add(mode.compute)
            memories.add(mode.memory)
        known = product.modes_of(gpu.device_id) if product else ()
        pairs = tuple(pair for pair in known if pair.compute in computes and pair.memory in memories)
        return pairs if mode is None or mode in pairs else (*pairs, mode)

    def _processes(self) -> Mapping[str, tuple[GpuProcess, ...]]:
        folder = self._root / PROCESSES
        if not folder.is_dir():
            raise NotSupported(f"{folder}: is not there, so processes are not told: read /sys of a running host")
        pids = sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal())
        opened = {pid: numbers for pid in pids if (numbers := _opened(folder / str(pid)))}
        if not opened:
            return {}  # the usual: no topology is read for it
        bdf_of = {part.gpu_id: gpu.bdf for gpu in self._topology().gpus for part in gpu.partitions}
        found: dict[str, list[GpuProcess]] = {}
        for pid, numbers in opened.items():
            for bdf in {bdf_of[number] for number in numbers if number in bdf_of}:
                found.setdefault(bdf, []).append(GpuProcess(pid))
        return {bdf: tuple(processes) for bdf, processes in sorted(found.items())}

    def _usage(self) -> NodeUse:
        topology, nodes = self._known_topology(), nodes_folder(self._root)
        partitions = {
            PartitionId(gpu.bdf, part.id): self._use(gpu, nodes / str(part.node))
            for gpu in topology.gpus
            for part in gpu.partitions
        }
        devices = {gpu.bdf: self._root / _DEVICES / gpu.bdf for gpu in topology.gpus}
        gpus = {bdf: GpuUse(temperatures(device), power_watts(device)) for bdf, device in devices.items()}
        return NodeUse(partitions, gpus)

    def _known_topology(self) -> Topology:
        """The topology, not read again for use while KFD counts no change since: that would be most of the work.

        `read` reads it anew each time: after a reload the driver counts from the beginning.
        """
        known, generation = self._known, self._generation()
        if known is not None and generation is not None and known.generation == generation:
            return known.topology
        return self._topology()

    def _use(self, gpu: ObservedGpu, node: Path) -> PartitionUse:
        used = number_in(node / "mem_banks/0/used_memory")
        if gpu.compute_mode is not ComputeMode.SPX:
            return PartitionUse(used, None)  # the device's own files speak of the whole GPU
        device = self._root / _DEVICES / gpu.bdf
        percent = number_in(device / "gpu_busy_percent")
        if used is None:
            used = number_in(device / "mem_info_vram_used")
        return PartitionUse(used, None if percent is None else percent / 100)


def current_mode(gpu: ObservedGpu, product: Product | None) -> Mode | None:
    """The mode of a GPU as read; None when compute or memory mode is not told. One that cannot be divided has one."""
    if product is not None and not product.partitionable:
        return product.allowed[0]
    if gpu.compute_mode is None or gpu.memory_mode is None:
        return None
    return Mode(gpu.compute_mode, gpu.memory_mode)


def _partition(partition: ObservedPartition, card_of: Mapping[int, int]) -> HardwarePartition:
    # where no DRM folder is recorded: amdgpu takes card and render minors in pairs, both counting from their first
    card = card_of.get(partition.render_minor, partition.render_minor - _FIRST_RENDER_MINOR)
    return HardwarePartition(
        id=partition.id,
        render_index=partition.render_minor,
        card_index=card,
        bytes=partition.vram_bytes or 0,
        compute_units=partition.compute_units,
        simd_units=partition.simd_units,
    )


def _opened(process: Path) -> frozenset[int]:
    """KFD's numbers of the GPUs a process has open: `vram_<number>` each, however much it allocated there."""
    try:
        names = [entry.name.removeprefix("vram_") for entry in process.iterdir() if entry.name.startswith("vram_")]
    except FileNotFoundError:
        return frozenset()  # it ended meanwhile
    return frozenset(int(name) for name in names if name.isdecimal())
