"""The addresses of planes that run beside each other."""

import ipaddress
import itertools
import subprocess

import pytest

from e2e.plane.errors import NodeUnavailable
from e2e.plane.node import network
from e2e.plane.node.network import MOST_NODES, Subnet, connect_host, subnets


def test_planes_share_no_address_and_no_link() -> None:
    networks = [subnet.network for subnet in subnets()]

    assert all(not one.overlaps(other) for one, other in itertools.pairwise(networks))
    assert len({subnet.link for subnet in subnets()}) == len(networks) == 128


def test_every_address_of_a_plane_is_its_own_and_in_its_network() -> None:
    subnet = Subnet(127)
    nodes = range(1, MOST_NODES + 1)
    single = [subnet.host, *(subnet.node(index) for index in nodes)]
    ranges = [[ipaddress.IPv4Address(end) for end in subnet.pods(index)] for index in nodes]

    assert len(set(single)) == len(single)
    assert all(ipaddress.IPv4Address(address) in subnet.network for address in single)
    assert all(first in subnet.network and last in subnet.network for first, last in ranges)
    assert not [a for a in single for first, last in ranges if first <= ipaddress.IPv4Address(a) <= last]
    assert all(one[1] < other[0] for one, other in itertools.pairwise(ranges))


def test_link_names_are_as_short_as_the_kernel_wants_them() -> None:
    assert max(len(subnet.link) for subnet in subnets()) <= 15


def test_a_network_that_the_machine_uses_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(network, "await_namespace", lambda maker: None)
    monkeypatch.setattr(network, "routed", lambda: [ipaddress.IPv4Network("198.18.0.0/21")])
    monkeypatch.setattr(network, "ip", lambda *commands, inside=None: made.extend(commands))

    assert connect_host(1) == Subnet(2)
    assert made[0].startswith("link add aimplane2 ")


def test_a_name_that_another_plane_takes_in_the_same_moment_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def ip(*commands: str, inside: int | None = None) -> None:
        if commands[0].startswith("link add aimplane0 "):
            raise NodeUnavailable("RTNETLINK answers: File exists")

    monkeypatch.setattr(network, "await_namespace", lambda maker: None)
    monkeypatch.setattr(network, "routed", list)
    monkeypatch.setattr(network, "ip", ip)

    assert connect_host(1) == Subnet(1)


def test_a_machine_that_uses_all_of_them_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "await_namespace", lambda maker: None)
    monkeypatch.setattr(network, "routed", lambda: [ipaddress.IPv4Network("198.16.0.0/14")])

    with pytest.raises(NodeUnavailable, match="in use on this machine"):
        connect_host(1)


def test_a_process_that_made_no_namespace_is_named() -> None:
    with subprocess.Popen(["true"]) as ended:
        pass

    with pytest.raises(NodeUnavailable, match=f"process {ended.pid} could not make a network namespace"):
        network.await_namespace(ended.pid)
