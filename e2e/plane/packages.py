"""Programs that come from the distribution: packages downloaded and unpacked into the cache.

Nothing is installed: apt-get downloads the packages and checks them against the signed index, `dpkg -x` unpacks them.
What they need besides must be there wherever apt is (libc, mostly), or is unpacked beside them where that is asked for.
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from e2e.plane.cache import build_lock, cache_root, this_platform
from e2e.plane.errors import BuildError, PackagesUnavailable
from e2e.plane.progress import Progress

VERSIONS = "VERSIONS"
"""A file beside what was unpacked: the name of each archive, which tells the package's version."""

_TYPICAL_SECONDS = 5
_LIMIT_SECONDS = 300
_TAIL_CHARACTERS = 2000
_C_LIBRARY = "libc6_"


@dataclass(frozen=True, slots=True)
class Packages:
    """`names` of one release of Debian or Ubuntu; `wanted` says what takes them: "a real node takes runc".

    `with_needs`: all that they depend on as well, but the C library: that must be the one of the loader in use.
    """

    names: tuple[str, ...]
    wanted: str
    with_needs: bool = False

    def folder(self, root: Path) -> Path:
        """Where they are in the cache: by release of the distribution, machine, and list of packages."""
        release = platform.freedesktop_os_release()
        name = f"{release.get('ID', 'linux')}-{release.get('VERSION_ID', 'rolling')}-{this_platform()}"
        return root / "packages" / f"{name}-{sha256(' '.join(self.names).encode()).hexdigest()[:12]}"


def ensure_unpacked(packages: Packages, progress: Progress, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that the packages are unpacked in; an instant when they are there.

    Raises PackagesUnavailable where there is no apt, BuildError when it fails, LockTimeout.
    """
    try:
        folder = packages.folder(cache_root(environ))
    except OSError:  # neither Debian nor any other Linux that tells its release
        raise _no_apt(packages, "apt-get") from None
    if folder.exists():
        return folder
    title = f"unpacking {len(packages.names)} packages of the distribution"
    with (
        progress.step(1, 1, title, _TYPICAL_SECONDS) as step,
        build_lock(folder.with_name(f"{folder.name}.lock"), waiting=step.tick),
    ):
        if not folder.exists():
            _fetch(packages, folder, progress, environ)
    return folder


def _fetch(packages: Packages, folder: Path, progress: Progress, environ: Mapping[str, str]) -> None:
    """Unpack into a neighbour and rename: an interrupted download leaves nothing that looks complete."""
    for leftover in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(leftover)
    unpacked = folder.with_name(f".{folder.name}.{os.getpid()}")
    archives = unpacked / "archives"
    archives.mkdir(parents=True)
    try:
        _download(packages, archives, progress, environ)
        found = sorted(archive for archive in archives.glob("*.deb") if not archive.name.startswith(_C_LIBRARY))
        for archive in found:
            _run(packages, ["dpkg", "-x", str(archive), str(unpacked)], archives, environ)
        (unpacked / VERSIONS).write_text("".join(f"{archive.name}\n" for archive in found), encoding="utf-8")
        shutil.rmtree(archives)
        unpacked.rename(folder)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def _download(packages: Packages, archives: Path, progress: Progress, environ: Mapping[str, str]) -> None:
    """Once more with a new index if the first try fails: small images come without any, old ones with a stale one."""
    download = _download_all(packages, archives) if packages.with_needs else _download_named(packages)
    try:
        _run(packages, download, archives, environ)
    except BuildError:
        progress.line("apt-get could not download the packages: refreshing its index")
        _run(packages, ["apt-get", "update", "--quiet"], archives, environ)
        _run(packages, download, archives, environ)


def _download_named(packages: Packages) -> list[str]:
    return ["apt-get", "download", "--quiet", *packages.names]


def _download_all(packages: Packages, archives: Path) -> list[str]:
    """As onto a system where nothing is installed: so it is the same set wherever the distribution is the same."""
    nothing_installed = archives / "status"
    nothing_installed.touch()
    (archives / "partial").mkdir(exist_ok=True)
    settings = {
        "Dir::State::status": str(nothing_installed),
        "Dir::Cache::archives": str(archives),
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "root",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    return [
        "apt-get",
        "install",
        "--download-only",
        "--yes",
        "--quiet",
        "--no-install-recommends",
        *options,
        *packages.names,
    ]


def _no_apt(packages: Packages, program: str) -> PackagesUnavailable:
    return PackagesUnavailable(f"{program} is not here: {packages.wanted} from Debian or Ubuntu")


def _run(packages: Packages, command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
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
        raise _no_apt(packages, command[0]) from None
    except subprocess.TimeoutExpired:
        raise BuildError(
            f"{' '.join(command)} did not end within {_LIMIT_SECONDS} s: is the mirror reachable?"
        ) from None
    if done.returncode != 0:
        raise BuildError(
            f"{' '.join(command)} ended with {done.returncode}: check the sources of apt and the network.\n"
            f"{done.stderr.strip()[-_TAIL_CHARACTERS:]}"
        )
