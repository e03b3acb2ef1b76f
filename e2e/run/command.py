"""The command line of a run, wherever it takes place, and how its end is told."""

import argparse
import asyncio
import http.client
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from controller.agent.fault_file import load_script
from controller.agent.simulated_faults import FaultScriptError
from controller.runtime.client.errors import ApiError
from e2e.plane import PlaneError, Progress, ensure_binaries
from e2e.plane.build import Binaries
from e2e.plane.programs import Family
from e2e.prometheus.programs import ensure_prometheus
from e2e.run.errors import RunError
from e2e.run.expectation import Expectation
from e2e.run.install import ROOT
from e2e.run.screen import Screen
from e2e.run.session import Ended, Settings

_INTERRUPTED = 130


class Run(Protocol):
    """Runs it all: see `e2e.run.session.run`."""

    def __call__(
        self, settings: Settings, expectation: Expectation, binaries: Binaries, screen: Screen
    ) -> Coroutine[None, None, Ended]:
        """How it ended. Raises RunError, PlaneError, ApiError."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run takes place. `program`: its name on the command line. `expect`: what is to come of a folder of
    examples. `introduce`: what is real there, and what is not. `families`: the programs that it needs. `require` raises
    PlaneError or RunError, before anything is built, where it cannot run. `metrics`: a Prometheus can run beside.
    """

    program: str
    expect: Callable[[Path], Expectation]
    introduce: Callable[[Expectation], str]
    families: Callable[[], Sequence[Family]]
    run: Run
    require: Callable[[], None] = lambda: None
    metrics: bool = False


def main(place: Place, argv: Sequence[str] | None = None) -> int:
    """Exit code 0 when settled as expected or, without --once, after Ctrl-C; 1 otherwise; 130 interrupted once."""
    options = _parser(place).parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        place.require()
    except (PlaneError, RunError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    try:
        folder = _own_folder(options.folder)
    except OSError as error:
        sys.stderr.write(f"error: --folder {options.folder} cannot be made ({error}); name a new one\n")
        return 1
    try:
        wanted = place.expect(options.examples)
        faults = playable(options.faults, wanted)
        with Screen(once=options.once) as screen:
            screen.introduce(place.introduce(wanted), wanted)
            settings = Settings(options.once, folder, faults=faults, prometheus=place.metrics and options.prometheus)
            ended = _run(place, settings, wanted, screen)
            return _close(ended, screen, folder)
    except (FaultScriptError, PlaneError, RunError, ApiError, OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"error: {error}\n{_kept(folder)}")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.stderr.write("\nstopped\n")
        shutil.rmtree(folder, ignore_errors=True)
        return _INTERRUPTED if options.once else 0


def _run(place: Place, settings: Settings, wanted: Expectation, screen: Screen) -> Ended:
    if settings.prometheus:
        ensure_prometheus(Progress())  # where there is none that is known in seconds, and the rest takes minutes
    binaries = ensure_binaries(Progress(), families=place.families())

    async def interruptible() -> Ended:
        task = asyncio.current_task()
        assert task is not None
        # Unlike an exception out of a signal handler, a cancellation lets everything be ended in order.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await place.run(settings, wanted, binaries, screen)

    return asyncio.run(interruptible())


def playable(faults: Path | None, wanted: Expectation) -> Path | None:
    """The file of faults, once it is sure that the agents will take it. Raises FaultScriptError."""
    if faults is None:
        return None
    load_script(faults).require_nodes(wanted.modes)
    return faults.resolve()


def _own_folder(given: Path | None) -> Path:
    """A new folder: it is removed after a good end, so it must not be anybody else's. Raises OSError."""
    if given is not None:
        given.mkdir(parents=True, mode=0o700)
        return given
    runs = ROOT / "build" / "run"
    runs.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=runs))


def _close(ended: Ended, screen: Screen, folder: Path) -> int:
    for problem in ended.problems:
        sys.stderr.write(f"error: {problem}\n")
    if ended.problems:
        sys.stderr.write(_kept(folder))
    else:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stderr.flush()
    screen.result(ended.report)
    return 1 if ended.problems else 0


def _kept(folder: Path) -> str:
    """Where the logs are; a folder that nothing was written to is removed."""
    if not any(folder.iterdir()):
        folder.rmdir()
        return ""
    return f"logs of the operator and the agents: {folder}\n"


def _parser(place: Place) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {place.program}", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end when settled, with one line of JSON on stdout")
    parser.add_argument(
        "--examples", type=Path, default=ROOT / "examples", help="folder of YAML to apply (default: examples/)"
    )
    parser.add_argument("--faults", type=Path, help="JSON file with what befalls the simulated GPUs (docs/hardware.md)")
    if place.metrics:
        parser.add_argument("--prometheus", action="store_true", help="a real Prometheus beside (Debian's package)")
    parser.add_argument(
        "--folder",
        type=Path,
        help="new folder for our processes' tokens and logs, kept after a failure",
    )
    return parser
