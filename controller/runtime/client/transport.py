"""The one seam to the network: requests and streams over HTTP/1.1 keep-alive, by aiohttp.

Requests wait for one of a few slots, watches do not, so that they never take a connection from a request. Everything
that goes wrong below HTTP becomes `Unavailable` or `Timeout`; HTTP errors become their types.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode
from weakref import WeakSet

import aiohttp
from aiohttp import payload
from aiohttp.connector import Connection
from multidict import CIMultiDict
from yarl import URL

from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.errors import Timeout, Unavailable, error_of_answer
from controller.runtime.client.keepalive import keepalive_socket
from controller.runtime.client.tls import ClientTls

Check = Callable[[], None]
"""Called right before a request's bytes go out; what it raises keeps them in."""

CERTIFICATE_REFUSED: Final = "CertificateRefused"
"""The reason of an Unavailable when the two ends do not trust each other."""

# Idle connections are ours to drop before a server or balancer does (apiserver: 90 s and more): a request written
# to a connection that the other end is closing is a lost write.
# Where a connection that was kept, and closed meanwhile, is made up for by another.
_REPEATED_BELOW: Final = frozenset({"GET", "HEAD"})
_KEEPALIVE_SECONDS: Final = 45.0
_CLOSING_SECONDS: Final = 1.0
_CLOSING_POLL_SECONDS: Final = 0.001
_CONNECT_SECONDS: Final = 10.0
_NO_LIMIT: Final = 0
_BIG_BODY_BYTES: Final = 1024 * 1024
# Uncompressed: unpacking costs this process more than the bytes cost a cluster's network.
_HEADERS: Final = (("Accept", "application/json"), ("Accept-Encoding", "identity"))
_PATH: Final = re.compile(r"/(?:(?![?#])[!-~])*")

_check_of_this_request: ContextVar[Check | None] = ContextVar("check", default=None)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request: `path` absolute and encoded, `params` not, `timeout` seconds for the whole exchange.

    `body` None: none; else of type `content_type`.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"
    timeout: float = 30.0

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Answer(NamedTuple):
    """A 2xx answer."""

    status: int
    body: bytes


class _KeptBack(Exception):
    """Carries what a check raised past the layers that would take an OSError or a timeout for the network's."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _CheckedRequest(aiohttp.ClientRequest):
    """A request that is checked when a connection is there to write it to: waiting for one may take seconds."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        check = _check_of_this_request.get()
        if check is not None:
            try:
                check()
            except Exception as error:
                raise _KeptBack(error) from error
        return await super().send(conn)


