"""Ends a connection by a reset, so that the other side can tell that what it got is not all there is."""

import os
import socket
import struct
from asyncio import WriteTransport

_NO_LINGER = struct.pack("ii", 1, 0)


def reset(transport: WriteTransport) -> None:
    """Close at once. A transport's own `abort` closes in order, as far as the other side can see."""
    found = transport.get_extra_info("socket")
    if found is not None and found.fileno() >= 0:
        # The loop's own socket objects take no options, so they are set by a second one for the same connection.
        with socket.socket(fileno=os.dup(found.fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
