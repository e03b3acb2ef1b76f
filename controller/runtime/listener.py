"""An HTTP application on a TCP port, from its start to an end that cuts nobody off.

    listen -> ... -> stop accepting -> answer what comes on open connections, and close each -> cancel what is left

Somebody who keeps connections open (the API server does) learns from `Connection: close` on the answer that the next
request needs a new one, which a balancer takes elsewhere. Only a connection that sends nothing while draining is
closed without a word.
"""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from controller.runtime.clock import Clock, RealClock

# Longer than Go's client keeps an idle connection (90 s): so it is the client that closes it, never in mid-request.
_IDLE_SECONDS = 120.0
# A connection that has not sent a whole request head by then is closed: it holds memory and says nothing.
_SILENT_SECONDS = 10.0
_LOOK_SECONDS = 5.0
_DRAIN_POLL_SECONDS = 0.02
# What is left of a refused body is read for this long, so that the answer is not lost in a reset.
_LINGER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Seconds to go on answering open connections, and seconds for requests under way after that."""

    drain: float = 0.0
    finish: float = 5.0


class Listener:
    """Serves one application. `port` 0: a free one, to be read from `.port` once started. `tls` None: plain HTTP."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        shutdown: Shutdown | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.host, self.port = host, port
        self._tls = tls
        self._shutdown = shutdown or Shutdown()
        self._clock = clock or RealClock()
        self._started = asyncio.Event()
        self._draining = False
        self._silent_since: dict[web.RequestHandler, float] = {}
        self._heard: set[object] = set()

    @property
    def listening(self) -> bool:
        """Whether it accepts connections now."""
        return self._started.is_set()

    async def wait_started(self, timeout: float) -> None:
        """Wait until it listens, at most `timeout` seconds; raises TimeoutError."""
        async with asyncio.timeout(timeout):
            await self._started.wait()

    async def run(self, app: web.Application) -> None:
        """Serve until cancelled, then stop in order. Raises OSError when the address is taken."""
        self._draining = False
        app.middlewares.append(self._hear())
        app.on_response_prepare.append(self._last_words)
        runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=self._shutdown.finish,
            keepalive_timeout=_IDLE_SECONDS,
            lingering_time=_LINGER_SECONDS,
            auto_decompress=False,
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, self.host, self.port, ssl_context=self._tls)
            await site.start()
            self.port = site.port
            self._started.set()
            try:
                await self._look_after(runner)
            finally:
                self._started.clear()
                await self._drain(site, runner)
        finally:
            await runner.cleanup()

    async def _look_after(self, runner: web.AppRunner) -> None:
        while True:
            await self._clock.sleep(_LOOK_SECONDS)
            if runner.server is not None:
                self._close_silent(runner.server.connections)

    def _close_silent(self, connections: list[web.RequestHandler]) -> None:
        now = self._clock.monotonic()
        self._heard.intersection_update(connections)
        silent = [connection for connection in connections if connection not in self._heard]
        self._silent_since = {connection: self._silent_since.get(connection, now) for connection in silent}
        for connection, since in self._silent_since.items():
            if now - since >= _SILENT_SECONDS:
                connection.force_close()

    async def _drain(self, site: web.BaseSite, runner: web.AppRunner) -> None:
        self._draining = True
        await site.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._shutdown.drain):
                # aiohttp tells how many connections there are, and nobody when the last one goes
                while runner.server is not None and runner.server.connections:  # noqa: ASYNC110
                    await asyncio.sleep(_DRAIN_POLL_SECONDS)

    def _hear(self) -> Middleware:
        @web.middleware
        async def hear(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._heard.add(request.protocol)
            return await handler(request)

        return hear

    async def _last_words(self, _request: web.Request, response: web.StreamResponse) -> None:
        if self._draining:
            response.headers["Connection"] = "close"
            response.force_close()
