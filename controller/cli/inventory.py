"""``aim-gpu inventory``: the GPUs and partitions of a node, read from its sysfs, a recording of it, or AMD SMI."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from controller.agent.backend import BackendError, HardwareGpu, NodeHardware
from controller.agent.health import missing_of
from controller.agent.kfd import ObservedGpu, TopologyError
from controller.agent.simulated_seed import MAX_GPUS
from controller.agent.sysfs import read_topology
from controller.cli.output import Form, Output, mebibytes, note, print_document, print_rows, refuse
from controller.gpu.mode import ComputeMode, MemoryMode

_SYSFS = Path("/sys")

Table: TypeAlias = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""A header and rows."""


class InventoryBackend(StrEnum):
    """Who is asked."""

    SYSFS = "sysfs"
    AMDSMI = "amdsmi"


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """One partition as shown; None for what is not told."""

    id: int
    render_minor: int
    vram_bytes: int | None
    compute_units: int | None


@dataclass(frozen=True, slots=True)
class GpuRow:
    """One GPU as shown; None for what is not told. xGMI links those of one `hive` with one another."""

    bdf: str
    product: str
    vram_bytes: int | None
    compute_mode: ComputeMode | None
    memory_mode: MemoryMode | None
    partitions: tuple[PartitionRow, ...]
    missing_partitions: int
    contradiction: str = ""
    hive: int | None = None


def inventory(
    sysfs_root: Annotated[
        Path | None,
        typer.Option(help=f"Any directory that holds a recorded KFD topology's nodes/; default: {_SYSFS}."),
    ] = None,
    backend: Annotated[
        InventoryBackend,
        typer.Option(help="sysfs reads the driver's files; amdsmi asks AMD's library and compares with them."),
    ] = InventoryBackend.SYSFS,
    simulate: Annotated[
        str | None, typer.Option(help="A simulated node to write, PRODUCT=MODE such as MI300X=CPX/NPS4.")
    ] = None,
    gpus: Annotated[int, typer.Option(min=1, max=MAX_GPUS, help="GPUs of the simulated node.")] = MAX_GPUS,
    write_tree: Annotated[
        Path | None,
        typer.Option(
            help="A new folder for the simulated node, as its drivers would show it below /sys; then it is read."
        ),
    ] = None,
    output: Form = Output.TABLE,
) -> None:
    """Show the GPUs of this node: product, mode and partitions, as the driver's files or AMD SMI tell them."""
    try:
        root = _root(sysfs_root, backend, simulate, write_tree, gpus)
        found = _of_amdsmi(root) if backend is InventoryBackend.AMDSMI else _of_files(root)
    except (TopologyError, BackendError) as error:
        refuse(str(error))
    _note_oddities(found)
    if output.for_programs:
        print_document(document(found), output)
    else:
        print_rows(*(_wide_table(found) if output is Output.WIDE else _table(found)), output)


def _root(given: Path | None, backend: InventoryBackend, simulate: str | None, into: Path | None, gpus: int) -> Path:
    """The tree to read: that of the host, or given, or of a simulated node, which is written first."""
    if simulate is None and into is None:
        return given or _SYSFS
    if simulate is None or into is None:
        alone = "--simulate" if into is None else "--write-tree"
        refuse(f"{alone}: give --simulate PRODUCT=MODE and --write-tree DIR together")
    if given is not None or backend is not InventoryBackend.SYSFS:
        refuse(f"--simulate {simulate!r}: its own tree is read; leave --sysfs-root and --backend out")
    from controller.cli.simulated_tree import SimulationError, write_simulated  # as much as all else

    try:
        write_simulated(simulate, gpus, into)
    except SimulationError as error:
        refuse(str(error))
    return into


def document(gpus: Sequence[GpuRow]) -> dict[str, Any]:
    """The answer as JSON has it: sizes in bytes, null for what is not told."""
    return {
        "gpus": [
            {
                "bdf": gpu.bdf,
                "product": gpu.product,
                "vram_bytes": gpu.vram_bytes,
                "compute_mode": gpu.compute_mode,
                "memory_mode": gpu.memory_mode,
                "xgmi_hive": gpu.hive,
                "partitions": [
                    {
                        "id": partition.id,
                        "render_minor": partition.render_minor,
                        "vram_bytes": partition.vram_bytes,
                        "compute_units": partition.compute_units,
                    }
                    for partition in gpu.partitions
                ],
            }
            for gpu in gpus
        ]
    }


