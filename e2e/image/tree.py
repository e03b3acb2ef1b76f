"""What changed below a root, and layers made of it: tar archives that depend on nothing but names and contents."""

import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from e2e.image.errors import StepFailed

# The kubelet's own in every container, and the build machine's while a step runs.
NOT_OURS = frozenset({"etc/resolv.conf", "etc/hosts", "etc/hostname"})
_MOUNTED = ("dev", "proc", "sys", "run")
_WHITEOUT = ".wh."


@dataclass(frozen=True, slots=True)
class Entry:
    """What tells that a path has changed. Folders change with what they are, not with what is in them."""

    mode: int
    owner: tuple[int, int]
    content: tuple[int, int, int] | str | None = None
    """Size, mtime and ctime of a file in nanoseconds, or where a link leads."""


Tree = Mapping[str, Entry]


def scan(root: Path) -> Tree:
    """Every path below `root`, relative to it, but for what is mounted there."""
    found: dict[str, Entry] = {}
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if path in NOT_OURS:
                    continue
                found[path] = _entry(entry)
                if entry.is_dir(follow_symlinks=False) and path not in _MOUNTED:
                    pending.append(path)
    return found


def _entry(entry: os.DirEntry[str]) -> Entry:
    status = entry.stat(follow_symlinks=False)
    content: tuple[int, int, int] | str | None = None
    if stat.S_ISLNK(status.st_mode):
        content = str(Path(entry.path).readlink())
    elif stat.S_ISREG(status.st_mode):
        content = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return Entry(status.st_mode, (status.st_uid, status.st_gid), content)


@dataclass(frozen=True, slots=True)
class Difference:
    """`written`: new or changed paths; `removed`: the topmost of those that went. Both sorted."""

    written: tuple[str, ...]
    removed: tuple[str, ...]


def difference(before: Tree, after: Tree) -> Difference:
    """What a step did."""
    gone = before.keys() - after.keys()
    return Difference(
        tuple(sorted(path for path, entry in after.items() if before.get(path) != entry)),
        tuple(sorted(path for path in gone if path.rpartition("/")[0] not in gone)),
    )


def write_layer(root: Path, change: Difference, target: Path, newest: int) -> None:
    """A layer with what changed, as a tar archive. Times after `newest` (seconds) become that.

    The files on disk get these times as well, so that a later step sees what it would see in a layer unpacked anew.
    """
    linked: dict[tuple[int, int], str] = {}
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in change.removed:
            folder, _, name = path.rpartition("/")
            whiteout = tarfile.TarInfo(f"{folder}/{_WHITEOUT}{name}".lstrip("/"))
            whiteout.mtime = newest
            archive.addfile(whiteout)
        for path in _with_folders(change.written):
            _add(archive, root, path, newest, linked)


def _with_folders(paths: Iterable[str]) -> list[str]:
    """The paths and the folders above them: an unpacker would make those up with a mode of its own."""
    found = set(paths)
    for path in paths:
        found.update(map(str, list(PurePosixPath(path).parents)[:-1]))
    return sorted(found)


def _add(archive: tarfile.TarFile, root: Path, path: str, newest: int, linked: dict[tuple[int, int], str]) -> None:
    file = root / path
    status = file.lstat()
    if stat.S_ISSOCK(status.st_mode):
        return
    time = min(int(status.st_mtime), newest)
    os.utime(file, (time, time), follow_symlinks=False)
    info = archive.gettarinfo(str(file), arcname=path)
    # tarfile remembers links by itself, in the order of its own calls and over removed files: ours is by name
    info.type, info.linkname = (info.type, info.linkname) if info.issym() else (_kind(status), "")
    info.uname = info.gname = ""
    info.mtime = time
    if not stat.S_ISREG(status.st_mode):
        archive.addfile(info)
        return
    first = linked.setdefault((status.st_dev, status.st_ino), path)
    if first != path:
        info.type, info.linkname, info.size = tarfile.LNKTYPE, first, 0
        archive.addfile(info)
        return
    info.size = status.st_size
    with file.open("rb") as content:
        archive.addfile(info, content)


def _kind(status: os.stat_result) -> bytes:
    kinds = (
        (stat.S_ISDIR, tarfile.DIRTYPE),
        (stat.S_ISCHR, tarfile.CHRTYPE),
        (stat.S_ISBLK, tarfile.BLKTYPE),
        (stat.S_ISFIFO, tarfile.FIFOTYPE),
    )
    return next((kind for is_kind, kind in kinds if is_kind(status.st_mode)), tarfile.REGTYPE)


def removed_by(layer: Path) -> list[str]:
    """The paths that a layer takes away from those below it."""
    with tarfile.open(layer) as archive:
        split = [name.rpartition("/") for name in archive.getnames()]
    marks = [(folder, slash, name) for folder, slash, name in split if name.startswith(_WHITEOUT)]
    return [f"{folder}{slash}{name.removeprefix(_WHITEOUT)}" for folder, slash, name in marks]


def unpack_layer(archive: Path, root: Path) -> None:
    """Put a layer onto those that are in the folder `root` already. Raises StepFailed."""
    for path in removed_by(archive):
        gone = root / path
        if gone.is_dir() and not gone.is_symlink():
            shutil.rmtree(gone)
        else:
            gone.unlink(missing_ok=True)
    options = ("--extract", "--preserve-permissions", "--numeric-owner", f"--exclude={_WHITEOUT}*")
    done = subprocess.run(["tar", *options, "-f", archive, "-C", root], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StepFailed(f"{archive} does not unpack: {done.stderr.strip()[-500:]}")
