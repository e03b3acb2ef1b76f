"""What a host shows of the planes on it, to be compared before and after."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import psutil

from e2e.plane import Plane
from e2e.plane.node.cgroups import hierarchies
from e2e.plane.node.configuration import KERNEL_SETTINGS

_PLANES = ("aimplane", "aim-plane-")  # in the names of whatever belongs to one
_FOLDERS = ("/run", "/var/lib", "/var/log", "/etc/cni", "/opt/cni", "/etc/cdi")
_OTHERS = ("/var/lib/apt", "/var/lib/dpkg", "/var/log/apt")  # whoever installs something meanwhile
_SETTINGS = (*KERNEL_SETTINGS, "net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet")


@dataclass(frozen=True)
class HostState:
    """A set of lines for each concern."""

    mounts: frozenset[str]
    network: frozenset[str]
    control_groups: frozenset[str]
    settings: frozenset[str]
    files: frozenset[str]

    def new_since(self, before: "HostState", own: Sequence[str]) -> dict[str, set[str]]:
        """Concern -> what was not here before; without what belongs to other planes, which `own` names are not of."""
        found = {field.name: getattr(self, field.name) - getattr(before, field.name) for field in fields(self)}
        return {name: kept for name, lines in found.items() if (kept := {line for line in lines if _counts(line, own)})}


def host_state() -> HostState:
    """Look at everything that a node might change."""
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    return HostState(
        mounts=frozenset(mounts),
        network=frozenset(_network()),
        control_groups=frozenset(str(path) for mounted in hierarchies() for path in _below(mounted, depth=9)),
        settings=frozenset(f"{name}={Path('/proc/sys', name).read_text().strip()}" for name in _SETTINGS),
        files=frozenset(str(path) for folder in _FOLDERS for path in _below(Path(folder), depth=2)),
    )


def namespaces(pid: int) -> frozenset[str]:
    """The namespaces that a process has made for itself and its children."""
    names = ("mnt", "net", "pid_for_children", "ipc", "uts")
    mine = {str(Path(f"/proc/self/ns/{name}").readlink()) for name in names}
    return frozenset({str(Path(f"/proc/{pid}/ns/{name}").readlink()) for name in names} - mine)


def processes_of(plane_folder: Path, made: frozenset[str]) -> list[str]:
    """Every process that is in one of these namespaces, or names the plane's folder on its command line."""
    found = []
    for process in psutil.process_iter():
        try:
            folders = Path(f"/proc/{process.pid}/ns").iterdir()
            inside = not made.isdisjoint(str(entry.readlink()) for entry in folders)
            command = " ".join(process.cmdline())
        except (OSError, psutil.Error):
            continue  # it has just ended
        if inside or str(plane_folder) in command:
            found.append(f"{process.pid} {command}")
    return found


def own_names(plane: Plane) -> Sequence[str]:
    """What is in the names of whatever belongs to the plane: its folder's name, which its control group has too, and
    its link.
    """
    link = next(line for line in _network() if f" {plane.server.removeprefix('https://').partition(':')[0]}/" in line)
    return plane.folder.name, f"{link.split()[1]} "


def _network() -> Iterator[str]:
    for entry in json.loads(subprocess.run(["ip", "-json", "address"], capture_output=True, check=True).stdout):
        yield f"link {entry['ifname']} "
        yield from (f"address {entry['ifname']} {a['local']}/{a['prefixlen']}" for a in entry["addr_info"])
    for entry in json.loads(subprocess.run(["ip", "-json", "route"], capture_output=True, check=True).stdout):
        yield f"route {entry['dev']} {entry['dst']}"


def _below(folder: Path, depth: int) -> Iterator[Path]:
    if depth == 0 or str(folder).startswith(_OTHERS):
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return  # it is no folder, or has just gone
    for entry in entries:
        if entry.is_dir() or "cgroup" not in str(folder):
            yield entry
        if entry.is_dir() and not entry.is_symlink():
            yield from _below(entry, depth - 1)


def _counts(line: str, own: Sequence[str]) -> bool:
    return any(name in line for name in own) or not any(mark in line for mark in _PLANES)
