"""Free TCP ports that stay ours for as long as a plane lives, also while the process that listens on one restarts.

A port that is found free and released again may be taken by anyone. Here the finding socket stays bound, without
listening, and shares the port with the server, which must ask for sharing too: by SO_REUSEPORT, or by SO_REUSEADDR
(every server written in Go does), which lets it bind a port on which nobody listens. The kernel gives such a port to
nobody who asks for any free one.
"""

import socket
from types import TracebackType

LOOPBACK = "127.0.0.1"


class Reservation:
    """A number of ports on the loopback address, or another of this machine, held until `close`."""

    def __init__(self, count: int, address: str = LOOPBACK) -> None:
        self._sockets = [_bound(address) for _ in range(count)]
        self.ports: tuple[int, ...] = tuple(held.getsockname()[1] for held in self._sockets)

    def close(self) -> None:
        """Give the ports back."""
        for held in self._sockets:
            held.close()

    def __enter__(self) -> "Reservation":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _bound(address: str) -> socket.socket:
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((address, 0))
    return held
