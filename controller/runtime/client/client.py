"""The client: everything the API server can be asked, over one set of connections."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from controller.runtime.client.collection import ListPage, ObjectList, Selection
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.rate_limit import RateLimiter
from controller.runtime.client.reader import Reader
from controller.runtime.client.request_metrics import RequestMetrics
from controller.runtime.client.sender import Sender
from controller.runtime.client.tls import ClientTls
from controller.runtime.client.transport import Check, HttpRequest, Transport
from controller.runtime.client.wire import Wire
from controller.runtime.client.writer import JSON, Writer
from controller.runtime.clock import Clock, RealClock

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

__all__ = ["Client", "ListPage", "ObjectList", "Selection"]


class Client(Reader, Writer):
    """Talks to one API server. An async context manager; safe for any number of tasks of one event loop.

    `base_url` replaces the configuration's server (a recording proxy in tests). `max_connections` bounds requests
    under way; watches are not counted. `qps`, `burst`: requests a second, and how many may come at once (None: twice
    the rate); `qps` None is no limit. Reads are repeated when nobody answered, everything is on a 429 (see
    `retry.py`); a 401 is repeated once with a new credential. `transport`: what carries requests instead of HTTP.
    """

    def __init__(
        self,
        configuration: ClientConfiguration,
        *,
        base_url: str | None = None,
        clock: Clock | None = None,
        user_agent: str = "controller-runtime-python",
        max_connections: int = 64,
        qps: float | None = None,
        burst: int | None = None,
        meter: "Meter | None" = None,
        transport: Wire | None = None,
    ) -> None:
        if base_url is not None:
            configuration = replace(configuration, server=base_url)
        self.configuration = configuration
        clock = clock or RealClock()
        tls = ClientTls(configuration, clock)
        if transport is None:
            transport = Transport(configuration, tls, user_agent=user_agent, max_connections=max_connections)
        limiter = RateLimiter(qps, burst, clock) if qps is not None else None
        metrics = RequestMetrics(meter, configuration.server)
        sender = Sender(configuration, transport, tls, clock, limiter=limiter, metrics=metrics)
        Reader.__init__(self, sender)
        Writer.__init__(self, sender, check=None)

    async def __aenter__(self) -> "Client":
        await self._sender.transport.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._sender.transport.__aexit__()

    def guarded(self, check: Check) -> "Client":
        """A client over the same connections that calls `check` right before each attempt of a write goes out.

        That is after every wait: for the rate, a slot, a connection. What `check` raises reaches the caller, and
        nothing is sent. Reads are not checked. It lives as long as this client does: only this one is entered and
        left. A check that this client has is called as well, first.
        """
        first = self._check

        def both() -> None:
            if first is not None:
                first()
            check()

        return _GuardedClient(self.configuration, self._sender, check if first is None else both)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str | None = None,
        timeout: float = 30.0,
    ) -> bytes:
        """Any request: `path` encoded, `body` bytes or anything JSON. The answer's body; raises ApiError's tree.

        `timeout`: seconds for each attempt. Cancelling it leaves open whether a write happened.
        """
        data = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        request = HttpRequest(method, path, params or {}, data, content_type or JSON, timeout)
        return await self._sender.send(request, self._check)


class _GuardedClient(Client):
    """What `Client.guarded` gives: another's connections, and a check of its own."""

    def __init__(self, configuration: ClientConfiguration, sender: Sender, check: Check) -> None:
        self.configuration = configuration
        Reader.__init__(self, sender)
        Writer.__init__(self, sender, check)

    async def __aenter__(self) -> "Client":
        raise RuntimeError("a guarded client is open while the client is that it came from: enter that one")

    async def __aexit__(self, *_: object) -> None:
        raise RuntimeError("a guarded client is closed with the client that it came from: leave that one")
