"""The programs that are compared, and how the peers among them are built: only when they are measured."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from e2e.plane.build import Target, build
from e2e.plane.cache import cache_root, program_path
from e2e.plane.errors import PlaneError
from e2e.plane.go_toolchain import find_go
from e2e.plane.programs import Family
from e2e.plane.programs import Program as GoProgram
from e2e.plane.progress import Progress, Step
from tests.benchmarks.controller.contender import Program
from tests.benchmarks.controller.settings import CONTROLLER_RUNTIME, KOPF

OURS = "ours"
PEERS_FOLDER = Path(__file__).with_name("peers")
ROOT = Path(__file__).parents[3]
FAMILY = Family(CONTROLLER_RUNTIME, "0.25.2", (GoProgram("bench-controller-runtime", ".", 90),), parent=PEERS_FOLDER)
_KOPF_ENVIRONMENT = ROOT / "build" / "bench" / "kopf"
_KOPF_SECONDS = 10
_INSTALL_LIMIT_SECONDS = 600


def ours() -> Program:
    """The program on our runtime, run by the interpreter that runs the harness."""
    module = "tests.benchmarks.controller.ours"
    return Program(OURS, (sys.executable, "-m", module), {"PYTHONPATH": str(ROOT)})


def peers(names: Sequence[str], progress: Progress) -> list[Program]:
    """The peers, built or installed first where they are missing. Raises PlaneError when that fails."""
    return [_controller_runtime(progress) if name == CONTROLLER_RUNTIME else _kopf(progress) for name in names]


def _controller_runtime(progress: Progress) -> Program:
    root = cache_root()
    program = FAMILY.programs[0]
    target = Target(FAMILY, program, program_path(root, FAMILY, program))
    if not target.path.exists():
        title = f"building the peer {FAMILY.name} {FAMILY.version}"
        with progress.step(1, 1, title, program.typical_seconds) as step:
            build(target, find_go(root, progress), step)
    return Program(CONTROLLER_RUNTIME, (str(target.path),), {})


def _kopf(progress: Progress) -> Program:
    with progress.step(1, 1, "installing the peer kopf, locked", _KOPF_SECONDS) as step:
        _sync(step)
    interpreter = _KOPF_ENVIRONMENT / "bin" / "python"
    return Program(KOPF, (str(interpreter), str(PEERS_FOLDER / "kopf_operator.py")), {})


def _sync(step: Step) -> None:
    """An environment of the lock file's group `bench` beside the project's own, which keeps what it has."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise PlaneError("no uv to install kopf with: run `make bench`, set UV, or leave kopf out (DATA='peers=...')")
    options = ["--locked", "--quiet", "--no-default-groups", "--group=bench", "--no-install-project"]
    step.tick()
    done = subprocess.run(
        [uv, "sync", f"--python={sys.executable}", *options],
        cwd=ROOT,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(_KOPF_ENVIRONMENT)},
        capture_output=True,
        text=True,
        timeout=_INSTALL_LIMIT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise PlaneError(f"kopf did not install: {done.stderr.strip()[-800:]}")
