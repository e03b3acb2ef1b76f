"""What a plane whose processes were all killed at once has left, and how the next one clears it.

A supervisor removes what is its plane's when the caller is gone, and the caller when the supervisor is. With both
killed nobody does. So each plane keeps a record beside its folder, `aim-plane-*.lock` in the folder of temporary
files: the paths that are its own, as JSON. Caller and supervisor hold a lock on it for as long as one of them lives,
which only the kernel can take from them: process ids are used again, locks are not.
"""

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from e2e.plane.node.cgroups import ROOT, hierarchies
from e2e.plane.supervisor import forget, remove

PREFIX = "aim-plane-"
"""Begins the name of every folder and control group that a plane makes for itself."""
_SUFFIX = ".lock"
_LIMIT_SECONDS = 5.0


class Record:
    """The record of a living plane, locked until it is closed; the supervisor inherits `descriptor` with the lock."""

    def __init__(self, own: Sequence[Path], folder: Path | None = None) -> None:
        """`own` are the paths that go with the plane; `folder` takes the record, else the one of temporary files."""
        place = folder or Path(tempfile.gettempdir())
        self.descriptor, name = tempfile.mkstemp(prefix=PREFIX, suffix=".new", dir=place)
        # Locked under another name first: nobody may find a record that its plane does not hold yet.
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        os.write(self.descriptor, json.dumps([str(path) for path in own]).encode())
        self.path = Path(name).with_suffix(_SUFFIX)
        Path(name).rename(self.path)
        self._own = own

    def close(self) -> None:
        """Let go. The record goes, too, unless something of the plane is still there; a second time does nothing."""
        if self.descriptor >= 0:
            forget(self.path, self._own)
            os.close(self.descriptor)
            self.descriptor = -1


def clear(folder: Path | None = None, limit_seconds: float = _LIMIT_SECONDS) -> None:
    """Remove what dead planes of this user have left, by their records in `folder` (of temporary files).

    Never waits for a plane that lives. What cannot be removed in time, for a process is still in it, keeps its record.
    """
    place = folder or Path(tempfile.gettempdir())
    deadline = time.monotonic() + limit_seconds
    for path in sorted(place.glob(f"{PREFIX}*{_SUFFIX}")):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue  # another user's, or just gone
        try:
            _clear_one(path, descriptor, deadline)
        finally:
            os.close(descriptor)


def _clear_one(path: Path, descriptor: int, deadline: float) -> None:
    if os.fstat(descriptor).st_uid != os.geteuid():
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # it lives, or another plane clears it already
    own = [one for one in _read(descriptor) if _is_a_planes(one, path.parent)]
    for one in own:
        with contextlib.suppress(OSError):
            remove(one, max(0.0, deadline - time.monotonic()))
    forget(path, own)


def _read(descriptor: int) -> list[Path]:
    """The paths of a record; none of one that is no such list."""
    with os.fdopen(os.dup(descriptor), encoding="utf-8") as file:
        try:
            told = json.load(file)
        except ValueError:
            return []
    return [Path(one) for one in told if isinstance(one, str)] if isinstance(told, list) else []


def _is_a_planes(path: Path, place: Path) -> bool:
    """Whether it is what a plane makes: a folder of its own beside the record, or a control group of its own."""
    if not path.name.startswith(PREFIX) or path.is_symlink() or ".." in path.parts:
        return False
    return path.parent == place or (path.is_relative_to(ROOT) and path.parent in hierarchies())
