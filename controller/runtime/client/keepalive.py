"""Sockets on which the kernel notices a dead peer."""

import socket
from typing import Any, Final

# After 30 + 3 x 10 s, where the kernel can be told.
_PROBES: Final = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


def keepalive_socket(address: Any) -> socket.socket:
    """A socket for `address` (an entry of getaddrinfo), not connected."""
    family, kind, protocol, _, _ = address
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in _PROBES:
        if hasattr(socket, option):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)
    return opened
