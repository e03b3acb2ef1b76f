"""A plane's real nodes: their network, and the order in which their processes start.

Everything runs under the plane's supervisor. A node is one process that holds namespaces (`init.py`) and others that
are started into them (`enter.py`); with the first all end.
"""

import os
import shutil
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from e2e.plane.admin import Admin
from e2e.plane.components import APISERVER, KWOK, Site
from e2e.plane.credentials import Credentials
from e2e.plane.errors import NodeUnavailable
from e2e.plane.node import cgroups
from e2e.plane.node.commands import KUBE_PROXY_USER, Command, Programs, commands, node_user, write_files
from e2e.plane.node.configuration import CONTAINERD_SOCKET
from e2e.plane.node.images import small_images, write_images
from e2e.plane.node.network import MOST_NODES, Subnet, connect_host, connect_node, disconnected
from e2e.plane.node.real_node import RealNode
from e2e.plane.node_conditions import schedulable
from e2e.plane.programs import NODE_FAMILIES
from e2e.plane.supervisor import remove

NETWORK = "network"
_LONGEST_SOCKET = 107  # bytes that the path of a unix socket may have
_KUBELET_PORT = 10250
_CONNECT_SECONDS = 1.0
_END_SECONDS = 20.0
_POLL_SECONDS = 0.01
DNS_MANIFEST = Path(__file__).parent.parent / "manifests" / "coredns.yaml"
_NODES = "/api/v1/nodes"


