"""Accepts clients that speak TLS, and counts them from their first packet on.

The event loop's own server tells of a connection only once its handshake is done, so whoever never begins one would
hold as many as the process has file descriptors for, beyond every limit.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Final

import structlog

from controller.gateway.client_connection import ClientConnection

# No descriptor is left, or no memory: others have to end first.
_REST_SECONDS: Final = 0.1


class Handshakes:
    """One listening socket. `has_room(address)` is asked before a handshake begins; `start` runs what has to wait.

    `total` and `by_address` count those that have been accepted and have not shaken hands yet.
    """

    def __init__(self, listening: socket.socket, tls: ssl.SSLContext, *, seconds: float) -> None:
        self._listening, self._tls, self._seconds = listening, tls, seconds
        self.by_address: Counter[str] = Counter()
        self._under_way: dict[ClientConnection, str] = {}

    @property
    def total(self) -> int:
        """Of all addresses."""
        return len(self._under_way)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listening.getsockname()[1])

    async def accept(
        self,
        has_room: Callable[[str], bool],
        connection: Callable[[], ClientConnection],
        start: Callable[[Coroutine[None, None, None], str], object],
    ) -> None:
        """Accept until cancelled: then the socket is closed, and handshakes under way go on."""
        loop = asyncio.get_running_loop()
        log = structlog.get_logger(__name__)
        try:
            while True:
                try:
                    accepted, peer = await loop.sock_accept(self._listening)
                except OSError as error:
                    log.warning("a connection could not be accepted", error=str(error))
                    await asyncio.sleep(_REST_SECONDS)
                    continue
                if not has_room(peer[0]):
                    accepted.close()
                    continue
                made = connection()
                self._under_way[made] = peer[0]
                self.by_address[peer[0]] += 1
                start(self._shake(accepted, made), f"shake hands with {peer[0]}")
        finally:
            self._listening.close()

    def over(self, connection: ClientConnection) -> None:
        """Its handshake is: it has become a connection, or never will."""
        address = self._under_way.pop(connection, None)
        if address is not None:
            self.by_address[address] -= 1
            if not self.by_address[address]:
                del self.by_address[address]

    async def _shake(self, accepted: socket.socket, connection: ClientConnection) -> None:
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError, TimeoutError):  # who does not shake hands is told by its own side
                await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: connection, accepted, ssl=self._tls, ssl_handshake_timeout=self._seconds
                )
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):
                accepted.shutdown(socket.SHUT_RDWR)  # nobody else has the transport to close it by
            raise
        finally:
            self.over(connection)


def listening_socket(host: str, port: int, backlog: int) -> socket.socket:
    """A socket that listens there. Raises OSError when the address is taken or is none."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    made = socket.create_server(address[:2], family=family, backlog=backlog)
    made.setblocking(False)
    return made
