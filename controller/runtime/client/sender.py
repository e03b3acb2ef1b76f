"""Sends requests: with credentials, within the rate, again where that is safe, and counted."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from controller.runtime.client.configuration import ClientConfiguration, ConfigurationError
from controller.runtime.client.credential import Credential
from controller.runtime.client.credentials import credentials_of
from controller.runtime.client.errors import ApiError, Unauthorized, Unavailable
from controller.runtime.client.headers import bearer_field, impersonation_fields
from controller.runtime.client.rate_limit import RateLimiter
from controller.runtime.client.request_metrics import RequestMetrics
from controller.runtime.client.retry import retrying, worth_repeating
from controller.runtime.client.tls import ClientTls
from controller.runtime.client.transport import CERTIFICATE_REFUSED, Answer, Check, HttpRequest
from controller.runtime.client.wire import Wire
from controller.runtime.clock import Clock

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Sender:
    """All requests of one client, and of those guarded by it. Opened and closed with its transport.

    `limiter` None: no limit. It counts each attempt, and a watch when it is opened.
    """

    def __init__(
        self,
        configuration: ClientConfiguration,
        transport: Wire,
        tls: ClientTls,
        clock: Clock,
        *,
        limiter: RateLimiter | None,
        metrics: RequestMetrics,
    ) -> None:
        self.transport = transport
        self._tls = tls
        self._clock = clock
        self._limiter = limiter
        self._metrics = metrics
        self._source = configuration.shown
        self._credentials = credentials_of(configuration, clock)
        self._impersonation = impersonation_fields(configuration.impersonate)
        self._shown: Credential | None = None

    async def send(self, request: HttpRequest, check: Check | None) -> bytes:
        """The body of a 2xx answer; `check` sees each attempt of a write before its bytes go out.

        Raises ApiError's tree, and what `check` raises, unsent and unrepeated.
        """
        if check is not None and request.method not in WRITES:
            check = None
        try:
            return await self._attempt(request, check)
        except ApiError as error:
            if not worth_repeating(request.method, error):
                raise
            return await self._repeat(request, check, error)

    async def stream(self, request: HttpRequest) -> AsyncGenerator[bytes, None]:
        """Pieces of a 2xx answer as they come. Raises ApiError's tree; nothing is repeated."""
        if self._limiter is not None:
            await self._limiter.wait()
        started = self._clock.monotonic()
        has_begun = False

        def begun(status: int) -> None:
            nonlocal has_begun
            has_begun = True
            self._observe(request, status, started)

        credential = await self._identify()
        try:
            async with aclosing(self.transport.stream(request, begun)) as pieces:
                async for piece in pieces:
                    yield piece
        except ApiError as error:
            if not has_begun:
                self._failed(request, error, started)
            if isinstance(error, Unauthorized):
                self._refused(credential)
                raise self._explained(error) from error
            raise

    async def _repeat(self, request: HttpRequest, check: Check | None, first: ApiError) -> bytes:
        # The retry loop is entered only after a failure: it costs more than a small request's own work.
        failed: ApiError | None = first

        async def attempt() -> bytes:
            nonlocal failed
            if failed is not None:
                error, failed = failed, None
                raise error
            return await self._attempt(request, check)

        return await retrying(request.method, self._clock)(attempt)

    async def _attempt(self, request: HttpRequest, check: Check | None) -> bytes:
        if self._limiter is not None:
            await self._limiter.wait()
        started = self._clock.monotonic()
        try:
            answer = await self._send_authorised(request, check)
        except ApiError as error:
            self._failed(request, error, started)
            if isinstance(error, Unauthorized):
                raise self._explained(error) from error
            raise
        self._observe(request, answer.status, started)
        return answer.body

    async def _send_authorised(self, request: HttpRequest, check: Check | None) -> Answer:
        credential = await self._identify()
        try:
            return await self.transport.send(request, check)
        except Unauthorized:
            # Nothing was done: safe to send again, once, with a credential that may be another.
            if not self._refused(credential):
                raise
        await self._identify()
        return await self.transport.send(request, check)

    async def _identify(self) -> Credential:
        """Have the transport show the credential of now."""
        try:
            credential = await self._credentials.current()
            if credential is not self._shown:
                self._show(credential)
        except ConfigurationError as error:
            if self._shown is None:
                raise
            # It worked before: not a mistake in the configuration, but something that may pass.
            raise Unavailable(0, "NoCredential", str(error)) from error
        return credential

    def _show(self, credential: Credential) -> None:
        try:
            token = [bearer_field(credential.token)] if credential.token else []
            self._tls.show(credential.certificate)
        except ConfigurationError as error:
            self._credentials.refused(credential)  # ask for another next time, not when this one would have ended
            raise ConfigurationError(f"{self._source}: {error}") from error
        self.transport.identify([*token, *self._impersonation])
        self._shown = credential

    def _explained(self, error: Unauthorized) -> Unauthorized:
        message = f"{error.message} (shown was {self._source}; renew it or give another)"
        return Unauthorized(error.status, error.reason, message, error.causes)

    def _refused(self, credential: Credential) -> bool:
        self._tls.suspect()
        return self._credentials.refused(credential)

    def _failed(self, request: HttpRequest, error: ApiError, started: float) -> None:
        self._observe(request, error.status, started)
        if error.reason == CERTIFICATE_REFUSED:
            self._tls.suspect()

    def _observe(self, request: HttpRequest, code: int, started: float) -> None:
        self._metrics.observe(request.method, code, self._clock.monotonic() - started)
