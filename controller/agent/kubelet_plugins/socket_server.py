"""A gRPC server on a unix socket in the kubelet's folder, which others may clear away."""

import asyncio
import socket
from collections.abc import Collection
from pathlib import Path
from typing import Self
from weakref import WeakSet

from grpclib.protocol import H2Protocol
from grpclib.server import Server

from controller.agent.kubelet_plugins.grpc_service import Service

_CLOSE_SECONDS = 1.0
# Rounds of the loop in which who called before the socket went is accepted: one that is accepted while the server
# closes, asyncio leaves to the garbage collector.
_ACCEPT_ROUNDS = 5

SocketIdentity = tuple[int, int]
"""What tells a socket from one that was made at the same path later: inode (they are used again) and time."""


def identity(path: Path) -> SocketIdentity | None:
    """Which socket is at that path now; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns


def listened_on(path: Path) -> bool:
    """Whether somebody listens on the socket at that path."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)  # so many callers wait already that ours would: somebody does
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True
        except OSError:
            return False
    return True


class _Connection(H2Protocol):
    """A connection that can be ended, also one that was accepted and not begun."""

    _ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._ended:
            self.connection.close()

    def end(self) -> None:
        self._ended = True
        if hasattr(self, "connection"):
            self.connection.close()


class _ClosingServer(Server):
    """A server whose end is its connections' end: kubelets keep theirs for as long as they can."""

    def __init__(self, services: Collection[Service]) -> None:
        super().__init__(services)
        self._connections: WeakSet[_Connection] = WeakSet()
        self._ended = False

    def _protocol_factory(self) -> H2Protocol:
        made = super()._protocol_factory()
        connection = _Connection(made.handler, made.config, made.h2_config)
        self._connections.add(connection)
        if self._ended:  # accepted just before
            connection.end()
        return connection

    def close(self) -> None:
        """Also of connections: requests under way are cancelled."""
        super().close()
        self._ended = True
        for connection in list(self._connections):
            connection.end()


class SocketServer:
    """Serves while entered. Raises OSError when the socket cannot be made.

    Another's socket at that path is replaced on the way in: it is what a killed process left, or the version's before
    this one. That one then stands back: of two that replaced each other's no kubelet could make sense. On the way out
    only a socket of our own is removed.
    """

    def __init__(self, path: Path, services: Collection[Service]) -> None:
        self.path = path
        self._services = services
        self._server: _ClosingServer | None = None
        self._identity: SocketIdentity | None = None

    def intact(self) -> bool:
        """Whether callers that look the path up now come to this server."""
        return self._identity is not None and identity(self.path) == self._identity

    def gone(self) -> bool:
        """Whether nobody can be called at the path: the socket was cleared away, or is another's that has ended."""
        return not self.intact() and not listened_on(self.path)

    async def __aenter__(self) -> Self:
        self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        server = _ClosingServer(self._services)
        await server.start(path=str(self.path))
        self._server, self._identity = server, identity(self.path)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self.intact():
            self.path.unlink(missing_ok=True)
        server, self._server, self._identity = self._server, None, None
        if server is None:
            return
        try:
            for _ in range(_ACCEPT_ROUNDS):
                await asyncio.sleep(0)
        finally:
            server.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await server.wait_closed()
        except TimeoutError:
            return
