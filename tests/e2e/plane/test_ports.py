"""Reserved ports beside servers as Go and etcd make them, and beside those who only look for a free one."""

import socket

import pytest

from e2e.plane.ports import LOOPBACK, Reservation


def server(address: str, port: int, *options: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    for option in options:
        made.setsockopt(socket.SOL_SOCKET, option, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        made.bind((address, port))
        made.listen()
    except OSError:
        made.close()
        raise
    return made


@pytest.mark.parametrize(
    ("address", "options"),
    [
        (LOOPBACK, (socket.SO_REUSEADDR,)),
        ("::", (socket.SO_REUSEADDR,)),
        (LOOPBACK, (socket.SO_REUSEADDR, socket.SO_REUSEPORT)),
    ],
    ids=["as every server in Go", "the same on all addresses", "one that shares its port, as etcd"],
)
def test_a_server_that_shares_gets_its_port_and_gets_it_again(address: str, options: tuple[int, ...]) -> None:
    with Reservation(1) as reserved:
        for _ in range(2):
            with server(address, reserved.ports[0], *options):
                socket.create_connection((LOOPBACK, reserved.ports[0]), 5).close()


def test_a_server_that_does_not_share_is_refused_until_the_port_is_given_back() -> None:
    with Reservation(1) as reserved, pytest.raises(OSError, match="in use"):
        server(LOOPBACK, reserved.ports[0])

    server(LOOPBACK, reserved.ports[0]).close()


def test_nobody_is_given_a_reserved_port_by_chance() -> None:
    with Reservation(200) as reserved, Reservation(200) as others:
        strangers = [server(LOOPBACK, 0, socket.SO_REUSEADDR) for _ in range(200)]
        given = {stranger.getsockname()[1] for stranger in strangers}
        for stranger in strangers:
            stranger.close()

    assert len({*reserved.ports, *others.ports}) == 400
    assert not given & {*reserved.ports, *others.ports}