class Host(Protocol):
    """What a plane does for its nodes."""

    def launch(self, component: str) -> int:
        """Start a component and give its process id."""

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Block until the condition holds. Raises PlaneError."""


class RealNodes:
    """The real nodes of one plane, named real-1, real-2 and so on. All methods raise PlaneError."""

    def __init__(self, count: int, folder: Path, programs: Programs) -> None:
        """`folder` is the plane's."""
        missing = {program.name for family in NODE_FAMILIES for program in family.programs} - programs.built.keys()
        if missing:
            raise NodeUnavailable(f"real_nodes={count} without {', '.join(sorted(missing))}: build NODE_FAMILIES, too")
        if not 1 <= count <= MOST_NODES:
            raise NodeUnavailable(f"real_nodes={count}: 1 to {MOST_NODES} are possible")
        self._folder = folder
        self._programs = programs
        self._names = [f"real-{index}" for index in range(1, count + 1)]
        self._cgroup = f"aim-plane-{os.getpid()}-{folder.name}"
        self._network_maker = 0
        self._subnet: Subnet | None = None
        self.nodes: Sequence[RealNode] = ()

    # What the plane asks before anything starts ---------------------------------------------------------------------

    @property
    def cgroup_folders(self) -> Sequence[Path]:
        """What is to be removed when all processes have ended."""
        return cgroups.folders(self._cgroup)

    @property
    def users(self) -> Mapping[str, tuple[str, ...]]:
        """Their users on the API server, with groups; the rest is Kubernetes' own authorisation of nodes."""
        return {KUBE_PROXY_USER: ()} | {node_user(name): ("system:nodes",) for name in self._names}

    def connect(self, host: Host) -> str:
        """Make the network; gives the host's address on it."""
        self._network_maker = host.launch(NETWORK)
        self._subnet = connect_host(self._network_maker)
        self.nodes = tuple(
            RealNode(name, index, self._folder / name, self._subnet.node(index), self._programs.built["ctr"])
            for index, name in enumerate(self._names, start=1)
        )
        if len(os.fsencode(self.nodes[0].on_host(CONTAINERD_SOCKET))) > _LONGEST_SOCKET:
            raise NodeUnavailable(f"folder {self._folder} is too long for sockets in it: name a shorter one")
        return self._subnet.host

    def prepare(self, site: Site) -> Mapping[str, Command]:
        """Write what the processes read, and give their commands by component."""
        assert self._subnet is not None
        busybox = self._programs.packaged("bin/busybox", "usr/bin/busybox")
        write_images(self._images, small_images(busybox.read_bytes(), self._programs.built["coredns"].read_bytes()))
        prepared: dict[str, Command] = {}
        for node in self.nodes:
            write_files(node, self._subnet, site, self._programs, f"{self._cgroup}/{node.name}")
            prepared |= commands(node, site, self._programs)
        return prepared

    # Life -----------------------------------------------------------------------------------------------------------

    def start(self, component: str, host: Host) -> bool:
        """Start what was ended before, and wait until it answers if it can; False when it is no part of a node.

        The component of a node's own name is all of the node, which boots.
        """
        node = next((one for one in self.nodes if component in {one.name, one.containerd, one.kubelet}), None)
        if node is None:
            return False
        if component == node.name:
            self.power_on(node, host)
            self.join(node, host)
            return True
        host.launch(component)
        if component == node.containerd:
            # kubelet ends when it finds no runtime at its start; a cluster's service manager would try again
            host.wait_until(lambda: answers(node.on_host(CONTAINERD_SOCKET)), f"{component} answers")
        else:
            host.wait_until(lambda: listens(node.address, _KUBELET_PORT), f"{component} listens")
        return True

    def power_on(self, node: RealNode, host: Host) -> None:
        """Start a node's namespaces and containerd in them. What was in memory before is gone."""
        assert self._subnet is not None
        node.ready_file.unlink(missing_ok=True)
        run = node.on_host("/run")
        shutil.rmtree(run)
        run.mkdir()
        group = f"{self._cgroup}/{node.name}"
        for folder in cgroups.folders(group):
            remove(folder)  # kubelet would look long for the containers of an earlier life
        cgroups.create(group)
        maker = host.launch(node.name)
        node.maker_file.write_text(str(maker), encoding="ascii")
        host.wait_until(node.ready_file.exists, f"{node.name} has its namespaces")
        connect_node(self._subnet, node.index, self._network_maker, maker)
        host.launch(node.containerd)

    def join(self, node: RealNode, host: Host) -> None:
        """Start what needs the API server, once containerd answers and has the small images."""
        host.wait_until(lambda: answers(node.on_host(CONTAINERD_SOCKET)), f"{node.containerd} answers")
        node.import_images(self._images)
        host.launch(node.kubelet)
        host.launch(node.kube_proxy)

    def ready(self, admin: Admin) -> bool:
        """Whether pods can be scheduled to every node."""
        found = [admin.find(f"{_NODES}/{node.name}") for node in self.nodes]
        return all(obj is not None and schedulable(obj) for obj in found)

    def clean_up(self) -> None:
        """After all processes have been ended: remove the control groups, and wait for the link to go.

        The supervisor has done so already unless it was killed; the kernel takes a moment to end a namespace.
        """
        deadline = time.monotonic() + _END_SECONDS
        for group in self.cgroup_folders:
            remove(group, max(0.0, deadline - time.monotonic()))
        while self._subnet is not None and not disconnected(self._subnet) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    @property
    def _images(self) -> Path:
        return self._folder / "images.tar"


NETWORK_COMMAND = Command(["unshare", "--net", "sleep", "infinity"])
"""The process that holds the network between nodes and host."""


def extra_arguments(credentials: Credentials) -> Mapping[str, Sequence[str]]:
    """What a control plane with real nodes is told besides, by component."""
    return {
        APISERVER: (
            "--authorization-mode=Node",  # besides RBAC
            "--enable-admission-plugins=NodeRestriction",
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-client-certificate={credentials.kubelet_client_certificate}",
            f"--kubelet-client-key={credentials.kubelet_client_key}",
            "--enable-aggregator-routing=true",  # webhooks of Services: no kube-proxy serves the host
        ),
        KWOK: ("--manage-all-nodes=false", "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake"),
    }


def listens(address: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection((address, port), _CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def answers(path: Path) -> bool:
    """Whether somebody listens on the unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0
