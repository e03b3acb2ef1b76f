"""How good the joint choice of modes is: seeded batches beside the solver's best, and claims that come and go."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from controller.placement.layouts.choice import DEFAULT_EFFORT, choose
from controller.placement.layouts.layout import Layout
from controller.placement.layouts.problem import Batch
from controller.placement.layouts.search import Effort
from controller.repartition.joint import FEW
from tests.benchmarks.placement.layouts_model import model_of
from tests.benchmarks.placement.layouts_samples import Kind, sample
from tests.benchmarks.placement.milp import Solution, solve
from tests.benchmarks.report import Row, figure
from tests.benchmarks.thresholds import bounds

GIB = 1 << 30
PROVEN_GAP = 0.002
"""A sample whose solution is not proven to that share of it counts as unsolved."""

_SOLVER_GAP, _SOLVER_SECONDS = 0.0005, 20.0
_FIRST_SEED = 1000
_DEMANDS = (0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
_SHAPES = ((64, 1), (64, 2), (96, 2))
"""GPUs of a sample, and draws of a claim (see Kind)."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one choice of modes placed, in GiB, and the seconds of CPU it took."""

    placed: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One batch, chosen for with full effort and with that of the operator in a hurry, and the solver's word."""

    batch: Batch
    full: Run
    hurried: Run
    solution: Solution

    @property
    def solved(self) -> bool:
        """Whether the solution is proven."""
        return self.solution.gap <= PROVEN_GAP

    def gap_percent(self, run: Run) -> float:
        """By how much less was placed than in the solver's best integer solution, of that."""
        return 100 * (self.solution.best - run.placed) / self.solution.best


def kinds(samples: int) -> Iterator[Kind]:
    """Of so many samples: every demand with every shape in turn."""
    for number in range(samples):
        gpus, draws = _SHAPES[number // len(_DEMANDS) % len(_SHAPES)]
        yield Kind(_DEMANDS[number % len(_DEMANDS)], gpus, draws=draws)


def measured(samples: int, tick: Callable[[str], None]) -> list[Sample]:
    """So many samples; `tick` is told how many there are. Raises SolverError where there is no solver."""
    batches = [sample(kind, _FIRST_SEED + number) for number, kind in enumerate(kinds(samples))]
    solutions = solve(map(model_of, batches), gap=_SOLVER_GAP, seconds=_SOLVER_SECONDS)
    found: list[Sample] = []
    for batch, solution in zip(batches, solutions, strict=True):
        found.append(Sample(batch, _run(batch, DEFAULT_EFFORT), _run(batch, FEW), solution))
        tick(f"{len(found)} of {samples} batches")
    return found


def _run(batch: Batch, effort: Effort) -> Run:
    started = time.process_time()
    layout = choose(batch, effort=effort)
    return Run(placed_gib(batch, layout), time.process_time() - started)


def placed_gib(batch: Batch, layout: Layout) -> float:
    """GPU memory asked for by the claims that have a place."""
    placed = {seat.claim for seat in layout.seats}
    return sum(claim.bytes for claim in batch.claims if claim.key in placed) / GIB


def layouts(samples: int, tick: Callable[[str], None]) -> tuple[Sequence[Row], Sequence[str]]:
    """Rows and notes of so many batches."""
    found = measured(samples, tick)
    solved = [each for each in found if each.solved]
    rows = [_bounded("layout_samples_solved", "count", len(solved), [len(solved)])]
    for name, runs in (
        ("layout", [(each, each.full) for each in solved]),
        ("layout_hurried", [(each, each.hurried) for each in solved]),
    ):
        gaps = [each.gap_percent(run) for each, run in runs]
        seconds = [run.seconds for _, run in runs]
        rows.append(_bounded(f"{name}_gap_percent_mean", "%", sum(gaps) / len(gaps), gaps))
        rows.append(_bounded(f"{name}_gap_percent_worst", "%", max(gaps), gaps))
        rows.append(_bounded(f"{name}_cpu_seconds_mean", "s", sum(seconds) / len(seconds), seconds))
    over = sum(each.gap_percent(each.full) > 1 for each in solved)
    claims = [len(each.batch.claims) for each in found]
    notes = [
        f"layouts: {len(found)} batches of {min(claims)} to {max(claims)} claims of catalogue models at 80 to 130 % of the "
        f"free memory of 64 or 96 GPUs (MI300X, MI325X, MI355X, MI210); gaps to HiGHS' best integer solution, proven to "
        f"{PROVEN_GAP:.1%} in {len(solved)} of them; {over} are over 1 %",
        "layout_hurried: with the effort that the operator makes for few claims, or where nobody else has a turn meanwhile",
    ]
    return rows, notes


def _bounded(metric: str, unit: str, value: float, samples: Sequence[float]) -> Row:
    return figure(metric, unit, value, samples, bounds("placement").get(metric))
