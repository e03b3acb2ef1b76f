"""The whole build: the Dockerfile in, an archive in the cache out, in a mount namespace with a tmpfs to work on.

The work is a process of its own below `unshare`: roots and mounts are in its namespace alone and go with it, however
it, or whoever called, ends.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from e2e.image.chroot import NAMESPACES
from e2e.image.debian import missing_programs
from e2e.image.errors import ImageError, PrerequisiteMissing
from e2e.plane import Progress
from e2e.plane.cache import build_lock, cache_root
from e2e.plane.supervisor import end_with_parent

ROOT = Path(__file__).parents[2]
IMAGE = "localhost/aim-gpu-sharing:dev"
"""The name that manifests ask for; there is no registry behind it."""


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """`archive`: an OCI layout in a tar file, for `ctr images import`. `size`: bytes of its layers, not compressed."""

    name: str
    digest: str
    archive: Path
    size: int


def build_image(progress: Progress, *, source: Path = ROOT, name: str = IMAGE, cache: Path | None = None) -> BuiltImage:
    """The image of the Dockerfile in `source`; only what has changed is made anew. Raises ImageError, LockTimeout."""
    require_builder()
    folder = (cache or cache_root() / "image").resolve()
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    with build_lock(folder / "lock", waiting=progress.show):
        mounted = 'mount -n -t tmpfs -o mode=755,size=8g work "$1"; export TMPDIR="$1"; shift; exec "$@"'
        inside = [sys.executable, "-m", "e2e.image.inside", str(source), name, str(folder)]
        process = subprocess.Popen(
            [*NAMESPACES, "--mount-proc", "sh", "-euc", mounted, "sh", str(work), *inside],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=end_with_parent(),  # noqa: PLW1509 - one system call; kill -9 runs no handler of ours
        )
        try:
            told, _ = process.communicate()
        finally:
            process.kill()
            process.wait()
    return _answer(told)


def require_builder() -> None:
    """Raise PrerequisiteMissing, with the remedy, where an image cannot be built."""
    if not sys.platform.startswith("linux"):
        raise PrerequisiteMissing(f"this is {sys.platform}: build the image on Linux, or with a Docker engine")
    if os.geteuid() != 0:
        raise PrerequisiteMissing("not root: other roots and mount namespaces need it; use sudo, or a Docker engine")
    if missing := missing_programs():
        raise PrerequisiteMissing(
            f"{', '.join(missing)} not on PATH: the image is made of Debian's packages: use Debian"
        )


def _answer(told: str) -> BuiltImage:
    try:
        answer = json.loads(told)
    except ValueError:
        raise ImageError(f"the build ended without a result; it said: {told.strip() or 'nothing'}") from None
    if "error" in answer:
        raise ImageError(answer["error"])
    return BuiltImage(answer["name"], answer["digest"], Path(answer["archive"]), answer["size"])
