"""The connections to one engine: those at rest, the last used first, and who waits while another one is made.

    send ──> a connection at rest ──> released ──> at rest
      └────> waits ──> connected, or a connection comes free, whichever is first

The dispatcher keeps requests in flight below the engine's seats, so nobody waits here for longer than a connect takes.
"""

import asyncio
import errno
import ssl
from collections import deque
from typing import TYPE_CHECKING

from controller.gateway.configuration import Endpoint
from controller.gateway.outage import seconds_until_try
from controller.gateway.upstream import UpstreamConnection

if TYPE_CHECKING:
    from controller.gateway.exchange import Exchange
    from controller.gateway.gateway import Gateway


_OUR_WANT = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL))
"""Of files, memory or ports of our own: nothing to do with the engine."""


class Pool:
    """Connections to `endpoint`, by `tls` if it speaks that. `closed`: those in use end once they are released."""

    server_name: str | None = None
    """Whose certificate it must be, where that is not the endpoint's host."""
    engine = True
    """Whether the dispatcher sends requests here, and has to know when it cannot be reached."""

    def __init__(self, gateway: "Gateway", endpoint: Endpoint, tls: ssl.SSLContext | None = None) -> None:
        self.gateway = gateway
        self.endpoint = endpoint
        self._tls = tls if endpoint.tls else None
        literal = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        self.host_line = f"host: {literal}:{endpoint.port}\r\n".encode("latin-1")
        self.closed = False
        self.opened = 0
        self._idle: list[UpstreamConnection] = []
        self._waiting: deque[Exchange] = deque()
        self._connecting = 0
        self.reachable = True

    def outgoing(self, exchange: "Exchange") -> tuple[bytes, bytes]:
        """Head and body of a request as this engine gets them."""
        lane = exchange.lane
        splicer = lane.ranked if self.endpoint.takes_priority else lane.plain
        body = splicer.splice(exchange.body, exchange.asked)
        return b"%b%bcontent-length: %d\r\nx-request-id: %b\r\n\r\n" % (
            exchange.lead,
            self.host_line,
            len(body),
            exchange.request_id,
        ), body

    def make_connection(self) -> UpstreamConnection:
        """One that is not connected yet."""
        return UpstreamConnection(self)

    def tls(self) -> ssl.SSLContext | None:
        """What the next connection is made with; None: plain HTTP."""
        return self._tls

    def send(self, exchange: "Exchange", *, fresh: bool = False) -> None:
        """Send a request over a connection at rest, or over a new one; `fresh`: over a new one."""
        exchange.pool = self
        if self._idle and not fresh:
            self._idle.pop().send(exchange)
            return
        self._waiting.append(exchange)
        self._connect_for_waiting()

    def withdraw(self, exchange: "Exchange") -> None:
        """A request that waits for a connection does so no longer."""
        self._waiting.remove(exchange)

    def add(self, connection: UpstreamConnection) -> None:
        """A connection that nobody has looked at for a moment; it may have been closed by now, and told nobody."""
        if not connection.transport.is_closing():
            self.release(connection)
        elif self._waiting:
            self._waiting.popleft().not_connected(ConnectionError("it closed the connection at once"))

    def release(self, connection: UpstreamConnection) -> None:
        """A connection is free for the next request."""
        if self._waiting:
            connection.send(self._waiting.popleft())
        elif self.closed or len(self._idle) >= self.gateway.limits.upstream_idle_connections:
            connection.close()
        else:
            connection.since = self.gateway.wheel.now
            if not self._idle:
                self.gateway.resting.add(self)
            self._idle.append(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        """A connection at rest has ended."""
        if connection in self._idle:
            self._idle.remove(connection)

    def trim(self, now: float) -> bool:
        """Close connections that have been at rest for too long, the first in the list; whether there are others."""
        until = now - self.gateway.limits.upstream_idle_seconds
        while self._idle and self._idle[0].since < until:
            self._idle.pop(0).close()
        return bool(self._idle)

    def close(self) -> None:
        """Close what is at rest, and the others when they come free."""
        self.closed = True
        while self._idle:
            self._idle.pop().close()

    def _connect_for_waiting(self) -> None:
        while self._connecting < len(self._waiting):
            self._connecting += 1
            self.gateway.start(self._connect(), f"connect to {self.endpoint.uid}")

    async def _connect(self) -> None:
        try:
            connection = await self._open()
        except Exception as error:  # noqa: BLE001 - whatever a name or TLS brings up: the request goes elsewhere
            self._connecting -= 1
            if self._waiting:
                self._waiting.popleft().not_connected(error)
            ours = isinstance(error, OSError) and error.errno in _OUR_WANT
            if self.engine and self.reachable and not self.closed and not ours:
                self._set_reachable(now=False)
                self.gateway.start(self._try_again(), f"try to reach {self.endpoint.uid}")
        else:
            self._connecting -= 1
            self.add(connection)

    async def _open(self) -> UpstreamConnection:
        endpoint, tls = self.endpoint, self.tls()
        async with asyncio.timeout(self.gateway.limits.upstream_connect_seconds):
            _, connection = await asyncio.get_running_loop().create_connection(
                self.make_connection,
                endpoint.host,
                endpoint.port,
                ssl=tls,
                server_hostname=self.server_name if tls else None,
            )
        self.opened += 1
        return connection

    async def _try_again(self) -> None:
        """Ends with a connection, or when the engine is gone from the configuration."""
        failures = 1
        while not self.closed:
            await asyncio.sleep(seconds_until_try(failures, self.gateway.random()))
            try:
                connection = await self._open()
            except Exception:  # noqa: BLE001 - as in `_connect`
                failures += 1
                continue
            if connection.transport.is_closing():
                failures += 1
                continue
            self.release(connection)
            self._set_reachable(now=True)
            self.gateway.engine_failures.reached(self.endpoint.uid, failures)
            return

    def _set_reachable(self, *, now: bool) -> None:
        self.reachable = now
        self.gateway.reach_changed()
