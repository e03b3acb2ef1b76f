"""`python -m tests.integration.sweep [--sweep quick|all] [--only TEXT] [--seed N]`: kills and faults during mode changes.

Every case runs on one local control plane, with real processes that are killed by their ids, in an order that the seed
decides. After a violation the cluster is made anew. The last line on stdout is the outcome as JSON, which goes to
build/chaos/sweep.json as well. Exit code 0 without violations, 1 with any or when it could not run, 130 for Ctrl-C.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from e2e.plane import Plane, PlaneError, ensure_binaries
from e2e.plane.progress import Progress, Step
from e2e.run.install import CRD_FILES, install
from tests.integration.sweep.plane_case import QUICK, PlaneCase, all_cases, play
from tests.integration.sweep.site import site

FOLDER = Path("build/chaos")
_INTERRUPTED = 130
_CASE_SECONDS = 4.0
# Slower than the test's: a step of the partitioner must last long enough to be seen.
_TIME_SCALE = 0.1


@dataclass
class Outcome:
    """What was swept: `violations` by case, as sentences."""

    seed: int
    cases: int = 0
    violations: dict[str, str] = field(default_factory=dict)


def main(argv: Sequence[str] | None = None) -> int:
    """Sweep, write, judge."""
    options = _options(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wanted: list[PlaneCase] = all_cases() if options.sweep == "all" else list(QUICK)
    cases = [case for case in wanted if options.only in str(case)]
    Random(options.seed).shuffle(cases)
    progress, outcome = Progress(), Outcome(options.seed)
    try:
        ensure_binaries(progress)
        with (
            Plane(manifests=CRD_FILES) as plane,
            TemporaryDirectory(prefix="aim-sweep-") as folder,
            progress.step(1, 1, f"{len(cases)} cases, seed {options.seed}", _CASE_SECONDS * len(cases)) as step,
        ):
            install(plane)
            asyncio.run(_sweep(plane, Path(folder), cases, outcome, step))
    except PlaneError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return _INTERRUPTED
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "sweep.json").write_text(json.dumps(asdict(outcome), indent=1) + "\n", encoding="utf-8")
    told = {"seed": outcome.seed, "cases": outcome.cases, "violations": len(outcome.violations)}
    sys.stdout.write(json.dumps(told) + "\n")
    return 1 if outcome.violations or not outcome.cases else 0


async def _sweep(plane: Plane, folder: Path, cases: Sequence[PlaneCase], outcome: Outcome, step: Step) -> None:
    todo = list(cases)
    while todo:
        home = folder / str(outcome.cases)
        home.mkdir()
        async with site(plane, home, time_scale=_TIME_SCALE) as made:
            while todo:
                case = todo.pop(0)
                step.tick(f"{outcome.cases + 1}: {case}, {len(outcome.violations)} violations")
                outcome.cases += 1
                try:
                    await play(made, case, outcome.cases)
                except AssertionError as error:
                    outcome.violations[str(case)] = str(error)
                    sys.stderr.write(f"\nviolation in {case}: {error}\n")
                    break


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.sweep", description=__doc__)
    parser.add_argument("--sweep", choices=("quick", "all"), default="quick", help="how many cases (default: quick)")
    parser.add_argument("--only", default="", help="only cases whose names contain this text")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
