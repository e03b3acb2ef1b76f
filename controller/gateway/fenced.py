"""Connections to engines over which nothing is sent unless, at that very moment, this replica may dispatch there.

A process may be stopped anywhere, for any time, and go on as if nothing had happened. So the clock is read right before
the bytes are handed to the kernel, and they are handed to it at once: a transport that collects them until the end of
the loop's turn (uvloop's did before 0.23) would send them minutes after that look at the clock. Between the look and
the call there is still a moment; so it is read once more, and a request that went out too late is withdrawn by the end
of its connection.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from controller.gateway.configuration import Endpoint
from controller.gateway.pool import Pool
from controller.gateway.upstream import UpstreamConnection

if TYPE_CHECKING:
    from controller.gateway.gateway import Gateway


class FencedPool(Pool):
    """Connections to an engine whose partition `may_dispatch` tells whether to send to."""

    def __init__(
        self,
        gateway: "Gateway",
        endpoint: Endpoint,
        tls: ssl.SSLContext | None,
        may_dispatch: Callable[[str], bool],
    ) -> None:
        super().__init__(gateway, endpoint, tls)
        self.may_dispatch = may_dispatch

    def make_connection(self) -> UpstreamConnection:
        """See Pool."""
        return _FencedConnection(self)


class _FencedConnection(UpstreamConnection):
    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(0)  # none: each write goes out at once

    def write_request(self) -> None:
        exchange = self.exchange
        if exchange is None:
            return
        pool = cast("FencedPool", self.pool)
        partition = pool.endpoint.partition
        if not pool.may_dispatch(partition):
            exchange.pool = exchange.upstream = self.exchange = None
            loop, gateway = pool.gateway.loop, pool.gateway
            # Not at once: whoever flushes may be in the midst of something.
            loop.call_soon(pool.release, self)
            loop.call_soon(gateway.send_on, exchange)
            return
        super().write_request()
        if not pool.may_dispatch(partition):
            self._fail("EngineLost", "the partition had become another replica's as the request was sent")
