"""Programs of a real node that are C and come from the distribution: downloaded and unpacked into the cache.

Nothing is installed: `apt-get download` takes the packages and checks them against the signed index, `dpkg -x` unpacks
them. What they need besides (libc, libseccomp) is there wherever apt is.
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from e2e.plane.cache import build_lock, cache_root, this_platform
from e2e.plane.errors import BuildError, NodeUnavailable
from e2e.plane.progress import Progress

PACKAGES = (
    "runc",
    "containernetworking-plugins",
    "busybox-static",
    # kube-proxy's, with the libraries that a small system lacks
    "nftables",
    "libnftables1",
    "libnftnl11",
    "libmnl0",
    "libxtables12",
    "libjansson4",
    "libgmp10",
    "libedit2",
    "libbsd0",
    "libmd0",
)
_TYPICAL_SECONDS = 5
_LIMIT_SECONDS = 300
_TAIL_CHARACTERS = 2000


def ensure_packages(progress: Progress | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that the packages are unpacked in; an instant when they are there.

    Raises NodeUnavailable where there is no apt, and BuildError when it fails.
    """
    progress = progress or Progress()
    folder = packages_folder(cache_root(environ))
    if folder.exists():
        return folder
    with (
        progress.step(1, 1, f"unpacking {len(PACKAGES)} packages of the distribution", _TYPICAL_SECONDS) as step,
        build_lock(folder.with_name(f"{folder.name}.lock"), waiting=step.tick),
    ):
        if not folder.exists():
            _fetch(folder, progress, environ)
    return folder


def packages_folder(root: Path) -> Path:
    """Where they are in the cache: by release of the distribution, machine, and list of packages."""
    release = platform.freedesktop_os_release()
    name = f"{release.get('ID', 'linux')}-{release.get('VERSION_ID', 'rolling')}-{this_platform()}"
    return root / "packages" / f"{name}-{sha256(' '.join(PACKAGES).encode()).hexdigest()[:12]}"


def _fetch(folder: Path, progress: Progress, environ: Mapping[str, str]) -> None:
    """Unpack into a neighbour and rename: an interrupted download leaves nothing that looks complete."""
    for leftover in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(leftover)
    unpacked = folder.with_name(f".{folder.name}.{os.getpid()}")
    archives = unpacked / "archives"
    archives.mkdir(parents=True)
    try:
        _download(archives, progress, environ)
        for archive in sorted(archives.glob("*.deb")):
            _run(["dpkg", "-x", str(archive), str(unpacked)], archives, environ)
        shutil.rmtree(archives)
        unpacked.rename(folder)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def _download(archives: Path, progress: Progress, environ: Mapping[str, str]) -> None:
    """Once more with a new index if the first try fails: small images come without any, old ones with a stale one."""
    download = ["apt-get", "download", "--quiet", *PACKAGES]
    try:
        _run(download, archives, environ)
    except BuildError:
        progress.line("apt-get could not download the packages: refreshing its index")
        _run(["apt-get", "update", "--quiet"], archives, environ)
        _run(download, archives, environ)


def _run(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise NodeUnavailable(
            f"{command[0]} is not here: a real node takes {', '.join(PACKAGES[:3])} from Debian or Ubuntu"
        ) from None
    except subprocess.TimeoutExpired:
        raise BuildError(
            f"{' '.join(command)} did not end within {_LIMIT_SECONDS} s: is the mirror reachable?"
        ) from None
    if done.returncode != 0:
        raise BuildError(
            f"{' '.join(command)} ended with {done.returncode}: check the sources of apt and the network.\n"
            f"{done.stderr.strip()[-_TAIL_CHARACTERS:]}"
        )
