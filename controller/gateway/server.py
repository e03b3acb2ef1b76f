"""Listens for clients, and counts them: so many at once, so many of one address.

A client that is one too many is closed at once, for a word to it would take what there is no room for.
"""

import asyncio
import ssl
from collections import Counter
from typing import TYPE_CHECKING

from controller.gateway.client_connection import ClientConnection
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

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen, and return the port. Raises OSError when the address is taken."""
        self._listening = await asyncio.get_running_loop().create_server(
            lambda: ClientConnection(self),
            host,
            port,
            ssl=tls,
            ssl_handshake_timeout=self.gateway.limits.head_seconds if tls else None,
            backlog=BACKLOG,
        )
        return int(self._listening.sockets[0].getsockname()[1])

    def admit(self, connection: ClientConnection) -> bool:
        """Whether there is room for one more."""
        if self.for_peers and not _is_peer(connection.transport):
            self.turned_away += 1
            return False
        limits = self.gateway.limits
        peer = connection.transport.get_extra_info("peername")
        address = connection.address = str(peer[0]) if peer else ""
        if len(self.connections) >= limits.connections or self._by_address[address] >= limits.connections_per_client:
            self.turned_away += 1
            return False
        self.accepted += 1
        self.connections.add(connection)
        self._by_address[address] += 1
        return True

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
