"""``aim-gpu simulate``: how well a scorer packs a published trace, by the published experiment."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import mean
from typing import Annotated, Any, Final

import typer

from controller.cli.output import Output, print_json, print_table, refuse
from controller.placement.packing.host import WHOLE, Ask, share_left
from controller.placement.packing.modes import mode_left, rounded
from controller.placement.trace import TraceError, TraceNode, trace_nodes, trace_pods
from controller.runtime.clock import Clock, RealClock

_MOST_SEEDS: Final = 10_000
_MOST_ARRIVALS: Final = 2_000_000
"""Pods of one order of arrival; each takes some 40 us, so these take over a minute."""


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


@dataclass(frozen=True, slots=True)
class _Rule:
    scorer: ScorerName
    ties: Ties
    left: Callable[[int, int], int]


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
    output: Annotated[
        Output, typer.Option("--output", "-o", help="json for programs, table for people.")
    ] = Output.JSON,
) -> None:
    """Let the pods of a trace arrive on its nodes and tell how much of the GPUs was allocated."""
    chosen = _seeds(seeds)
    hosts, asks = _nodes(nodes), _pods(pods)
    rule = _Rule(scorer, ties, mode_left if amd_modes else share_left)
    found = _run(hosts, [rounded(ask) for ask in asks] if amd_modes else asks, rule, chosen, RealClock())
    if output is Output.JSON:
        print_json(found)
        return
    from rich.table import Table

    table = Table("ARRIVED", "ALLOCATED", "SEEDS")
    for arrived, outcome in found["allocation_percent"].items():
        table.add_row(
            f"{arrived} %", f"{outcome['mean']:.2f} %", ", ".join(f"{one:.2f}" for one in outcome["per_seed"])
        )
    print_table(table)


def _run(
    nodes: Sequence[TraceNode], pods: Sequence[Ask], rule: _Rule, seeds: Sequence[int], clock: Clock
) -> dict[str, Any]:
    from rich.console import Console
    from rich.progress import track

    from controller.placement.simulation import ARRIVING, REPORTED, Experiment  # numpy: a tenth of a second, 25 MB

    _countable(nodes, pods, ARRIVING)
    experiment = Experiment.named(rule.scorer, nodes, pods, rule.left)
    console = Console(stderr=True)
    begun = clock.monotonic()
    outcomes = [
        experiment.run(seed, random_ties=rule.ties is Ties.RANDOM)
        for seed in track(seeds, "seeds", console=console, transient=True, disable=not sys.stderr.isatty())
    ]
    taken = clock.monotonic() - begun
    reached = {mark: [outcome.allocation_percent[mark] for outcome in outcomes] for mark in REPORTED}
    return {
        "scorer": str(rule.scorer),
        "ties": str(rule.ties),
        "allocation_percent": {
            str(mark): {
                "mean": round(mean(percents), 4),
                "per_seed": [round(one, 4) for one in percents],
            }
            for mark, percents in reached.items()
        },
        "placements_per_second": round(sum(outcome.placed for outcome in outcomes) / taken, 1),
    }


def _countable(nodes: Sequence[TraceNode], pods: Sequence[Ask], percent: int) -> None:
    """Pods arrive until they ask for so much more than there is: the smaller they are, the more."""
    wanted = mean(pod.gpu_milli for pod in pods)
    arrivals = sum(node.gpus for node in nodes) * WHOLE * percent / 100 / max(wanted, 1)
    if arrivals > _MOST_ARRIVALS:
        refuse(
            f"--pods: {wanted:.1f} thousandths of a GPU are asked for on average, so some {arrivals:,.0f} pods would "
            f"arrive on these nodes, more than {_MOST_ARRIVALS:,}; give larger pods or fewer nodes"
        )


def _seeds(text: str) -> Sequence[int]:
    first, dash, last = text.partition("-")
    if not first.isdecimal() or not (last.isdecimal() if dash else True) or len(text) > 21:
        refuse(f"--seeds is {text!r}; give a number, or a range such as 42-51")
    lowest, highest = int(first), int(last or first)
    if highest < lowest or highest - lowest >= _MOST_SEEDS:
        refuse(f"--seeds is {text!r}; give a range that goes up, of {_MOST_SEEDS} seeds at most")
    return range(lowest, highest + 1)


def _nodes(path: Path) -> Sequence[TraceNode]:
    try:
        return trace_nodes(str(path), _lines(path))
    except TraceError as error:
        refuse(f"--nodes: {error}")


def _pods(path: Path) -> Sequence[Ask]:
    try:
        return trace_pods(str(path), _lines(path))
    except TraceError as error:
        refuse(f"--pods: {error}")


def _lines(path: Path) -> Sequence[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    except OSError as error:
        refuse(f"{path}: {error.strerror}; give a file that can be read")
    except UnicodeDecodeError:
        refuse(f"{path}: this is not UTF-8 text; give a CSV file")
