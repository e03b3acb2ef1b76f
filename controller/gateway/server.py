"""Listens for clients, and counts them: so many at once, so many of one address.

A client that is one too many is closed at once, for a word to it would take what there is no room for.
"""

import asyncio
import ssl
from collections import Counter
from typing import TYPE_CHECKING

from controller.gateway.client_connection import ClientConnection
from controller.gateway.handshakes import Handshakes, listening_socket
from controller.gateway.peer_name import PEER_NAME

if TYPE_CHECKING:
    from controller.gateway.gateway import Gateway

BACKLOG = 4096
"""Connections that may wait to be accepted: bursts of clients that come again together."""


class Server:
    """One listening address of `gateway`. `for_peers`: other replicas send what is ours to order."""

    def __init__(self, gateway: "Gateway", *, for_peers: bool = False) -> None:
        self.gateway = gateway
        self.for_peers = for_peers
        self.connections: set[ClientConnection] = set()
        self.accepted = 0
        self.turned_away = 0
        self._by_address: Counter[str] = Counter()
        self._listening: asyncio.Server | None = None
        self._handshakes: Handshakes | None = None
        self._accepting: asyncio.Task[None] | None = None

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen, and return the port. Raises OSError when the address is taken."""
        if tls is not None:
            seconds = self.gateway.limits.head_seconds
            shaking = self._handshakes = Handshakes(listening_socket(host, port, BACKLOG), tls, seconds=seconds)
            port = shaking.port
            accepting = shaking.accept(self._has_room, lambda: ClientConnection(self), self.gateway.start)
            self._accepting = self.gateway.start(accepting, f"accept at {port}")
            return port
        self._listening = await asyncio.get_running_loop().create_server(
            lambda: ClientConnection(self),
            host,
            port,
            backlog=BACKLOG,
        )
        return int(self._listening.sockets[0].getsockname()[1])

    def admit(self, connection: ClientConnection) -> bool:
        """Whether there is room for one more; of one that spoke TLS it was known before its handshake."""
        if self._handshakes is not None:
            self._handshakes.over(connection)
        if self.for_peers and not _is_peer(connection.transport):
            self.turned_away += 1
            return False
        peer = connection.transport.get_extra_info("peername")
        address = connection.address = str(peer[0]) if peer else ""
        if self._handshakes is None and not self._has_room(address):
            return False
        self.accepted += 1
        self.connections.add(connection)
        self._by_address[address] += 1
        return True

    def _has_room(self, address: str) -> bool:
        """Whether one more may come from there; of one that may not nothing is kept. Handshakes under way count too."""
        limits, shaking = self.gateway.limits, self._handshakes
        total, of_address = len(self.connections), self._by_address[address]
        if shaking is not None:
            total, of_address = total + shaking.total, of_address + shaking.by_address[address]
        if total < limits.connections and of_address < limits.connections_per_client:
            return True
        self.turned_away += 1
        return False

    def lost(self, connection: ClientConnection) -> None:
        """A connection has ended."""
        if connection in self.connections:
            self.connections.remove(connection)
            self._by_address[connection.address] -= 1
            if not self._by_address[connection.address]:
                del self._by_address[connection.address]

    def stop(self) -> None:
        """Accept no more."""
        if self._listening is not None:
            self._listening.close()
        if self._accepting is not None:
            self._accepting.cancel()

    def shut_idle(self) -> None:
        """Close connections that have no request at hand."""
        for connection in tuple(self.connections):
            connection.shut()

    def abort(self) -> None:
        """Close every connection at once."""
        for connection in tuple(self.connections):
            connection.transport.abort()


def _is_peer(transport: asyncio.Transport) -> bool:
    """Whether the other side of a connection is a replica: by its certificate, which was verified before.

    Without TLS there is nobody to ask: who listens for peers in the open has been told that it is safe.
    """
    if transport.get_extra_info("sslcontext") is None:
        return True
    certificate = transport.get_extra_info("peercert") or {}
    return ("DNS", PEER_NAME) in certificate.get("subjectAltName", ())
