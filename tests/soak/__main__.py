"""`python -m tests.soak [--duration SECONDS] [--seed N]`: soak a controller process, write build/soak/controller.json.

The last line on stdout is the outcome as JSON, without the samples. Exit code 0 when every figure is flat and every
object was reconciled at its last generation, 1 when not or when it could not run, 2 for bad input, 130 for Ctrl-C.
"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import uvloop

from e2e.plane.errors import PlaneError
from e2e.plane.progress import Progress
from tests.benchmarks.controller.contender import ContenderError
from tests.soak.soak import NAME, Outcome, Settings, Soak
from tests.soak.verdict import Finding

FOLDER = Path("build/soak")
_INTERRUPTED = 130
_LEAST_SECONDS = 20.0


def main(argv: Sequence[str] | None = None) -> int:
    """Soak, write, judge."""
    settings = _settings(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    FOLDER.mkdir(parents=True, exist_ok=True)
    log = FOLDER / f"{NAME}.log"
    log.write_text("")
    try:
        with Progress().step(1, 1, f"soak of a controller, seed {settings.seed}", settings.seconds) as step:
            outcome = uvloop.run(Soak(settings, log, step.tick).run())
    except (PlaneError, ContenderError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return _INTERRUPTED
    whole = {"name": NAME, "settings": asdict(settings), **asdict(outcome)}
    (FOLDER / f"{NAME}.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps({key: value for key, value in whole.items() if key != "samples"}) + "\n")
    return 0 if passed(outcome) else 1


def passed(outcome: Outcome) -> bool:
    """Whether nothing grows and nothing was left behind."""
    return outcome.unreconciled == 0 and all(row.finding is Finding.FLAT for row in outcome.results)


def _settings(argv: Sequence[str] | None) -> Settings:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    usual = Settings()
    parser.add_argument("--duration", type=float, default=usual.seconds, help="seconds (default: 1800)")
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--rate", type=float, default=usual.rate, help="changes a second (default: 20)")
    options = parser.parse_args(argv)
    if options.duration < _LEAST_SECONDS or options.rate <= 0:
        parser.error(
            f"--duration {options.duration:g}, --rate {options.rate:g}: give {_LEAST_SECONDS:g} s or more, above 0"
        )
    # A short look has few minutes to average over: the blocks become shorter, and the interval stays honest by its width.
    block_seconds = min(usual.block_seconds, options.duration / 10)
    return Settings(options.duration, options.rate, options.seed, block_seconds)


if __name__ == "__main__":
    sys.exit(main())
