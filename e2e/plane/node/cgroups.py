"""The control groups of a plane's real nodes: a tree of their own, beside what the machine has."""

from collections.abc import Sequence
from pathlib import Path

from e2e.plane.errors import NodeUnavailable

ROOT = Path("/sys/fs/cgroup")
_MOUNTS = Path("/proc/self/mounts")


def version(mounts: str | None = None) -> int:
    """1 or 2. Raises NodeUnavailable when neither is mounted where kubelet looks."""
    text = _MOUNTS.read_text(encoding="utf-8") if mounts is None else mounts
    kinds = {fields[1]: fields[2] for fields in (line.split() for line in text.splitlines())}
    if kinds.get(str(ROOT)) == "cgroup2":
        return 2
    if "cgroup" in kinds.values():
        return 1
    raise NodeUnavailable(f"no control groups are mounted at {ROOT}")


def hierarchies(mounts: str | None = None) -> Sequence[Path]:
    """Where each hierarchy is mounted: one for cgroup v2, one a controller for v1."""
    text = _MOUNTS.read_text(encoding="utf-8") if mounts is None else mounts
    lines = [line.split() for line in text.splitlines()]
    return sorted({Path(fields[1]) for fields in lines if fields[2] in {"cgroup", "cgroup2"}})


def create(name: str) -> None:
    """Make the group in every hierarchy, usable by kubelet. Parents are made, too. Raises NodeUnavailable."""
    for hierarchy in hierarchies():
        group = hierarchy
        for part in Path(name).parts:
            group /= part
            try:
                group.mkdir(exist_ok=True)
                _inherit(group)
            except OSError as error:
                raise NodeUnavailable(f"no control group of its own for a node, {group}: {error}") from error


def _inherit(group: Path) -> None:
    """A new cpuset of v1 is empty, and a new group of v2 has the controllers that its parent hands down."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        if (group / file).exists() and not (group / "cgroup.controllers").exists():
            (group / file).write_text((group.parent / file).read_text(encoding="ascii"), encoding="ascii")
    handed_down = group.parent / "cgroup.subtree_control"
    if version() == 2 and handed_down.exists():
        available = set((group.parent / "cgroup.controllers").read_text(encoding="ascii").split())
        missing = available - set(handed_down.read_text(encoding="ascii").split())
        if missing:
            handed_down.write_text(" ".join(f"+{name}" for name in sorted(missing)), encoding="ascii")


def folders(name: str) -> Sequence[Path]:
    """The group in every hierarchy, whether or not it exists."""
    return [hierarchy / name for hierarchy in hierarchies()]
