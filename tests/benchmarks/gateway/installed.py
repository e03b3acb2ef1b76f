"""The peers' programs: Debian's wrk and haproxy, and routers from PyPI in environments of their own, kept in the cache."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from e2e.plane.cache import build_lock, cache_root
from e2e.plane.errors import PlaneError
from e2e.plane.progress import Progress

REQUIREMENTS: Final = Path(__file__).with_name("peers")
_INSTALL_LIMIT_SECONDS: Final = 600
_USUAL_SECONDS: Final = 15
_TAIL: Final = 800


def debian(progress: Progress) -> None:
    """wrk and haproxy on PATH, installed where this is root on Debian. Raises PlaneError with the remedy."""
    missing = [name for name in ("wrk", "haproxy") if shutil.which(name) is None]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise PlaneError(f"no {' and no '.join(missing)} on PATH: install them (Debian: apt-get install wrk haproxy)")
    with progress.step(1, 1, f"installing {' and '.join(missing)} of Debian", _USUAL_SECONDS):
        _run(["apt-get", "update", "--quiet"])
        _run(["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *missing])


def python_peer(name: str, progress: Progress) -> Path:
    """The folder of the peer's commands; installed first where it is missing, as `peers/NAME.txt` pins it.

    Raises PlaneError when that fails.
    """
    pinned = REQUIREMENTS / f"{name}.txt"
    digest = hashlib.sha256(pinned.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache_root() / name / f"{version_of(pinned, name)}-{digest}"
    done = folder / ".installed"
    with build_lock(cache_root() / name / "lock", waiting=progress.show):
        if not done.exists():
            with progress.step(1, 1, f"installing the peer {name} {version_of(pinned, name)}", _USUAL_SECONDS):
                shutil.rmtree(folder, ignore_errors=True)
                _run([_uv(), "venv", "--quiet", f"--python={sys.executable}", str(folder)])
                _run([_uv(), "pip", "install", "--quiet", f"--python={folder}", f"--requirement={pinned}"])
                done.touch()
    return folder / "bin"


def version_of(pinned: Path, name: str) -> str:
    """The version that a file of requirements pins a package to. Raises ValueError when it does not."""
    for line in pinned.read_text(encoding="utf-8").splitlines():
        package, _, version = line.partition("==")
        if package.partition("[")[0] == name:
            return version
    raise ValueError(f"{pinned.name}: pins no {name}; write {name}==VERSION")


def _uv() -> str:
    found = os.environ.get("UV") or shutil.which("uv")
    if found is None:
        raise PlaneError(
            "no uv to install peers with: run `make bench`, set UV, or leave them out (DATA='peers=haproxy')"
        )
    return found


def _run(argv: list[str]) -> None:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=_INSTALL_LIMIT_SECONDS, check=False, env=environ
    )
    if done.returncode != 0:
        raise PlaneError(f"{' '.join(argv[:3])} failed: {done.stderr.strip()[-_TAIL:]}")
