"""`python -m tests.chaos [--duration SECONDS] [--seed N] [--kinds kill,stop]`: random faults under churn, on a local
control plane.

The seed decides which faults befall whom, when and for how long, and what people do meanwhile; it is printed, and the
same seed plays the same again. The last line on stdout is the outcome as JSON, which goes to build/chaos/random.json in
full. Exit code 0 without violations, 1 with any, when it could not run or when too little happened to show anything, 2 for bad input, 130 for Ctrl-C. Logs of our
processes stay in build/chaos/random unless all was well.
"""

import argparse
import asyncio
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import SystemRandom

from rich.console import Console

from e2e.plane import PlaneError, ensure_binaries
from e2e.plane.progress import Progress
from e2e.run.errors import RunError
from e2e.run.session import own_log
from tests.chaos.report import NAME, again, show, write
from tests.chaos.run import QUIET_SECONDS, Outcome, Settings, lacking, run
from tests.chaos.schedule import Kind

FOLDER = Path("build/chaos")
_INTERRUPTED = 130
_LEAST_SECONDS = 20.0
_BESIDE_SECONDS = 60.0  # start, quiet and judging, as measured on two cores


def main(argv: Sequence[str] | None = None) -> int:
    """Run, write, judge."""
    settings = _settings(argv)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs have SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    folder = (FOLDER / NAME).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        outcome = _run(settings, folder)
    except (PlaneError, RunError, ExceptionGroup) as error:
        for leaf in _leaves(error):
            if not isinstance(leaf, (PlaneError, RunError)):
                raise
            sys.stderr.write(f"error: {leaf}\n")
        sys.stderr.write(f"logs: {folder}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return _INTERRUPTED
    show(outcome, Console(stderr=True))
    failed = bool(outcome.violations or lacking(outcome))
    if failed:
        sys.stderr.write(f"logs: {folder}; the same again: {again(outcome)}\n")
    else:
        shutil.rmtree(folder)
    sys.stdout.write(write(outcome, FOLDER) + "\n")
    return 1 if failed else 0


def _run(settings: Settings, folder: Path) -> Outcome:
    progress = Progress()
    ensure_binaries(progress)
    title = f"chaos, seed {settings.seed}, {settings.seconds:g} s of faults, then at most {QUIET_SECONDS:g} s of quiet"
    with own_log(folder / "run.log"), progress.step(1, 1, title, settings.seconds + _BESIDE_SECONDS) as step:
        return asyncio.run(run(settings, folder, step.tick))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error


def _settings(argv: Sequence[str] | None) -> Settings:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    usual = Settings()
    parser.add_argument("--duration", type=float, default=usual.seconds, help="seconds of faults (default: 1800)")
    parser.add_argument("--seed", type=int, help="decides everything (default: another one each time)")
    parser.add_argument(
        "--kinds", default="", help=f"kinds of faults, commas between: {', '.join(Kind)} (default: all)"
    )
    options = parser.parse_args(argv)
    if options.duration < _LEAST_SECONDS:
        parser.error(f"--duration {options.duration:g}: give {_LEAST_SECONDS:g} s or more")
    try:
        kinds = tuple(Kind(text) for text in options.kinds.split(",") if text) or usual.kinds
    except ValueError:
        parser.error(f"--kinds {options.kinds!r}: use {', '.join(Kind)}")
    seed = SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    return Settings(options.duration, seed, kinds)


if __name__ == "__main__":
    sys.exit(main())
