"""One real node of a running plane, as tests use it: where its files are, how to run something on it."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from e2e.plane.errors import PlaneError
from e2e.plane.node import enter
from e2e.plane.node.configuration import CONTAINERD_SOCKET

_IMPORT_SECONDS = 120
OWN_FOLDERS = {"/run": "run", "/var/lib": "lib", "/var/log": "log"}
"""Where a node has folders of its own, and which folder of its is there."""


@dataclass(frozen=True, slots=True)
class RealNode:
    """`folder` is the node's part of the plane's folder, `address` its InternalIP.

    The names of its processes among the plane's components: `name` itself (the namespaces: to kill it is to pull the
    plug), `containerd`, `kubelet` and `kube_proxy`.
    """

    name: str
    index: int
    folder: Path
    address: str
    ctr: Path

    @property
    def maker_file(self) -> Path:
        """Tells the process, as the host counts them, that made the node's namespaces."""
        return self.folder / "maker"

    @property
    def ready_file(self) -> Path:
        """Is there once the node has its namespaces."""
        return self.folder / "ready"

    @property
    def containerd(self) -> str:
        """The component's name."""
        return f"{self.name}-containerd"

    @property
    def kubelet(self) -> str:
        """The component's name."""
        return f"{self.name}-kubelet"

    @property
    def kube_proxy(self) -> str:
        """The component's name."""
        return f"{self.name}-kube-proxy"

    def on_host(self, path: str) -> Path:
        """Where the host finds what the node sees at `path`; sockets work from either side.

        Only what the node has of its own is somewhere else: /run, /var/run, /var/lib, /var/log.
        """
        path = path.replace("/var/run", "/run", 1) if path.startswith("/var/run") else path
        for own, folder in OWN_FOLDERS.items():
            if Path(path).is_relative_to(own):
                return self.folder / folder / Path(path).relative_to(own)
        return Path(path)

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs a program on the node, as root and outside of any container, from the host.

        The program ends with the process that is started.
        """
        return [sys.executable, "-I", "-S", enter.__file__, str(self.maker_file), *arguments]

    def import_images(self, archive: Path) -> None:
        """Let pods of the node use the images of a tar file (an OCI layout). Raises PlaneError."""
        socket = self.on_host(CONTAINERD_SOCKET)
        command = [str(self.ctr), f"--address={socket}", "--namespace=k8s.io", "images", "import", str(archive)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_IMPORT_SECONDS, check=False)
        if done.returncode != 0:
            raise PlaneError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
