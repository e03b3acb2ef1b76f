"""Pods of a trace that arrive on its nodes, by the published experiment, with what is said of traces that cannot be."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Final

from rich.console import Console
from rich.progress import track

from controller.cli.output import refuse
from controller.placement.packing.host import WHOLE, Ask, share_left
from controller.placement.packing.modes import mode_left, rounded
from controller.placement.simulation import ARRIVING, REPORTED, Experiment
from controller.placement.trace import TraceError, TraceNode, trace_nodes, trace_pods
from controller.runtime.clock import RealClock

_MOST_SEEDS: Final = 10_000
_MOST_ARRIVALS: Final = 2_000_000
"""Pods of one order of arrival; each takes some 40 us, so these take over a minute."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What is asked: files of nodes and pods, the rule that chooses, and the orders of arrival, such as `42-51`."""

    nodes: Path
    pods: Path
    scorer: str
    seeds: str
    random_ties: bool
    amd_modes: bool


def arrive(asked: Arrivals) -> dict[str, Any]:
    """Percent allocated at each mark of demand, mean and a seed, and placements a second. Files that cannot be used end
    the command with exit code 2."""
    seeds = _seeds(asked.seeds)
    hosts, given = _nodes(asked.nodes), _pods(asked.pods)
    asks = [rounded(ask) for ask in given] if asked.amd_modes else given
    _countable(hosts, asks, ARRIVING)
    experiment = Experiment.named(asked.scorer, hosts, asks, mode_left if asked.amd_modes else share_left)
    console = Console(stderr=True)
    clock = RealClock()
    begun = clock.monotonic()
    outcomes = [
        experiment.run(seed, random_ties=asked.random_ties)
        for seed in track(seeds, "seeds", console=console, transient=True, disable=not sys.stderr.isatty())
    ]
    taken = clock.monotonic() - begun
    reached = {mark: [outcome.allocation_percent[mark] for outcome in outcomes] for mark in REPORTED}
    return {
        "scorer": asked.scorer,
        "ties": "random" if asked.random_ties else "first",
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
