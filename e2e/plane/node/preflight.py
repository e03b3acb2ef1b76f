"""Whether a real node can run here, and if not, why: asked before anything is built."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from e2e.plane.cache import cache_root
from e2e.plane.errors import NodeUnavailable, PlaneError
from e2e.plane.node import cgroups
from e2e.plane.node.packages import packages_folder
from e2e.plane.supervisor import remove

_TOOLS = ("unshare", "nsenter", "ip", "mount")
_PACKAGE_TOOLS = ("apt-get", "dpkg")
_NAMESPACES = ("--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--mount-proc", "--propagation", "private")
_LIMIT_SECONDS = 15
_TRIAL_SECONDS = 1.0
HIDDEN = (Path("/run"), Path("/var/run"), Path("/var/lib"), Path("/var/log"))
"""A node has folders of its own in these places: what the host has there it does not see."""


def why_not(environ: Mapping[str, str] = os.environ) -> str | None:
    """One sentence with the remedy, or None when nothing is in the way."""
    if not sys.platform.startswith("linux"):
        return f"a real node needs Linux, this is {sys.platform}"
    if os.geteuid() != 0:
        return "a real node needs root, for namespaces and control groups: run as root"
    wanted = _TOOLS if packages_folder(cache_root(environ)).exists() else (*_TOOLS, *_PACKAGE_TOOLS)
    missing = [tool for tool in wanted if shutil.which(tool, path=environ.get("PATH")) is None]
    if missing:
        return f"a real node needs {', '.join(missing)}: install util-linux, iproute2, and on Debian or Ubuntu apt"
    return _hidden(environ) or _forbidden()


def check(environ: Mapping[str, str] = os.environ) -> None:
    """Raise NodeUnavailable if something is in the way."""
    reason = why_not(environ)
    if reason is not None:
        raise NodeUnavailable(reason)


def _hidden(environ: Mapping[str, str]) -> str | None:
    places = {"XDG_CACHE_HOME": cache_root(environ), "TMPDIR": Path(tempfile.gettempdir())}
    for variable, place in places.items():
        if any(place.resolve().is_relative_to(folder.resolve()) for folder in HIDDEN):
            return f"a real node does not see {place}, which is below {HIDDEN}: set {variable} to another folder"
    return None


def _forbidden() -> str | None:
    """What the machine does not let us do although we are root: containers mostly may not."""
    try:
        tried = subprocess.run(
            ["unshare", *_NAMESPACES, "ip", "link", "add", "trial", "type", "veth"],
            capture_output=True,
            text=True,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
        _try_cgroups()
    except (OSError, PlaneError, subprocess.SubprocessError) as error:
        return f"a real node cannot run here: {error}"
    if tried.returncode != 0:
        return f"a real node needs namespaces and links of its own (a privileged container): {tried.stderr.strip()}"
    return None


def _try_cgroups() -> None:
    """Make a control group and remove it. Raises NodeUnavailable."""
    trial = f"aim-plane-trial-{os.getpid()}"
    try:
        cgroups.create(trial)
    finally:
        for folder in cgroups.folders(trial):
            remove(folder, _TRIAL_SECONDS)
