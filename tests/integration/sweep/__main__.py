"""`python -m tests.integration.sweep [--sweep quick|all] [--only TEXT] [--seed N]`: kills and faults during mode changes.

Every case runs on one local control plane, with real processes that are killed by their ids, in an order that the seed
decides. After a violation the cluster is made anew. The last line on stdout is the outcome as JSON, which goes to
build/chaos/sweep.json as well, with each case's seconds. Exit code 0 without violations, 1 with any or when it could
not run, 130 for Ctrl-C.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from e2e.plane import Plane, PlaneError, ensure_binaries
from e2e.plane.progress import Progress
from e2e.run.install import CRD_FILES, install
from tests.integration.sweep.outcome import Outcome
from tests.integration.sweep.sweeping import chosen, expected_seconds, sweep

FOLDER = Path("build/chaos")
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Sweep, write, judge."""
    options = _options(argv)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs have SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    names = chosen(options.sweep, options.only)
    if not names:
        sys.stderr.write(f"error: --only {options.only!r}: no case of --sweep {options.sweep} has that in its name\n")
        return 1
    Random(options.seed).shuffle(names)
    outcome = Outcome(options.seed, len(names))
    try:
        _run(names, outcome)
    except PlaneError as error:
        sys.stderr.write(f"error: {error}\n")
        code = 1
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        code = _INTERRUPTED
    else:
        code = 1 if outcome.violations else 0
    sys.stdout.write(outcome.write(FOLDER) + "\n")
    return code


def _run(names: Sequence[str], outcome: Outcome) -> None:
    progress = Progress()
    ensure_binaries(progress)
    with (
        Plane(manifests=CRD_FILES) as plane,
        TemporaryDirectory(prefix="aim-sweep-") as folder,
        progress.step(1, 1, f"{len(names)} cases, seed {outcome.seed}", expected_seconds(names)) as step,
    ):
        install(plane)
        asyncio.run(sweep(plane, Path(folder), names, outcome, lambda: step.tick(outcome.standing()), FOLDER))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.sweep", description=__doc__)
    parser.add_argument("--sweep", choices=("quick", "all"), default="quick", help="how many cases (default: quick)")
    parser.add_argument(
        "--only", default="", help="the case of this name, or all with this text in theirs; several with commas between"
    )
    parser.add_argument("--seed", type=int, default=1, help="decides the order (default: 1)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
