"""`python -m tests.benchmarks [NAME] [--data WORDS]`: run benchmarks, write build/bench/NAME.json, print a table.

Exit code 0 when it ran, also on a missed target; 1 when it could not; 2 for bad input; 130 for Ctrl-C.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

import uvloop

from e2e.plane.errors import PlaneError
from e2e.plane.progress import Progress
from tests.benchmarks.binding import benchmark as binding
from tests.benchmarks.controller.benchmark import NAME as CONTROLLER
from tests.benchmarks.controller.benchmark import Benchmark
from tests.benchmarks.controller.contender import ContenderError
from tests.benchmarks.controller.settings import SettingsError, settings_of
from tests.benchmarks.gateway import benchmark as gateway
from tests.benchmarks.packing import benchmark as packing
from tests.benchmarks.placement import benchmark as placement
from tests.benchmarks.report import Report, table, write
from tests.benchmarks.scale import benchmark as scale
from tests.benchmarks.sizing import benchmark as sizing
from tests.benchmarks.telemetry import benchmark as telemetry

_BAD_INPUT = 2
_INTERRUPTED = 130


def _controller(data: str, progress: Progress) -> Report:
    return uvloop.run(Benchmark(settings_of(data), progress).run())


def _sizing(data: str, progress: Progress) -> Report:
    progress.show("sizing", data or "the bundled observations")
    return sizing.run(data)


def _placement(data: str, progress: Progress) -> Report:
    return placement.run(progress, data)


def _binding(data: str, progress: Progress) -> Report:
    progress.show("binding", data or "100 simulated nodes, 1,000 pods: some minutes")
    return binding.run(data)


BENCHMARKS: Mapping[str, Callable[[str, Progress], Report]] = {
    CONTROLLER: _controller,
    sizing.NAME: _sizing,
    placement.NAME: _placement,
    packing.NAME: packing.run,
    binding.NAME: _binding,
    scale.NAME: scale.run,
    gateway.NAME: gateway.run,
    telemetry.NAME: telemetry.run,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the named benchmark, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(BENCHMARKS), help="which one (default: all)")
    parser.add_argument("--data", default="", help='settings, as in "runs=1 sizes=1000"; of sizing: a file')
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for name in [options.name] if options.name else BENCHMARKS:
            # words for one benchmark mean nothing to another: without a name they are for the first
            given = options.data if options.name or name == CONTROLLER else ""
            report = BENCHMARKS[name](given, Progress())
            path = write(report)
            sys.stdout.write(f"{table(report)}\n{path}\n")
    except SettingsError as error:
        sys.stderr.write(f"error: {error}\n")
        return _BAD_INPUT
    except (PlaneError, ContenderError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return _INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
