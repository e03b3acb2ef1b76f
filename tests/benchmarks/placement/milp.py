"""A mixed-integer program as plain numbers, and its solver in a process of its own.

The solver (HiGHS, ``highs_program.py``) is of the lock file's group `bench`, which gets an environment beside the
project's own.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from e2e.plane.errors import PlaneError

ROOT = Path(__file__).parents[3]
_PROGRAM = Path(__file__).with_name("highs_program.py")
_ENVIRONMENT = ROOT / "build" / "bench" / "solver"
_INSTALL_LIMIT_SECONDS = 600
INFINITE = 1e30


class SolverError(PlaneError):
    """There is no solver, or it failed. The text says what helps."""


@dataclass(slots=True)
class Model:
    """Whole-number columns (lower, upper, gain) and rows (lower, upper, {column: coefficient}); the gain is maximised."""

    columns: list[tuple[float, float, float]] = field(default_factory=list)
    rows: list[tuple[float, float, dict[int, float]]] = field(default_factory=list)

    def column(self, lower: float, upper: float, gain: float = 0.0) -> int:
        """A new column's number."""
        self.columns.append((lower, upper, gain))
        return len(self.columns) - 1

    def row(self, lower: float, upper: float, terms: Iterable[tuple[float, int]]) -> None:
        """A new row. Terms of one column add up."""
        summed: dict[int, float] = {}
        for coefficient, column in terms:
            summed[column] = summed.get(column, 0.0) + coefficient
        self.rows.append((lower, upper, summed))


@dataclass(frozen=True, slots=True)
class Solution:
    """The best integer solution's gain, the bound that no solution exceeds, and the seconds it took."""

    best: float
    bound: float
    seconds: float

    @property
    def gap(self) -> float:
        """By how much the bound exceeds the solution, as a share of the solution."""
        return (self.bound - self.best) / self.best if self.best > 0 else self.bound - self.best


def solve(models: Iterable[Model], *, gap: float, seconds: float) -> Iterator[Solution]:
    """Solve one after the other, each to that relative gap or for so long. Raises SolverError."""
    command = [str(_interpreter()), str(_PROGRAM), str(gap), str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as solver:
        if solver.stdin is None or solver.stdout is None:
            raise SolverError("the solver's process has no pipes")
        for model in models:
            solver.stdin.write(json.dumps(asdict(model)) + "\n")
            solver.stdin.flush()
            answer = solver.stdout.readline()
            if not answer:
                raise SolverError(f"the solver ended with exit code {solver.wait(10)}; its message stands above")
            yield Solution(**json.loads(answer))
        solver.stdin.close()


@cache
def _interpreter() -> Path:
    """One that can import the solver, in an environment beside the project's own, which keeps what it has."""
    uv = os.environ.get("UV") or shutil.which("uv")
    interpreter = _ENVIRONMENT / "bin" / "python"
    if uv is None and not interpreter.exists():
        raise SolverError("no uv to install the solver with: run `make bench` or set UV")
    if uv is not None:
        options = ["--locked", "--quiet", "--no-default-groups", "--group=bench", "--no-install-project"]
        done = subprocess.run(
            [uv, "sync", f"--python={sys.executable}", *options],
            cwd=ROOT,
            env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(_ENVIRONMENT)},
            capture_output=True,
            text=True,
            timeout=_INSTALL_LIMIT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise SolverError(f"the solver did not install: {done.stderr.strip()[-800:]}")
    return interpreter
