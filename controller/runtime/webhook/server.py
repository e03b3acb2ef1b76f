"""The HTTPS server that the API server asks for admission.

    POST path -> size and content type -> decode -> handler (within the asked timeout) -> AdmissionReview

Garbage gets a 4xx that says what is wrong; a handler that raises or takes too long gets a 500 without a review, which
the API server treats by the webhook's failurePolicy, and a log entry with the trace.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from aiohttp import web

from controller.runtime.certs.authority import ServingCertificate
from controller.runtime.certs.serving import load, server_context
from controller.runtime.webhook.admission import (
    AdmissionRequest,
    AdmissionResponse,
    MalformedReview,
    decode_review,
    encode_review,
)

AdmissionHandler = Callable[[AdmissionRequest], Awaitable[AdmissionResponse]]

# A request body is at most 3 MiB at the API server, and a review of an update carries the object twice, wrapped.
MAX_BODY_BYTES = 8 * 1024 * 1024
_DEFAULT_TIMEOUT_SECONDS = 10.0
_LONGEST_TIMEOUT_SECONDS = 30.0
# On stopping, reviews under way get this long: an API server waits for them with a user behind it.
_SHUTDOWN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class WebhookStatistics:
    """Reviews since the start: answered (allowed or denied), malformed (4xx), failed (handler's fault, 500)."""

    allowed: int
    denied: int
    malformed: int
    failed: int


class WebhookServer:
    """Serves admission handlers over TLS. `port` 0: a free one, to be read from `.port` once started."""

    def __init__(self, host: str, port: int, certificates: ServingCertificate) -> None:
        self.host, self.port = host, port
        self._context = server_context(certificates)
        self._handlers: dict[str, AdmissionHandler] = {}
        self._started = asyncio.Event()
        self._allowed = self._denied = self._malformed = self._failed = 0
        self._log = structlog.get_logger(__name__)

    def __str__(self) -> str:
        return f"webhook server on {self.host}:{self.port}"

    @property
    def serving(self) -> bool:
        """Whether it listens now."""
        return self._started.is_set()

    def handle_admission(self, path: str, handler: AdmissionHandler) -> None:
        """Answer reviews posted to `path` with `handler`. Raises ValueError for a path that is taken."""
        if not path.startswith("/") or path in self._handlers:
            raise ValueError(f"path {path!r}: taken, or does not begin with /; choose another")
        self._handlers[path] = handler

    def replace_certificate(self, certificate: ServingCertificate) -> None:
        """Show `certificate` on new connections from now on."""
        load(self._context, certificate)

    async def run(self) -> None:
        """Serve until cancelled. Raises OSError when the address is taken."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        for path, handler in self._handlers.items():
            app.router.add_post(path, self._endpoint(path, handler))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self.host, self.port, ssl_context=self._context)
            await site.start()
            self.port = runner.addresses[0][1]
            self._started.set()
            await asyncio.Event().wait()
        finally:
            self._started.clear()
            await runner.cleanup()

    async def wait_started(self, timeout: float) -> None:
        """Wait until it listens, at most `timeout` seconds; raises TimeoutError."""
        async with asyncio.timeout(timeout):
            await self._started.wait()

    def statistics(self) -> WebhookStatistics:
        """The figures of this moment."""
        return WebhookStatistics(self._allowed, self._denied, self._malformed, self._failed)

    def _endpoint(self, path: str, handler: AdmissionHandler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def endpoint(request: web.Request) -> web.StreamResponse:
            try:
                review = await self._read(request)
            except MalformedReview as error:
                self._malformed += 1
                self._log.warning("malformed review", path=path, error=str(error))
                return web.Response(status=400, text=f"{error}\n")
            return await self._answer(path, handler, review, _timeout_of(request))

        return endpoint

    async def _read(self, request: web.Request) -> AdmissionRequest:
        if request.content_type != "application/json":
            raise MalformedReview(f"Content-Type {request.content_type!r}: send application/json")
        return decode_review(await request.read())

    async def _answer(
        self, path: str, handler: AdmissionHandler, review: AdmissionRequest, timeout: float
    ) -> web.Response:
        log = self._log.bind(path=path, uid=review.uid, operation=review.operation, object=review.name)
        try:
            async with asyncio.timeout(timeout):
                response = await handler(review)
            body = encode_review(review.uid, response)
        except Exception:
            self._failed += 1
            log.exception("admission handler failed", timeout=timeout)
            return web.Response(status=500, text="the admission handler failed; its log says why\n")
        if response.allowed:
            self._allowed += 1
        else:
            self._denied += 1
            log.info("denied", message=response.message)
        return web.Response(body=body, content_type="application/json")


def _timeout_of(request: web.Request) -> float:
    """The API server's own limit for this review (`?timeout=5s`), so that we never work for nobody."""
    try:
        asked = float(request.query.get("timeout", "").removesuffix("s"))
    except ValueError:
        return _DEFAULT_TIMEOUT_SECONDS
    return min(max(asked, 0.1), _LONGEST_TIMEOUT_SECONDS)
