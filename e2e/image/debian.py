"""The base image made anew: a Debian release's required packages and apt, as Debian's own slim images have them.

mmdebstrap does it, a program of Debian's that is downloaded and unpacked, not installed. Given one date it writes the
same bytes each time, as long as the release's packages are the same.
"""

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from e2e.image.chroot import run
from e2e.image.errors import DockerfileError

_SLIM = re.compile(r"debian:([a-z]+)-slim(?:@sha256:[0-9a-f]{64})?")
# What Debian leaves out of its slim images, copyright notices excepted.
_SLIM_OPTIONS = (
    *("path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright", "path-exclude=/usr/share/info/*"),
    *("path-exclude=/usr/share/locale/*", "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/groff/*"),
)
_NEEDED = ("apt-get", "dpkg", "perl", "tar", "unshare", "chroot")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing_programs() -> list[str]:
    """The programs of Debian's that are needed and not here."""
    return [program for program in _NEEDED if shutil.which(program, path=_PATH) is None]


def release_of(image: str, line: int) -> str:
    """The Debian release that an image name stands for, such as "bookworm". Raises DockerfileError for another."""
    match = _SLIM.fullmatch(image)
    if match is None:
        raise DockerfileError(
            line, f"FROM {image}: only debian:RELEASE-slim and names of earlier stages can be made without a registry"
        )
    return match[1]


def make_base(release: str, root: Path, epoch: int, tick: Callable[[str], None]) -> None:
    """Fill the new folder `root`. Raises StepFailed."""
    with tempfile.TemporaryDirectory(prefix="aim-image-") as folder:
        environ = {"PATH": f"{folder}/usr/bin:{_PATH}", "HOME": folder, "TMPDIR": folder, "LC_ALL": "C.UTF-8"}
        run(["sh", "-euc", f"cd {folder}; apt-get download mmdebstrap; dpkg -x mmdebstrap_*.deb ."], environ, tick)
        options = [f"--dpkgopt={option}" for option in _SLIM_OPTIONS]
        words = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", *options, release, str(root)]
        run(words, {**environ, "SOURCE_DATE_EPOCH": str(epoch)}, tick)
    # devices are the runtime's; whose apt's folders are depends on where this was made, and apt makes them again
    for folder in ("dev", "var/lib/apt/lists", "var/cache/apt"):
        shutil.rmtree(root / folder)
        (root / folder).mkdir()
