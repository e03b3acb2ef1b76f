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
from controller.runtime.election.fence import Fence

if TYPE_CHECKING:
    from controller.gateway.exchange import Exchange
    from controller.gateway.gateway import Gateway


class FencedPool(Pool):
    """Connections to an engine whose partition's fence `fence_of` gives: another one each time that it becomes ours."""

    def __init__(
        self,
        gateway: "Gateway",
        endpoint: Endpoint,
        tls: ssl.SSLContext | None,
        fence_of: Callable[[str], Fence],
    ) -> None:
        super().__init__(gateway, endpoint, tls)
        self._fence_of = fence_of
        self.fence = fence_of(endpoint.partition)

    def look(self) -> Fence:
        """The present fence."""
        self.fence = self._fence_of(self.endpoint.partition)
        return self.fence

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
        fence = pool.fence
        if fence.monotonic() >= fence.valid_until:
            fence = pool.look()
            if not fence.open:
                self._refuse(exchange)
                return
        super().write_request()
        if fence.monotonic() >= fence.valid_until:
            self._fail("EngineLost", "the partition had become another replica's as the request was sent")

    def _refuse(self, exchange: "Exchange") -> None:
        """It goes to who may send it."""
        exchange.pool = exchange.upstream = self.exchange = None
        loop, gateway = self.pool.gateway.loop, self.pool.gateway
        # Not at once: whoever flushes may be in the midst of something.
        loop.call_soon(self.pool.add, self)
        loop.call_soon(gateway.send_on, exchange)
