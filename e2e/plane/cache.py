"""Where built programs are kept, and how two builds keep out of each other's way.

A program lives at `<root>/<family>/<version-key>/<name>`. The key changes with everything that changes the binary,
so a file that is there is right; nothing is ever rebuilt in place.
"""

import fcntl
import hashlib
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from e2e.plane.errors import LockTimeout
from e2e.plane.programs import Family, Manifests, Program

LOCK_LIMIT_SECONDS = 1800.0
_POLL_SECONDS = 0.2


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """`${XDG_CACHE_HOME:-~/.cache}/aim-gpu-sharing`. A relative XDG_CACHE_HOME is ignored, as specified."""
    configured = environ.get("XDG_CACHE_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path.home() / ".cache"
    return base / "aim-gpu-sharing"


def this_platform() -> str:
    """Operating system and machine, such as "linux-x86_64"."""
    return f"{platform.system()}-{platform.machine()}".lower()


def version_key(family: Family, on: str | None = None) -> str:
    """The version and twelve hex digits over all that shapes the binary: dependencies, source, flags, platform;
    and which files of the dependencies are copied.
    """
    digest = hashlib.sha256()
    module = family.module
    for path in (module / "go.mod", module / "go.sum", *sorted(module.glob("*.go"))):
        digest.update(path.read_bytes() + b"\0")
    packages = " ".join(program.package for program in family.programs)
    copied = " ".join(family.manifests.files) if family.manifests else None
    tags = ",".join(family.tags)
    for text in filter(None, (family.ldflags, packages, on or this_platform(), copied, tags)):
        digest.update(text.encode() + b"\0")
    return f"{family.version}-{digest.hexdigest()[:12]}"


def program_path(root: Path, family: Family, product: Program | Manifests) -> Path:
    """Where the program, or the file of manifests, is once it is built."""
    return root / family.name / version_key(family) / product.name


@contextmanager
def build_lock(
    path: Path,
    *,
    limit_seconds: float = LOCK_LIMIT_SECONDS,
    waiting: Callable[[str], None] = lambda _: None,
) -> Iterator[None]:
    """Hold the file's advisory lock; `waiting` is called with a sentence several times a second while another has it.

    The kernel drops the lock with its holder, however that ends, so no stale lock can remain. Raises LockTimeout.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + limit_seconds
    with path.open("a+", encoding="utf-8") as file:
        while not _try_lock(file.fileno()):
            file.seek(0)
            holder = f"process {file.read().strip() or 'unknown'}"
            if time.monotonic() >= deadline:
                raise LockTimeout(
                    f"{path} is held by {holder} for more than {limit_seconds:.0f} s: wait for that build, or end it"
                )
            waiting(f"waiting for another build ({holder})")
            time.sleep(_POLL_SECONDS)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