class _Unanswered(aiohttp.ClientError):
    """A kept connection that closed under a write, as an error that aiohttp does not answer with another attempt."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


async def _sent_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from repeating a PUT or DELETE whose answer was lost: it may have been done already."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Unanswered(error) from error


class Transport:
    """Connections to one API server. An async context manager; not usable before entering or after leaving.

    `max_connections`: requests under way at once; more wait, first come first served.
    """

    def __init__(
        self, configuration: ClientConfiguration, tls: ClientTls, *, user_agent: str, max_connections: int
    ) -> None:
        base = URL(configuration.server.rstrip("/"))
        self._base = base.with_path("/")
        self._prefix = base.raw_path.rstrip("/")
        self._server_hostname = configuration.tls_server_name
        self._trusted = configuration.trusted
        self._tls = tls
        self._headers = CIMultiDict([("User-Agent", user_agent), *_HEADERS])
        self._slots = asyncio.Semaphore(max_connections)
        self._session: aiohttp.ClientSession | None = None
        self._sockets: WeakSet[socket.socket] = WeakSet()

    async def __aenter__(self) -> "Transport":
        if self._session is not None:
            raise RuntimeError("the client is open already")
        connector = aiohttp.TCPConnector(
            limit=_NO_LIMIT, keepalive_timeout=_KEEPALIVE_SECONDS, socket_factory=self._socket
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=self._headers,
            # The whole exchange is bounded by asyncio.timeout, which virtual loops can move.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            request_class=_CheckedRequest,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        await self._part()

    def _socket(self, address: Any) -> socket.socket:
        opened = keepalive_socket(address)
        self._sockets.add(opened)
        return opened

    async def _part(self) -> None:
        """See every connection closed. Whoever closes the loop right after us would leave their sockets to the
        garbage collector: a TLS connection that was closed, as a watch's is that somebody left, waits for the other
        end's goodbye, up to 30 s.
        """
        for opened in self._sockets:
            with suppress(OSError):  # closed by now, or never connected
                opened.shutdown(socket.SHUT_RDWR)  # which the loop reads as the other end's
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                # nobody tells when a transport lets go of its socket
                while any(opened.fileno() >= 0 for opened in self._sockets):  # noqa: ASYNC110
                    await asyncio.sleep(_CLOSING_POLL_SECONDS)

    def identify(self, fields: Sequence[tuple[str, str]]) -> None:
        """Send these headers with every request from now on, instead of those given before."""
        headers = CIMultiDict(self._headers)
        for name, value in fields:
            headers.add(name, value)
        session = self._opened()
        session.headers.clear()
        session.headers.update(headers)

    async def send(self, request: HttpRequest, check: Check | None = None) -> Answer:
        """A 2xx answer. Raises ApiError's tree; a cancelled call drops its connection.

        `check` is called before the bytes of each attempt are written, when the connection to write to is there.
        """
        limit = asyncio.timeout(request.timeout)
        try:
            async with limit, self._slots:
                return await (self._exchange(request) if check is None else self._checked(request, check))
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise _timeout(request) from error

    async def stream(self, request: HttpRequest, begun: Callable[[int], None]) -> AsyncGenerator[bytes, None]:
        """Pieces of a 2xx answer as they come, until the server ends it. Needs no slot.

        `begun` is called with the status as soon as a 2xx answer begins, before anything is in it. `request.timeout`
        bounds the whole stream. Raises as `send` does. Close the iterator when leaving early.
        """
        deadline = asyncio.get_running_loop().time() + request.timeout
        answer: aiohttp.ClientResponse | None = None
        try:
            async with asyncio.timeout_at(deadline):
                answer = await self._request(request)
                if not 200 <= answer.status < 300:
                    raise error_of_answer(answer.status, await answer.read(), answer.headers)
            begun(answer.status)
            while piece := await self._read(answer, deadline):
                yield piece
        except (OSError, aiohttp.ClientError) as error:
            raise _failure(request, error, self._trusted) from error
        finally:
            if answer is not None:
                answer.close()

    async def _checked(self, request: HttpRequest, check: Check) -> Answer:
        token = _check_of_this_request.set(check)
        try:
            return await self._exchange(request)
        except _KeptBack as kept:
            raise kept.reason from None
        finally:
            _check_of_this_request.reset(token)

    async def _exchange(self, request: HttpRequest) -> Answer:
        try:
            answer = await self._request(request)
            body = await answer.read()
        except (OSError, aiohttp.ClientError) as error:
            raise _failure(request, error, self._trusted) from error
        if not 200 <= answer.status < 300:
            raise error_of_answer(answer.status, body, answer.headers)
        return Answer(answer.status, body)

    @staticmethod
    async def _read(answer: aiohttp.ClientResponse, deadline: float) -> bytes:
        # A timeout around the `yield` instead would cancel whatever the stream's reader does meanwhile.
        async with asyncio.timeout_at(deadline):
            return await answer.content.readany()

    async def _request(self, request: HttpRequest) -> aiohttp.ClientResponse:
        context = self._tls.context()
        return await self._opened().request(
            request.method,
            self._url(request),
            data=_payload(request),
            allow_redirects=False,
            middlewares=() if request.method in _REPEATED_BELOW else (_sent_once,),
            ssl=context if context is not None else False,
            server_hostname=self._server_hostname,
        )

    def _url(self, request: HttpRequest) -> URL:
        path = f"{self._prefix}{request.path}"
        if not _PATH.fullmatch(path):
            raise ValueError(f"path {request.path!r}: not an encoded path; quote it, and give its query as params")
        if request.params:
            return self._base.join(URL(f"{path}?{urlencode(request.params)}", encoded=True))
        return self._base.with_path(path, encoded=True)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the client is not open: use `async with Client(...)`")
        return self._session


def _payload(request: HttpRequest) -> payload.Payload | None:
    """The body with its type, made here because aiohttp would look for the maker first."""
    body, kind = request.body, request.content_type
    if body is None:
        return None
    # A big body as one write would hold up the loop; a file-like one is sent in pieces.
    big = len(body) > _BIG_BODY_BYTES
    return (
        payload.BytesIOPayload(BytesIO(body), content_type=kind)
        if big
        else payload.BytesPayload(body, content_type=kind)
    )


def _failure(request: HttpRequest, error: Exception, trusted: str = "") -> Timeout | Unavailable:
    if isinstance(error, _Unanswered):
        error = error.reason
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Unavailable(0, "ConnectionFailed", f"{request}: no connection in time, nothing was sent: {error}")
    if isinstance(error, TimeoutError):
        return _timeout(request)
    reason = CERTIFICATE_REFUSED if isinstance(error, ssl.SSLError | aiohttp.ClientSSLError) else "ConnectionFailed"
    return Unavailable(0, reason, f"{request}: {_told(error, trusted)}")


def _told(error: Exception, trusted: str) -> str:
    # aiohttp's own texts hold the name of an SSLContext object, and neither authority nor remedy.
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return (
            f"the certificate of {error.host}:{error.port} is not trusted ({error.certificate_error}): checked with"
            f" {trusted}; correct certificate-authority, server or tls-server-name"
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect to {error.host}:{error.port} ({error.os_error}); check the server and its address"
    return f"{type(error).__name__}: {error}"


def _timeout(request: HttpRequest) -> Timeout:
    return Timeout(0, "ClientTimeout", f"{request}: no answer within {request.timeout} s")
