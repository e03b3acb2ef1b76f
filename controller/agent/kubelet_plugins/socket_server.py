"""A gRPC server on a unix socket in the kubelet's folder, which others may clear away."""

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import Self

from grpclib.server import Server

from controller.agent.kubelet_plugins.grpc_service import Service

_CLOSE_SECONDS = 1.0

SocketIdentity = tuple[int, int]
"""What tells a socket from one that was made at the same path later: inode (they are used again) and time."""


def identity(path: Path) -> SocketIdentity | None:
    """Which socket is at that path now; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns


class SocketServer:
    """Serves while entered. Raises OSError when the socket cannot be made.

    Another's socket at that path is replaced: it is what a killed process left, or the version's before this one. On
    the way out only a socket of our own is removed.
    """

    def __init__(self, path: Path, services: Collection[Service]) -> None:
        self.path = path
        self._services = services
        self._server: Server | None = None
        self._identity: SocketIdentity | None = None

    def intact(self) -> bool:
        """Whether callers that look the path up now come to this server."""
        return self._identity is not None and identity(self.path) == self._identity

    async def __aenter__(self) -> Self:
        self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        server = Server(self._services)
        await server.start(path=str(self.path))
        self._server, self._identity = server, identity(self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.intact():
            self.path.unlink(missing_ok=True)
        server, self._server, self._identity = self._server, None, None
        if server is None:
            return
        server.close()
        try:  # a caller may keep its connection open for as long as it likes
            async with asyncio.timeout(_CLOSE_SECONDS):
                await server.wait_closed()
        except TimeoutError:
            return
