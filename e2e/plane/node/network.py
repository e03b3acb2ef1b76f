"""The network of a plane's real nodes: one Ethernet that the host is on as well, and no routing anywhere.

    host namespace            network namespace "network"            namespace of a node
    aimplane<N> ──── veth ──── host ─┐
    (kube-apiserver)                 ├ bridge lan ┌─ <node> ── veth ── uplink ─ bridge cni0 ─ pods
                                     └────────────┘                    (the node's address)

All addresses are of one /22 of 198.18.0.0/15, which is set aside for tests of networks: so host, nodes and pods reach
each other directly, and nothing reaches the world. On the host one link with its address and route is to be seen; the
kernel removes them with the network namespace, however that ends.
"""

import ipaddress
import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.plane.errors import NodeUnavailable, NotReady

MOST_NODES = 3
_RANGE = ipaddress.IPv4Network("198.18.0.0/15")
_PREFIX = 22
_FIRST_NODE = 10
_LIMIT_SECONDS = 15.0
_POLL_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Subnet:
    """The addresses of one plane; `number` counts the planes of a machine."""

    number: int

    @property
    def link(self) -> str:
        """The one link on the host; its name is what makes the number ours."""
        return f"aimplane{self.number}"

    @property
    def network(self) -> ipaddress.IPv4Network:
        """All addresses."""
        first = int(_RANGE.network_address) + self.number * (1 << (32 - _PREFIX))
        return ipaddress.IPv4Network((first, _PREFIX))

    @property
    def host(self) -> str:
        """The host's address, which is kube-apiserver's."""
        return str(self.network[1])

    def node(self, index: int) -> str:
        """The address of node `index`, from 1."""
        return str(self.network[_FIRST_NODE + index])

    def pods(self, index: int) -> tuple[str, str]:
        """The first and the last address for pods of node `index`."""
        return str(self.network[256 * index + 1]), str(self.network[256 * index + 250])

    def hardware_address(self, index: int) -> str:
        """Of the node's bridge; one that the kernel chooses would change with the pods that come and go."""
        return f"02:61:69:6d:{self.number:02x}:{index:02x}"


def subnets() -> Sequence[Subnet]:
    """Every subnet there can be."""
    return [Subnet(number) for number in range(1 << (_PREFIX - _RANGE.prefixlen))]


def connect_host(maker: int) -> Subnet:
    """Link the host with the namespace that process `maker` made, on a subnet that is free here.

    Raises NodeUnavailable when none is, or when the host cannot make such links.
    """
    await_namespace(maker)
    used = routed()
    for subnet in subnets():
        if any(subnet.network.overlaps(other) for other in used):
            continue
        if _claim(subnet, maker):
            break
    else:
        raise NodeUnavailable(f"every network of {_RANGE} is in use on this machine: stop other planes, or that use")
    ip(f"address add {subnet.host}/{_PREFIX} dev {subnet.link}", f"link set {subnet.link} addrgenmode none up")
    ip("link add lan type bridge", "link set lan up", "link set host master lan up", inside=maker)
    return subnet


def connect_node(subnet: Subnet, index: int, lan: int, maker: int) -> None:
    """Put the network namespace of process `maker` on the network, as node `index` (from 1)."""
    ip(
        f"link add node-{index} type veth peer name uplink netns {maker}",
        f"link set node-{index} master lan up",
        inside=lan,
    )
    ip(
        "link set lo up",
        f"link add cni0 address {subnet.hardware_address(index)} type bridge",
        f"address add {subnet.node(index)}/{_PREFIX} dev cni0",
        "link set cni0 up",
        "link set uplink master cni0 up",
        inside=maker,
    )


def disconnected(subnet: Subnet) -> bool:
    """Whether the link is gone from the host."""
    return not Path(f"/sys/class/net/{subnet.link}").exists()


def await_namespace(maker: int) -> None:
    """Return once the process, which has only just been started, is in a network namespace of its own."""
    own = Path("/proc/self/ns/net").stat().st_ino
    deadline = time.monotonic() + _LIMIT_SECONDS
    while True:
        try:
            if Path(f"/proc/{maker}/ns/net").stat().st_ino != own:
                return
        except FileNotFoundError:
            raise NodeUnavailable(f"process {maker} could not make a network namespace, see its log") from None
        if time.monotonic() > deadline:
            raise NotReady(f"process {maker} made no network namespace within {_LIMIT_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def routed() -> list[ipaddress.IPv4Network]:
    """Where the host's routes lead, without the default."""
    told = subprocess.run(["ip", "-json", "-4", "route"], capture_output=True, text=True, check=True).stdout
    return [ipaddress.IPv4Network(entry["dst"]) for entry in json.loads(told or "[]") if entry["dst"] != "default"]


def ip(*commands: str, inside: int | None = None) -> None:
    """Run ip(8) commands in order, in the network namespace of a process if one is given. Raises NodeUnavailable."""
    enter = [] if inside is None else ["nsenter", f"--net=/proc/{inside}/ns/net"]
    done = subprocess.run(
        [*enter, "ip", "-batch", "-"], input="\n".join(commands), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise NodeUnavailable(f"ip {'; '.join(commands)}: {done.stderr.strip()}")


def _claim(subnet: Subnet, maker: int) -> bool:
    """Make the pair of links; False when another plane has the name already, even if it came just now."""
    try:
        ip(f"link add {subnet.link} type veth peer name host netns {maker}")
    except NodeUnavailable as error:
        if "File exists" in str(error):
            return False
        raise
    return True
