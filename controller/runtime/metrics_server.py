"""/metrics over HTTPS, for those who may: the bearer of a token that the API server knows and RBAC lets in.

    no token -> 401, unknown token -> 401, no permission -> 403 (which is named), API server silent -> 503

With no certificate given it makes its own at the start, as controller-runtime does; a scraper cannot verify it. Plain
HTTP without questions is there for those who ask for it. Certificates are read and made by a library of 10 MB, which
is imported only where that is to be done here: not for plain HTTP, nor where somebody else has a TLS context ready.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from aiohttp import hdrs, web

from controller.runtime.authorization import Authorizer, Undecided, Verdict
from controller.runtime.clock import Clock, RealClock
from controller.runtime.listener import Listener

if TYPE_CHECKING:
    from controller.runtime.certs.authority import ServingCertificate
    from controller.runtime.certs.serving import ServingContext

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: For one scrape, whoever comes. Prometheus itself gives up after ten seconds unless it was told otherwise.
SCRAPE_SECONDS = 60.0
#: What is written at once.
WRITTEN_BYTES = 65_536
SELF_SIGNED_LIFETIME = timedelta(days=365)
# As long as a scraper waits between two tries anyway.
_RETRY_AFTER_SECONDS = "10"
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


class MetricsServer:
    """Serves `pieces()` (Prometheus text) as /metrics, each as it comes.

    `port` 0: a free one, to be read from `.port` once started. `authorizer` None is allowed with `plain` only, which
    means HTTP and no questions. `certificate` None: self-signed for `names`, until `replace_certificate` brings one.
    `tls`: a context that another server of the process has, and keeps current; then there is no certificate of its own.
    """

    def __init__(
        self,
        host: str,
        port: int,
        pieces: Callable[[], AsyncIterator[bytes]],
        *,
        authorizer: Authorizer | None = None,
        certificate: "ServingCertificate | None" = None,
        names: Sequence[str] = ("localhost",),
        plain: bool = False,
        tls: ssl.SSLContext | None = None,
        clock: Clock | None = None,
    ) -> None:
        if plain == (authorizer is not None):
            raise ValueError("authorizer: give one, or ask for plain=True, which answers everybody; not both")
        self.host = host
        self._pieces = pieces
        self._authorizer = authorizer
        self._names = tuple(names)
        self._clock = clock or RealClock()
        self._tls = None if plain or tls is not None else _serving_context()
        self._certificate_given = certificate is not None
        shown = tls if self._tls is None else self._tls.context
        self._listener = Listener(host, port, tls=None if plain else shown, clock=self._clock)
        self._log = structlog.get_logger(__name__)
        if certificate is not None and self._tls is not None:
            self._tls.replace(certificate, self._clock.now())

    def __str__(self) -> str:
        return f"metrics server on {self.host}:{self.port}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._listener.port

    def replace_certificate(self, certificate: "ServingCertificate") -> bool:
        """Show `certificate` on new connections. One that no client could accept is logged and not taken (False)."""
        if self._tls is None:
            return False
        from controller.runtime.certs.serving import BadCertificate

        try:
            self._tls.replace(certificate, self._clock.now())
        except BadCertificate as error:
            self._log.error("certificate refused; the old one stays", problem=str(error))
            return False
        self._certificate_given = True
        return True

    async def run(self) -> None:
        """Serve until cancelled. Raises OSError when the address is taken."""
        app = web.Application()
        app.router.add_get("/metrics", self._scrape)
        self._look_after_own_certificate()
        await self._listener.run(app)

    async def wait_started(self, timeout: float) -> None:
        """Wait until it listens, at most `timeout` seconds; raises TimeoutError."""
        await self._listener.wait_started(timeout)

    async def _scrape(self, request: web.Request) -> web.StreamResponse:
        self._look_after_own_certificate()
        if self._authorizer is not None:
            refusal = await self._refusal(self._authorizer, request)
            if refusal is not None:
                return refusal
        if request.method == hdrs.METH_HEAD:
            return web.Response(headers={"Content-Type": CONTENT_TYPE})
        return await self._answered(request)

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        """The text, written as it is made: who takes it slowly makes nothing pile up here, and is left in the end."""
        response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
        held = bytearray()
        try:
            async with asyncio.timeout(SCRAPE_SECONDS):
                await response.prepare(request)
                async for piece in self._pieces():
                    held += piece
                    if len(held) >= WRITTEN_BYTES:
                        await response.write(bytes(held))
                        held.clear()
                await response.write_eof(bytes(held))
        except ConnectionError:
            self._log.debug("scraper gone before it had all", peer=request.remote)
        except TimeoutError:
            self._log.warning("scrape given up", peer=request.remote, seconds=SCRAPE_SECONDS)
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _refusal(self, authorizer: Authorizer, request: web.Request) -> web.Response | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return _answer(401, "no bearer token; send Authorization: Bearer TOKEN", _CHALLENGE)
        try:
            decision = await authorizer.decide(token)
        except Undecided as error:
            return _answer(503, f"{error}; come again", {"Retry-After": _RETRY_AFTER_SECONDS})
        if decision.verdict is Verdict.UNKNOWN_TOKEN:
            return _answer(401, decision.message, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        if decision.verdict is Verdict.FORBIDDEN:
            return _answer(403, decision.message)
        return None

    def _look_after_own_certificate(self) -> None:
        """Make one where nobody gave one, and again at two thirds of its life."""
        if self._tls is None or self._certificate_given:
            return
        from controller.runtime.certs.authority import issue_leaf, make_authority
        from controller.runtime.certs.rotation import RENEW_AT

        now = self._clock.now()
        present = self._tls.certificate
        if present is None or now >= present.not_before + SELF_SIGNED_LIFETIME * RENEW_AT:
            authority = make_authority("self-signed metrics endpoint", now, SELF_SIGNED_LIFETIME)
            lifetime = SELF_SIGNED_LIFETIME - timedelta(minutes=1)
            self._tls.replace(issue_leaf(authority, self._names, now, lifetime), now)


def _serving_context() -> "ServingContext":
    from controller.runtime.certs.serving import ServingContext

    return ServingContext()


def _answer(status: int, sentence: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{sentence}\n", headers=headers)
