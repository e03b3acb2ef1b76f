"""``aim-gpu inventory``: the GPUs and partitions of a node, read from its sysfs or a recording of it."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from controller.agent.kfd import ObservedGpu, Topology, TopologyError
from controller.agent.sysfs import read_topology
from controller.cli.output import Output, mebibytes, note, print_json, print_table, refuse


def inventory(
    sysfs_root: Annotated[
        Path, typer.Option(help="/sys, or any directory that holds a recorded KFD topology's nodes/.")
    ] = Path("/sys"),
    output: Annotated[
        Output, typer.Option("--output", "-o", help="table for people, json for programs.")
    ] = Output.TABLE,
) -> None:
    """Show the GPUs of this node: product, mode and partitions, as the driver's files tell them."""
    try:
        topology = read_topology(sysfs_root)
    except TopologyError as error:
        refuse(str(error))
    for gpu in topology.gpus:
        _note_oddities(gpu)
    if output is Output.JSON:
        print_json(document(topology))
    else:
        print_table(_table(topology))


def document(topology: Topology) -> dict[str, Any]:
    """The answer as JSON has it: sizes in bytes, null for what the tree does not tell."""
    return {
        "gpus": [
            {
                "bdf": gpu.bdf,
                "product": gpu.product_name,
                "vram_bytes": gpu.vram_bytes,
                "compute_mode": gpu.compute_mode,
                "memory_mode": gpu.memory_mode,
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
            for gpu in topology.gpus
        ]
    }


def _note_oddities(gpu: ObservedGpu) -> None:
    seen = len(gpu.partitions)
    if gpu.missing_partitions:
        note(
            f"GPU {gpu.bdf} shows {seen} of {seen + gpu.missing_partitions} partitions of {gpu.compute_mode}: "
            "a host has 64 partition devices, and another driver (often ast, the BMC's) may hold one: unload it"
        )
    if gpu.compute_mode is None:
        note(f"GPU {gpu.bdf}: {seen} partitions match no compute mode of {gpu.product_name}")


def _table(topology: Topology) -> Table:
    table = Table("GPU", "PRODUCT", "MODE", "PARTITION", "RENDER", "MEMORY", "CUS")
    for gpu in topology.gpus:
        mode = f"{gpu.compute_mode or '?'}/{gpu.memory_mode or '?'}"
        for partition in gpu.partitions:
            table.add_row(
                gpu.bdf,
                gpu.product_name,
                mode,
                str(partition.id),
                f"renderD{partition.render_minor}",
                mebibytes(partition.vram_bytes),
                str(partition.compute_units),
            )
    return table
