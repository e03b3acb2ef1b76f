"""The one seam to the network: requests and streams over HTTP/1.1 keep-alive, by aiohttp.

Watches have a connector of their own, without a limit, so that they never take a connection from a request.
Everything that goes wrong below HTTP becomes `Unavailable` or `Timeout`; HTTP errors become their types.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.errors import Timeout, Unavailable, error_of_answer
from controller.runtime.client.tls import client_context

# Idle connections are ours to drop before a server or balancer does (apiserver: 90 s and more): a request written
# to a connection that the other end is closing is a lost write.
_CLOSING_TURNS = 3
_KEEPALIVE_SECONDS = 45.0
_CONNECT_SECONDS = 10.0
_NO_LIMIT = 0
_BIG_BODY_BYTES = 1024 * 1024
# Uncompressed: unpacking costs this process more than the bytes cost a cluster's network.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
# A dead peer is noticed after 30 + 3 x 10 s, where the kernel can be told.
_KEEPALIVE_PROBES = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request: `path` absolute, `params` unencoded, `timeout` seconds for the whole exchange."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    timeout: float | None = 30.0


class Transport:
    """Sessions to one API server. An async context manager; not usable before entering or after leaving."""

    def __init__(self, configuration: ClientConfiguration, *, user_agent: str, max_connections: int) -> None:
        self._base = configuration.server.rstrip("/")
        self._server_hostname = configuration.tls_server_name
        self._headers = {"User-Agent": user_agent, **_HEADERS}
        self._max_connections = max_connections
        self._tls = client_context(configuration)
        self._requests: aiohttp.ClientSession | None = None
        self._watches: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Transport":
        self._requests = self._session(self._max_connections)
        self._watches = self._session(_NO_LIMIT)
        return self

    async def __aexit__(self, *_: object) -> None:
        for session in (self._requests, self._watches):
            if session is not None:
                await session.close()
        self._requests = self._watches = None
        # A closed TLS connection lets go of its socket in callbacks of the loop, two deep (the TLS layer, then the
        # socket below it); whoever closes the loop right after us would leave sockets to the garbage collector.
        for _turn in range(_CLOSING_TURNS):
            await asyncio.sleep(0)

    async def send(self, request: HttpRequest) -> bytes:
        """The body of a 2xx answer. Raises ApiError's tree; a cancelled call drops its connection."""
        try:
            async with asyncio.timeout(request.timeout), self._open(self._requests, request) as answer:
                return await answer.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _unreachable(request, error) from error

    async def stream(self, request: HttpRequest) -> AsyncGenerator[bytes, None]:
        """Chunks of a 2xx answer as they come, over the watches' connections, until the server ends it.

        `request.timeout` bounds the whole stream. Raises as `send` does. Close the iterator when leaving early.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + request.timeout if request.timeout is not None else None
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout_at(deadline):
                    answer = await stack.enter_async_context(self._open(self._watches, request))
                while chunk := await self._read(answer, deadline):
                    yield chunk
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _unreachable(request, error) from error

    @staticmethod
    async def _read(answer: aiohttp.ClientResponse, deadline: float | None) -> bytes:
        # A timeout around the `yield` instead would cancel whatever the stream's reader does meanwhile.
        async with asyncio.timeout_at(deadline):
            return await answer.content.readany()

    @asynccontextmanager
    async def _open(
        self, session: aiohttp.ClientSession | None, request: HttpRequest
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if session is None:
            raise RuntimeError("the client is not open: use `async with Client(...)`")
        url = f"{self._base}{request.path}"
        if request.params:
            url = f"{url}?{urlencode(request.params)}"
        extra: dict[str, Any] = {"server_hostname": self._server_hostname} if self._server_hostname else {}
        async with session.request(
            request.method,
            URL(url, encoded=True),
            data=_payload(request.body),
            headers=request.headers,
            allow_redirects=False,
            **extra,
        ) as answer:
            if not 200 <= answer.status < 300:
                raise error_of_answer(answer.status, await answer.read(), answer.headers)
            yield answer

    def _session(self, limit: int) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=limit,
            ssl=self._tls if self._tls is not None else False,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            socket_factory=_keepalive_socket,
        )
        # The whole exchange is bounded by asyncio.timeout, which virtual loops can move.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
        return aiohttp.ClientSession(
            connector=connector, headers=self._headers, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        )


def _payload(body: bytes | None) -> bytes | BytesIO | None:
    # A big body as one write would hold up the loop; a file-like one is sent in pieces.
    return BytesIO(body) if body is not None and len(body) > _BIG_BODY_BYTES else body


def _unreachable(request: HttpRequest, error: Exception) -> Timeout | Unavailable:
    what = f"{request.method} {request.path}"
    if isinstance(error, TimeoutError):
        return Timeout(0, "ClientTimeout", f"{what}: no answer within {request.timeout} s")
    reason = "CertificateRefused" if isinstance(error, ssl.SSLError | aiohttp.ClientSSLError) else "ConnectionFailed"
    return Unavailable(0, reason, f"{what}: {type(error).__name__}: {error}")


def _keepalive_socket(address: Any) -> socket.socket:
    family, kind, protocol, _, _ = address
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in _KEEPALIVE_PROBES:
        if hasattr(socket, option):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)
    return opened
