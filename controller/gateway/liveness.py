"""Whether a peer is still there that nobody reads from just now: without a read no event loop would notice."""

import os
import socket
from asyncio import BaseTransport

# States of a connection (Linux, include/net/tcp_states.h) in which the other side can still send.
_OPEN = frozenset((1, 2, 3))  # ESTABLISHED, SYN_SENT, SYN_RECV


def is_gone(transport: BaseTransport) -> bool:
    """Whether the other side has closed its end or was reset; False where the system cannot tell (Linux can).

    An end that is behind data for which there is no room has not come yet: it is seen once something is written.
    """
    found = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_INFO", None)
    if found is None or option is None or found.fileno() < 0:
        return False
    # The loop's own socket objects take no options, so a second one for the same connection is asked.
    with socket.socket(fileno=os.dup(found.fileno())) as asked:
        state: int = asked.getsockopt(socket.IPPROTO_TCP, option, 1)[0]
    return state not in _OPEN
