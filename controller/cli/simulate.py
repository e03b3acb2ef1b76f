"""``aim-gpu simulate``: how well a scorer packs a published trace, by the published experiment."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.output import Form, Output, print_document, print_table


class ScorerName(StrEnum):
    """Which rule chooses."""

    DEFAULT = "default"
    FGD = "fgd"
    BESTFIT = "bestfit"
    RANDOM = "random"


class Ties(StrEnum):
    """Which of equally good nodes is taken: the first by the digests of their names, or one at random."""

    FIRST = "first"
    RANDOM = "random"


def simulate(
    nodes: Annotated[Path, typer.Option(help="CSV of nodes, with openb's columns: sn,cpu_milli,memory_mib,gpu,model.")],
    pods: Annotated[
        Path,
        typer.Option(
            help="CSV of pods: name,cpu_milli,memory_mib,num_gpu,gpu_milli, and gpu_spec where models matter."
        ),
    ],
    scorer: Annotated[ScorerName, typer.Option(help="The rule that chooses among the places that fit.")] = (
        ScorerName.DEFAULT
    ),
    ties: Annotated[Ties, typer.Option(help="Which of equally good nodes is taken.")] = Ties.FIRST,
    seeds: Annotated[str, typer.Option(help="Orders of arrival: one number, or a range such as 42-51.")] = "42-51",
    amd_modes: Annotated[
        bool,
        typer.Option(
            "--amd-modes",
            help="Round requests up to partitions of MI300X; GPUs take the modes SPX, DPX, QPX, CPX as pods come.",
        ),
    ] = False,
    output: Form = Output.TABLE,
) -> None:
    """Let the pods of a trace arrive on its nodes and tell how much of the GPUs was allocated."""
    from controller.cli.arrivals import Arrivals, arrive  # help does without placement

    found = arrive(Arrivals(nodes, pods, scorer, seeds, random_ties=ties is Ties.RANDOM, amd_modes=amd_modes))
    if output.for_programs:
        print_document(found, output)
        return
    from rich.table import Table

    table = Table("ARRIVED", "ALLOCATED", "SEEDS")
    for arrived, outcome in found["allocation_percent"].items():
        table.add_row(
            f"{arrived} %", f"{outcome['mean']:.2f} %", ", ".join(f"{one:.2f}" for one in outcome["per_seed"])
        )
    print_table(table, output)