def _of_files(root: Path) -> tuple[GpuRow, ...]:
    return tuple(_observed(gpu) for gpu in read_topology(root).gpus)


def _of_amdsmi(root: Path) -> tuple[GpuRow, ...]:
    # only here: the package looks for its library when it is imported
    import asyncio

    from controller.agent.amdsmi_backend import open_amdsmi

    async def read() -> NodeHardware:
        backend = open_amdsmi(root)
        try:
            return await backend.read()
        finally:
            backend.close()

    hardware = asyncio.run(read())
    for disagreement in hardware.disagreements:
        note(disagreement)
    return tuple(_told(gpu) for gpu in hardware.gpus)


def _observed(gpu: ObservedGpu) -> GpuRow:
    return GpuRow(
        gpu.bdf,
        gpu.product_name,
        gpu.vram_bytes,
        gpu.compute_mode,
        gpu.memory_mode,
        tuple(PartitionRow(part.id, part.render_minor, part.vram_bytes, part.compute_units) for part in gpu.partitions),
        gpu.missing_partitions,
        gpu.contradiction,
        gpu.hive,
    )


def _told(gpu: HardwareGpu) -> GpuRow:
    return GpuRow(
        gpu.bdf,
        gpu.product,
        gpu.vram_bytes or None,
        gpu.mode.compute if gpu.mode else None,
        gpu.mode.memory if gpu.mode else None,
        tuple(
            PartitionRow(part.id, part.render_index, part.bytes or None, part.compute_units or None)
            for part in gpu.partitions
        ),
        gpu.missing_partitions,
        hive=gpu.hive,
    )


def _note_oddities(gpus: Sequence[GpuRow]) -> None:
    for gpu in gpus:
        _note_oddity(gpu)
    if why := missing_of(sum(len(gpu.partitions) for gpu in gpus), sum(gpu.missing_partitions for gpu in gpus)):
        note(why)


def _note_oddity(gpu: GpuRow) -> None:
    seen = len(gpu.partitions)
    if gpu.missing_partitions:
        note(f"GPU {gpu.bdf} shows {seen} of {seen + gpu.missing_partitions} partitions of {gpu.compute_mode}")
    if gpu.contradiction:
        note(f"{gpu.contradiction}: a change is under way, or it failed half way; read the kernel's log")
    if gpu.compute_mode is None:
        note(f"GPU {gpu.bdf}: {seen} partitions match no compute mode of {gpu.product}")


def _table(gpus: Sequence[GpuRow]) -> Table:
    return ("GPU", "PRODUCT", "MODE", "PARTITION", "RENDER", "MEMORY", "CUS"), list(_rows(gpus))


def _wide_table(gpus: Sequence[GpuRow]) -> Table:
    """The same with the whole GPU's memory, its xGMI hive, and partitions that the driver does not show."""
    more = {gpu.bdf: (mebibytes(gpu.vram_bytes), _number(gpu.hive), str(gpu.missing_partitions)) for gpu in gpus}
    header = ("GPU", "PRODUCT", "MODE", "PARTITION", "RENDER", "MEMORY", "CUS", "GPU MEMORY", "HIVE", "NOT SHOWN")
    return header, [(*row, *more[row[0]]) for row in _rows(gpus)]


def _rows(gpus: Sequence[GpuRow]) -> Iterator[tuple[str, ...]]:
    for gpu in gpus:
        mode = f"{gpu.compute_mode or '?'}/{gpu.memory_mode or '?'}"
        for partition in gpu.partitions:
            yield (
                gpu.bdf,
                gpu.product,
                mode,
                str(partition.id),
                f"renderD{partition.render_minor}",
                mebibytes(partition.vram_bytes),
                _number(partition.compute_units),
            )


def _number(told: int | None) -> str:
    return "-" if told is None else str(told)
